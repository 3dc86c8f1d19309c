//! The predicates that rules of the catalogue name: small pure functions over what one identity has. They know [`Entitlements`] alone,
//! so they read the same with every engine.

mod attachment;
mod breadth;
mod federation;
mod trust;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Attachment, Entitlements, Grant, Identity, Trust};
use crate::catalogue::{Issuers, ParameterValue};
use crate::model::{CoverageEntry, IdentityKind, Residual, StatementRef};

/// What computes a rule.
pub struct Predicate {
    /// As rules name it in `check`.
    pub name: &'static str,
    /// Kinds of identity that it looks at.
    pub kinds: &'static [IdentityKind],
    /// What of the identity it looks at.
    pub reads: Reads,
    /// Says what is wrong with one identity.
    pub check: fn(&Subject<'_>, &Setting<'_>) -> Judgement,
}

/// What of an identity a predicate looks at; documents of other parts that cannot be used do not touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The policies that grant it access, with all layers that limit them.
    Grants,
    /// Its trust policy.
    Trust,
    /// Which policies are attached, not what they say.
    Attachments,
}

impl Reads {
    /// Whether something that could not be used leaves the predicate without an answer. `entry` is one of the identity's unusable parts.
    pub fn is_touched_by(self, entry: &CoverageEntry, identity: &Identity) -> bool {
        let of_trust = entry.entity == identity.key.id && entry.place.starts_with("AssumeRolePolicyDocument");
        match self {
            Self::Grants => !of_trust,
            Self::Trust => of_trust,
            Self::Attachments => false,
        }
    }
}

/// Who acts. Groups do not: what they grant is judged with their members (`via`).
const PRINCIPALS: &[IdentityKind] = &[
    IdentityKind::User,
    IdentityKind::Role,
    IdentityKind::ServiceAccount,
    IdentityKind::ServicePrincipal,
    IdentityKind::ManagedIdentity,
    IdentityKind::Federated,
    IdentityKind::Workload,
];

/// All predicates, by name.
pub const PREDICATES: &[Predicate] = &[
    Predicate {
        name: "all-but-granted",
        kinds: PRINCIPALS,
        reads: Reads::Grants,
        check: breadth::all_but,
    },
    Predicate {
        name: "everyone-trusted",
        kinds: &[IdentityKind::Role],
        reads: Reads::Trust,
        check: trust::everyone,
    },
    Predicate {
        name: "everything-granted",
        kinds: PRINCIPALS,
        reads: Reads::Grants,
        check: breadth::everything,
    },
    Predicate {
        name: "external-account-unguarded",
        kinds: &[IdentityKind::Role],
        reads: Reads::Trust,
        check: trust::external_account,
    },
    Predicate {
        name: "federation-unscoped",
        kinds: &[IdentityKind::Role],
        reads: Reads::Trust,
        check: federation::unscoped,
    },
    Predicate {
        name: "policy-on-user",
        kinds: &[IdentityKind::User],
        reads: Reads::Attachments,
        check: attachment::on_user,
    },
    Predicate {
        name: "service-granted",
        kinds: PRINCIPALS,
        reads: Reads::Grants,
        check: breadth::service,
    },
];

/// One identity and what it has; each part is asked for once, when a rule first needs it.
pub struct Subject<'a> {
    /// The identity.
    pub identity: &'a Identity,
    entitlements: &'a dyn Entitlements,
    grants: OnceCell<Vec<Grant>>,
    attachments: OnceCell<Vec<Attachment>>,
    trusts: OnceCell<Vec<Trust>>,
}

impl<'a> Subject<'a> {
    /// An identity of some entitlements.
    pub fn new(identity: &'a Identity, entitlements: &'a dyn Entitlements) -> Self {
        Self {
            identity,
            entitlements,
            grants: OnceCell::new(),
            attachments: OnceCell::new(),
            trusts: OnceCell::new(),
        }
    }

    fn id(&self) -> &str {
        &self.identity.key.id
    }

    fn grants(&self) -> &[Grant] {
        self.grants.get_or_init(|| self.entitlements.grants(self.id()).collect())
    }

    fn attachments(&self) -> &[Attachment] {
        self.attachments.get_or_init(|| self.entitlements.attachments(self.id()).collect())
    }

    fn trusts(&self) -> &[Trust] {
        self.trusts.get_or_init(|| self.entitlements.trusts(self.id()).collect())
    }
}

/// What a predicate is told besides the identity.
pub struct Setting<'a> {
    /// Accounts that are no outsiders: those read together, those of the same organization, and those that the policy trusts.
    pub trusted_accounts: &'a BTreeSet<String>,
    /// The own organization where it was read, and those that the policy trusts.
    pub trusted_organizations: &'a BTreeSet<String>,
    /// The `OpenID` Connect issuers.
    pub issuers: &'a Issuers,
    /// Every parameter of the rule.
    pub parameters: &'a BTreeMap<&'a str, ParameterValue>,
}

impl Setting<'_> {
    /// A parameter that holds a list.
    fn list(&self, name: &str) -> &[String] {
        if let Some(ParameterValue::List(items)) = self.parameters.get(name) {
            items
        } else {
            &[]
        }
    }
}

/// What a predicate says about one identity. Neither problems nor gaps: all is well.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What could not be known; the identity has not passed.
    pub gaps: Vec<Gap>,
}

/// One thing that is wrong with one identity.
#[derive(Debug, Default)]
pub struct Problem {
    /// Tells it apart from other problems of the same rule with the same identity; part of the finding's id.
    pub discriminator: String,
    /// What the rule's sentences name as `{subject}`.
    pub subject: String,
    /// The snapshot section that the finding rests on.
    pub source: &'static str,
    /// The statements it rests on.
    pub statements: Vec<StatementRef>,
    /// The policies it rests on, for people.
    pub policies: BTreeSet<String>,
    /// The condition under which it holds; none: always.
    pub conditions: Option<Residual>,
    /// What other identities may have the same problem from: a policy's ARN, a trusted principal.
    pub causes: BTreeSet<String>,
}

/// Something about one identity that could not be known.
#[derive(Debug)]
pub struct Gap {
    /// The snapshot section.
    pub source: &'static str,
    /// Policy and statement.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// Joins what holds under one condition or another. Anything that holds always decides.
fn any_of<'a>(conditions: impl Iterator<Item = Option<&'a Residual>>) -> Option<Residual> {
    let distinct = conditions
        .map(Option::<&Residual>::cloned)
        .collect::<Option<BTreeSet<Residual>>>()?;
    let mut distinct: Vec<Residual> = distinct.into_iter().collect();
    if distinct.len() == 1 {
        distinct.pop()
    } else {
        Some(Residual::Or(distinct))
    }
}

/// A policy's short name: of a managed policy what stands last in its ARN, of an inline policy the name.
fn short_name(policy: &str) -> &str {
    policy
        .rsplit_once('#')
        .or_else(|| policy.rsplit_once('/'))
        .map_or(policy, |(_, name)| name)
}

/// The short name, marked as a name in sentences.
fn quoted_name(policy: &str) -> String {
    format!("`{}`", short_name(policy))
}
