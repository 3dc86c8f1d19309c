//! Trust in other accounts, and in everybody.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gap, Judgement, Problem, Setting, Subject, any_of};
use crate::access::{Trust, Trusted};
use crate::audit::condition::{Fact, How, facts, requires};
use crate::model::Verdict;
use crate::snapshot::aws::section;

/// Whom a comparison limits callers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// An account.
    Account(String),
    /// An organization.
    Organization(String),
    /// A single principal whose account the value does not say (`aws:userid`).
    Principal,
    /// AWS services.
    Service,
}

/// AWS-MAP-01: an account that is no part of the organization may become the role, and nothing asks for an external id or an
/// organization. `*` that a condition limits to fixed accounts or organizations is trust in these.
pub fn external_account(subject: &Subject<'_>, setting: &Setting<'_>) -> Judgement {
    let mut unguarded: BTreeMap<Holder, Vec<&Trust>> = BTreeMap::new();
    let (trusts, gaps) = meant(subject, |from| match from {
        Trusted::External { scope, .. } => !setting.trusted_accounts.contains(scope),
        from => *from == Trusted::Everyone,
    });
    for trust in trusts {
        let guarded = requires(trust.residual.as_ref(), &|fact| guards(fact, setting));
        match &trust.from {
            Trusted::External { scope, .. } if !guarded => {
                unguarded.entry(Holder::Account(scope.clone())).or_default().push(trust);
            }
            Trusted::Everyone if !guarded && !is_public(trust) => {
                let named: BTreeSet<Holder> = facts(trust.residual.as_ref()).into_iter().filter_map(holders).flatten().collect();
                for holder in named.into_iter().filter(|holder| !is_known(holder, setting)) {
                    unguarded.entry(holder).or_default().push(trust);
                }
            }
            _ => {}
        }
    }
    let problems = unguarded.into_iter().map(|(holder, trusts)| {
        let (id, named) = match holder {
            Holder::Account(id) => (id.clone(), format!("account {id}")),
            Holder::Organization(id) => (id.clone(), format!("organization {id}")),
            Holder::Principal | Holder::Service => (String::new(), String::new()),
        };
        problem(&id, named, &trusts)
    });
    Judgement {
        problems: problems.collect(),
        gaps,
    }
}

/// AWS-MAP-02: everybody may become the role.
pub fn everyone(subject: &Subject<'_>, _: &Setting<'_>) -> Judgement {
    let (mut public, gaps) = meant(subject, |from| *from == Trusted::Everyone);
    public.retain(|trust| is_public(trust));
    if public.is_empty() {
        return Judgement {
            problems: Vec::new(),
            gaps,
        };
    }
    let mut problem = problem("", "anyone".to_owned(), &public);
    problem.causes = BTreeSet::from(["*".to_owned()]);
    Judgement {
        problems: vec![problem],
        gaps: Vec::new(),
    }
}

/// The trusts of a sort whose condition could be evaluated, and gaps for the others.
pub(super) fn meant<'a>(subject: &'a Subject<'_>, is_meant: impl Fn(&Trusted) -> bool) -> (Vec<&'a Trust>, Vec<Gap>) {
    let (unknown, known): (Vec<&Trust>, Vec<&Trust>) = subject
        .trusts()
        .iter()
        .filter(|trust| is_meant(&trust.from))
        .partition(|trust| trust.verdict == Verdict::Unknown);
    let gap = |trust: &Trust| Gap {
        source: section::ROLES,
        place: format!("{}, statement {}", trust.statement.policy, trust.statement.statement),
        reason: "the condition of the trust could not be evaluated".to_owned(),
    };
    (known, unknown.into_iter().map(gap).collect())
}

pub(super) fn problem(discriminator: &str, subject: String, trusts: &[&Trust]) -> Problem {
    Problem {
        discriminator: discriminator.to_owned(),
        subject,
        source: section::ROLES,
        statements: trusts.iter().map(|trust| trust.statement.clone()).collect(),
        policies: BTreeSet::from(["the trust policy".to_owned()]),
        conditions: any_of(trusts.iter().map(|trust| trust.residual.as_ref())),
        causes: BTreeSet::from([discriminator.to_owned()]),
    }
}

/// Whether the condition leaves open who calls. An external id does not say it, networks neither.
fn is_public(trust: &Trust) -> bool {
    !requires(trust.residual.as_ref(), &|fact| holders(fact).is_some())
}

/// Whether a comparison is the guard that AWS-MAP-01 asks for: an external id, an organization, or callers that are all known.
fn guards(fact: Fact<'_>, setting: &Setting<'_>) -> bool {
    if let Fact::Is { key, how, values } = fact
        && key.eq_ignore_ascii_case("sts:ExternalId")
    {
        return values.iter().all(|value| asks_for_something(how, value));
    }
    holders(fact).is_some_and(|holders| {
        holders.iter().all(|holder| match holder {
            // Where neither the snapshot nor the policy says which organization is one's own, any that is fixed may be it.
            Holder::Organization(id) => setting.trusted_organizations.is_empty() || setting.trusted_organizations.contains(id),
            Holder::Account(id) => setting.trusted_accounts.contains(id),
            // Who exactly of the other account calls is not what is asked for.
            Holder::Principal | Holder::Service => false,
        })
    })
}

/// Whether an external id must have some agreed text: `*` or `?*` is met by any, and a variable by the caller's own value.
fn asks_for_something(how: How, value: &str) -> bool {
    !value.contains("${") && (how == How::Literal || value.contains(|letter| !matches!(letter, '*' | '?')))
}

fn is_known(holder: &Holder, setting: &Setting<'_>) -> bool {
    match holder {
        Holder::Account(id) => setting.trusted_accounts.contains(id),
        Holder::Organization(id) => setting.trusted_organizations.contains(id),
        Holder::Principal | Holder::Service => true,
    }
}

/// Whom a comparison limits callers to; none where a value of it leaves that open: a wildcard where the account or organization
/// stands, an S3 ARN (which holds no account), a key that says nothing of the caller, a misspelt one.
fn holders(fact: Fact<'_>) -> Option<Vec<Holder>> {
    let Fact::Is { key, how, values } = fact else {
        return None;
    };
    let holder: fn(How, &str) -> Option<Holder> = match key.to_ascii_lowercase().as_str() {
        "aws:principalaccount" | "aws:sourceaccount" => |how, value| account(how, value),
        "aws:principalarn" | "aws:sourcearn" => |how, value| {
            value
                .split(':')
                .nth(4)
                .filter(|_| literal_up_to_account(how, value))
                .and_then(|id| account(how, id))
        },
        "aws:principalorgid" | "aws:sourceorgid" => |how, value| organization(how, value),
        "aws:principalorgpaths" | "aws:sourceorgpaths" => |how, value| organization(how, value.split('/').next()?),
        "aws:userid" => |how, value| {
            value
                .split(':')
                .next()
                .filter(|id| !id.is_empty() && how.fixes(id))
                .map(|_| Holder::Principal)
        },
        "aws:principalservicename" => |how, value| how.fixes(value).then_some(Holder::Service),
        "aws:principalisawsservice" => |_, value| value.eq_ignore_ascii_case("true").then_some(Holder::Service),
        _ => return None,
    };
    values.iter().map(|value| holder(how, value)).collect()
}

fn account(how: How, value: &str) -> Option<Holder> {
    let is_id = value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && how.fixes(value)).then(|| Holder::Account(value.to_owned()))
}

fn organization(how: How, value: &str) -> Option<Holder> {
    (value.starts_with("o-") && how.fixes(value)).then(|| Holder::Organization(value.to_owned()))
}

/// In a pattern over the whole text a `*` before the account may reach past the account's place: paths of roles may hold colons. In an ARN
/// pattern it stays in its part (W21).
fn literal_up_to_account(how: How, arn: &str) -> bool {
    how != How::Pattern || arn.split(':').take(4).all(|part| how.fixes(part))
}
