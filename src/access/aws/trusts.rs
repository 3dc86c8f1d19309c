//! Who may become a role, by its trust policy (W6, W15).

use super::action::ActionPattern;
use super::arn::{Arn, account_of};
use super::condition::{Leaf, Lookup};
use super::decide::layer;
use super::grants::reference;
use super::organization::Organization;
use super::pattern::Pattern;
use super::principal::{Listed, Principals};
use super::question::Asked;
use super::statement::{Effect, Scope, Statement};
use super::subject::{Caller, CallerKind, Subject};
use crate::access::formula::Formula;
use crate::access::{Trust, Trusted};

impl Organization {
    /// Each principal that each allow statement of the trust policy names, in their order.
    pub(super) fn trusts_of(&self, identity: &str) -> Vec<Trust> {
        let Some(subject) = self.subject(identity) else { return Vec::new() };
        let Some(policy) = subject.trust.as_ref() else { return Vec::new() };
        let Some(document) = policy.document.as_deref() else {
            return Vec::new();
        };
        let asked = Asked::plain(
            self,
            Caller {
                kind: CallerKind::Somebody,
                account: None,
                home: None,
                asked: "",
            },
        );
        let action = ActionPattern {
            service: Pattern::Exact("sts".into()),
            name: Pattern::Exact("assumerole".into()),
        }
        .point();
        let Ok((request, _)) = asked.place(action, &subject.arn) else {
            return Vec::new();
        };
        let denies: Vec<&Statement> = document
            .statements
            .iter()
            .filter(|statement| statement.effect == Effect::Deny)
            .collect();
        let mut trusts = Vec::new();
        for statement in document.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
            let Scope::Only(principals) = &statement.principals else { continue };
            let holds = conditions(statement, &request);
            for listed in left_of(statement, principals, &denies, &request) {
                let from = one(&listed, subject);
                // It comes in by any of its ways that the statement allows and no Deny closes.
                let ways = WAYS.into_iter().filter(|way| uses(&from, way) && names(statement, way));
                let open = ways.fold(Formula::False, |open, way| {
                    open.or(denied(&denies, &listed, way, &request).negated())
                });
                let condition = holds.clone().and(open).simplified();
                if condition.is_false() {
                    continue;
                }
                trusts.push(Trust {
                    statement: reference(layer::TRUST, policy, statement),
                    from,
                    verdict: condition.verdict(),
                    residual: condition.partial_residual(),
                });
            }
        }
        trusts
    }
}

/// When the statement's conditions hold; what cannot be evaluated in it leaves that open (W17).
fn conditions(statement: &Statement, lookup: &impl Lookup) -> Formula<Leaf> {
    let doubt = if statement.sound { Formula::True } else { Formula::Unknown };
    statement
        .conditions
        .iter()
        .fold(doubt, |formula, test| formula.and(test.evaluate(lookup)))
}

/// The ways to become a role; tagging its session alone is none.
const WAYS: [&str; 3] = ["assumerole", "assumerolewithsaml", "assumerolewithwebidentity"];

/// Whether somebody who is trusted comes in this way: a token of an identity provider is no AWS identity, and the other way round (W6).
fn uses(from: &Trusted, way: &str) -> bool {
    match from {
        Trusted::Everyone => true,
        Trusted::Federated { .. } => way != "assumerole",
        _ => way == "assumerole",
    }
}

/// When a Deny keeps all that are meant by a listed principal from coming in this way (W1, W15).
fn denied(denies: &[&Statement], listed: &Listed, way: &str, lookup: &impl Lookup) -> Formula<Leaf> {
    denies
        .iter()
        .filter(|deny| names(deny, way) && reaches(deny, listed))
        .fold(Formula::False, |formula, deny| formula.or(conditions(deny, lookup)))
}

/// Whether a Deny reaches everybody that a listed principal means. One that reaches some of them leaves the trust as it is.
fn reaches(deny: &Statement, listed: &Listed) -> bool {
    let Scope::Only(principals) = &deny.principals else { return false };
    if principals.not {
        // Who is spared: the same, or somebody inside of it.
        !principals
            .listed
            .iter()
            .any(|spared| holds(spared, listed) || holds(listed, spared))
    } else {
        principals.listed.iter().any(|denied| holds(denied, listed))
    }
}

/// Whether one listed principal means everybody that another means.
fn holds(wider: &Listed, narrower: &Listed) -> bool {
    match (wider, narrower) {
        (Listed::Everyone, _) => true,
        (Listed::Account(one, _), Listed::Account(other, _)) => one == other,
        (Listed::Account(id, _), Listed::Arn(arn)) => account_of(arn) == Some(&**id),
        _ => wider == narrower,
    }
}

/// Whom an allow statement means: as listed, but that `*` beside an unconditional Deny with `NotPrincipal` leaves those that it spares.
fn left_of(allow: &Statement, principals: &Principals, denies: &[&Statement], lookup: &impl Lookup) -> Vec<Listed> {
    // Allow with NotPrincipal reads as public (W15).
    let listed = if principals.not {
        vec![Listed::Everyone]
    } else {
        principals.listed.clone()
    };
    let spared = denies.iter().find_map(|deny| match &deny.principals {
        Scope::Only(Principals { not: true, listed })
            if WAYS.iter().all(|way| names(deny, way) || !names(allow, way)) && conditions(deny, lookup).is_true() =>
        {
            Some(listed)
        }
        _ => None,
    });
    match spared {
        Some(spared) if listed.contains(&Listed::Everyone) => spared.clone(),
        _ => listed,
    }
}

/// Whether a statement is about coming in this way.
fn names(statement: &Statement, way: &str) -> bool {
    let action = super::action::Action {
        service: "sts".to_owned(),
        name: way.to_owned(),
    };
    match &statement.actions {
        Scope::Only(set) => set.matches(&action),
        Scope::AllBut(set) => !set.matches(&action),
        Scope::Missing | Scope::Unreadable => true,
    }
}

fn one(listed: &Listed, role: &Subject) -> Trusted {
    match listed {
        Listed::Everyone => Trusted::Everyone,
        Listed::Account(id, _) if **id == *role.owner => Trusted::OwnScope,
        Listed::Account(id, text) => Trusted::External {
            scope: id.to_string(),
            principal: text.to_string(),
        },
        Listed::Arn(arn) => match account_of(arn) {
            Some(account) if *account == *role.owner => Trusted::Internal(arn.to_string()),
            Some(account) => Trusted::External {
                scope: account.to_owned(),
                principal: arn.to_string(),
            },
            None => Trusted::Unresolved(arn.to_string()),
        },
        Listed::Service(name) => Trusted::Service(name.to_string()),
        Listed::Federated(provider) => Trusted::Federated {
            provider: provider.to_string(),
            issuer: issuer(provider),
        },
        Listed::CanonicalUser(id) | Listed::Nobody(id) => Trusted::Unresolved(id.to_string()),
    }
}

/// OIDC issuer: what the provider's ARN holds after its kind, or the name of a provider that is built in.
fn issuer(provider: &str) -> Option<String> {
    match Arn::parse(provider) {
        Some(arn) => arn.resource.strip_prefix("oidc-provider/").map(str::to_owned),
        None => Some(provider.to_owned()),
    }
}
