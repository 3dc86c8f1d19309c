//! The Principal element (W15).

use std::collections::HashSet;

use super::arn::{Arn, account_of, is_account_id};
use super::json::Node;
use super::subject::{Caller, CallerKind};

/// One listed principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// `*`
    Everyone,
    /// An account, by number or `:root`; holds the number and the text.
    Account(Box<str>, Box<str>),
    /// ARN of a user, role, role session or federated session. Wildcards are no patterns here.
    Arn(Box<str>),
    /// A service; `*` is every service.
    Service(Box<str>),
    /// An identity provider.
    Federated(Box<str>),
    /// An account by its canonical id: whose it is was not read.
    CanonicalUser(Box<str>),
    /// A deleted principal's unique id, or a text that names nobody.
    Nobody(Box<str>),
}

/// A `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// It is `NotPrincipal`.
    pub not: bool,
    /// Who is listed.
    pub listed: Vec<Listed>,
}

/// How a statement names a caller; what a grant to it passes by depends on that (W4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// Not at all.
    Not,
    /// Perhaps: a canonical user id.
    Perhaps,
    /// Its account: an identity policy has to allow too.
    Account,
    /// The ARN of the role behind a session, or of the user behind a federation session: boundary and session policy still limit.
    Behind,
    /// Itself: user, session, service, provider, or everyone.
    Itself,
}

impl Principals {
    /// Reads the element. `Err`: place below it, and reason. The flag says that a bare ARN was read as an AWS principal.
    pub fn parse(node: &Node, not: bool) -> Result<(Self, bool), (String, String)> {
        let mut listed = Vec::new();
        let mut bare = false;
        match node {
            Node::Text(text) if text == "*" => listed.push(Listed::Everyone),
            Node::Text(text) if text.starts_with("arn:") || is_account_id(text) => {
                bare = true;
                listed.push(aws(text));
            }
            Node::Object(members) => {
                let mut seen = HashSet::new();
                for (kind, value) in members {
                    if !seen.insert(kind) {
                        return Err((format!(".{kind}"), "is there twice".to_owned()));
                    }
                    for (index, text) in strings(value)
                        .map_err(|reason| (format!(".{kind}"), reason))?
                        .into_iter()
                        .enumerate()
                    {
                        listed.push(match kind.as_str() {
                            "AWS" => aws(&text),
                            "Service" => Listed::Service(text.into()),
                            "Federated" => Listed::Federated(text.into()),
                            "CanonicalUser" => Listed::CanonicalUser(text.into()),
                            _ => return Err((format!(".{kind}[{index}]"), "is no kind of principal".to_owned())),
                        });
                    }
                }
            }
            other => {
                return Err((
                    String::new(),
                    format!("{} names no principal: use \"*\" or an object", other.kind()),
                ));
            }
        }
        Ok((Self { not, listed }, bare))
    }

    /// How an Allow names a caller.
    pub fn names(&self, caller: &Caller<'_>) -> Naming {
        let named = self.listed.iter().map(|one| one.names(caller)).max().unwrap_or(Naming::Not);
        if !self.not {
            return named;
        }
        // Allow with NotPrincipal (no longer accepted) reads as public but for the listed.
        match named {
            Naming::Not => Naming::Itself,
            Naming::Perhaps => Naming::Perhaps,
            Naming::Account | Naming::Behind | Naming::Itself => Naming::Not,
        }
    }

    /// Whether a Deny reaches a caller; none where that cannot be known.
    pub fn denies(&self, caller: &Caller<'_>) -> Option<bool> {
        if !self.not {
            return match self.listed.iter().map(|one| one.names(caller)).max().unwrap_or(Naming::Not) {
                Naming::Not => Some(false),
                Naming::Perhaps => None,
                Naming::Account | Naming::Behind | Naming::Itself => Some(true),
            };
        }
        // NotPrincipal: a principal with a boundary is denied whatever the list says.
        if caller.subject().is_some_and(|subject| subject.boundary.is_some()) {
            return Some(true);
        }
        let account = self
            .listed
            .iter()
            .any(|one| matches!(one, Listed::Account(id, _) if Some(&**id) == caller.account));
        let listed = |arn: &str| self.listed.iter().any(|one| matches!(one, Listed::Arn(own) if **own == *arn));
        let everyone = self.listed.contains(&Listed::Everyone);
        let exempt = everyone
            || match &caller.kind {
                // For a session, its own, its role's and its account's ARN must all be listed.
                CallerKind::Role(role, Some(session)) => account && listed(&role.arn) && listed(&role.session_arn(session)),
                CallerKind::Role(role, None) => {
                    let prefix = role.session_arn("");
                    let sessions = self
                        .listed
                        .iter()
                        .any(|one| matches!(one, Listed::Arn(own) if own.starts_with(&prefix)));
                    if account && listed(&role.arn) && sessions {
                        return None;
                    }
                    false
                }
                CallerKind::FederatedUser { arn, user } => account && listed(arn) && user.is_none_or(|user| listed(&user.arn)),
                _ => {
                    self.listed.iter().any(|one| one.names(caller) == Naming::Itself)
                        || (matches!(caller.kind, CallerKind::Root) && account)
                }
            };
        Some(!exempt)
    }
}

impl Listed {
    /// The grantee of a KMS grant: an ARN or a service.
    pub fn grantee(text: &str) -> Self {
        if Arn::parse(text).is_none() && text.contains('.') {
            Self::Service(text.into())
        } else {
            aws(text)
        }
    }

    /// How it names a caller.
    pub fn names(&self, caller: &Caller<'_>) -> Naming {
        let itself = |holds: bool| if holds { Naming::Itself } else { Naming::Not };
        match (self, &caller.kind) {
            (Self::Everyone, _) => Naming::Itself,
            (Self::Account(id, _), CallerKind::User(_) | CallerKind::Role(..) | CallerKind::FederatedUser { .. } | CallerKind::Root) => {
                if Some(&**id) == caller.account {
                    Naming::Account
                } else {
                    Naming::Not
                }
            }
            (Self::Arn(arn), CallerKind::User(user)) => itself(**arn == *user.arn),
            (Self::Arn(arn), CallerKind::Role(role, session)) => {
                if **arn == *role.arn {
                    Naming::Behind
                } else {
                    itself(session.is_some_and(|session| **arn == *role.session_arn(session)))
                }
            }
            (Self::Arn(arn), CallerKind::FederatedUser { arn: own, user }) => {
                if user.is_some_and(|user| **arn == *user.arn) {
                    Naming::Behind
                } else {
                    itself(**arn == **own)
                }
            }
            (Self::Service(name), CallerKind::Service(own)) => itself(**name == **own || &**name == "*"),
            (Self::Federated(provider), CallerKind::Provider(own)) => itself(**provider == **own || &**provider == "*"),
            (Self::CanonicalUser(_), CallerKind::User(_) | CallerKind::Role(..) | CallerKind::FederatedUser { .. } | CallerKind::Root) => {
                Naming::Perhaps
            }
            _ => Naming::Not,
        }
    }
}

/// A value below `AWS`.
fn aws(text: &str) -> Listed {
    if text == "*" {
        return Listed::Everyone;
    }
    if is_account_id(text) {
        return Listed::Account(text.into(), text.into());
    }
    match (Arn::parse(text), account_of(text)) {
        (Some(arn), Some(account)) if arn.service == "iam" && arn.resource == "root" => Listed::Account(account.into(), text.into()),
        (Some(_), _) => Listed::Arn(text.into()),
        (None, _) => Listed::Nobody(text.into()),
    }
}

/// A string or a list of strings.
pub fn strings(node: &Node) -> Result<Vec<String>, String> {
    match node {
        Node::Text(text) => Ok(vec![text.clone()]),
        Node::List(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| match item {
                Node::Text(text) => Ok(text.clone()),
                other => Err(format!("item {at} is {}, not a string", other.kind())),
            })
            .collect(),
        other => Err(format!("is {}, neither a string nor a list of strings", other.kind())),
    }
}
