//! Grants that are too wide: everything, a whole service, all but a list.

use std::collections::BTreeSet;

use super::{Gap, Judgement, Problem, Setting, Subject, any_of, quoted_name};
use crate::access::{Breadth, Grant};
use crate::model::{IdentityKind, StatementRef, Verdict};
use crate::snapshot::aws::section;

/// AWS-EXC-01: `*` on `*` that no other layer takes away.
pub fn everything(subject: &Subject<'_>, _: &Setting<'_>) -> Judgement {
    let scope = &subject.identity.key.scope;
    judge(subject, "", "", |grant| is_everything(grant, scope))
}

/// AWS-EXC-02: all actions of a service on all its resources, one finding for each service. Where `*` on `*` holds under the same
/// condition or under none, a service adds nothing.
pub fn service(subject: &Subject<'_>, setting: &Setting<'_>) -> Judgement {
    let holds = |grant: &&Grant| matches!(grant.effective, Verdict::Allowed | Verdict::Conditional);
    let scope = subject.identity.key.scope.as_str();
    let all_of_it = subject.grants().iter().filter(|grant| is_everything(grant, scope));
    let everything: Vec<&Grant> = all_of_it.filter(holds).collect();
    let adds_nothing = |grant: &Grant| {
        everything
            .iter()
            .any(|wider| wider.residual.is_none() || wider.residual == grant.residual)
    };
    let ignored = setting.list("ignoredServices");
    let services: BTreeSet<&str> = subject.grants().iter().flat_map(|grant| whole_services(grant, scope)).collect();
    let mut all = Judgement::default();
    for service in services {
        if ignored.iter().any(|ignored| ignored == service) {
            continue;
        }
        let one = judge(subject, service, service, |grant| {
            whole_services(grant, scope).any(|own| own == service) && !adds_nothing(grant)
        });
        all.problems.extend(one.problems);
        all.gaps.extend(one.gaps);
    }
    all
}

/// AWS-EXC-03: `NotAction` on everything or on all of a service, and `NotResource`; they are two problems, as their remedies differ.
/// `NotAction` on named resources is left out: what it grants is bounded by what is named.
pub fn all_but(subject: &Subject<'_>, _: &Setting<'_>) -> Judgement {
    let not_resource = |grant: &Grant| grant.resources.iter().any(|resource| matches!(resource, Breadth::AllBut(_)));
    let scope = &subject.identity.key.scope;
    let not_action = |grant: &Grant| {
        let wide = |resource: &Breadth| match resource {
            Breadth::Everything | Breadth::Service(_) => true,
            Breadth::Some(pattern) => service_of(pattern, scope).is_some(),
            Breadth::AllBut(_) => false,
        };
        grant.actions.iter().any(|action| matches!(action, Breadth::AllBut(_))) && grant.resources.iter().any(wide)
    };
    let mut all = judge(subject, "NotAction", "NotAction", not_action);
    let other = judge(subject, "NotResource", "NotResource", not_resource);
    all.problems.extend(other.problems);
    all.gaps.extend(other.gaps);
    all
}

/// `*` on `*`, or on every resource of the own account (`arn:aws:*:*:111122223333:*`).
fn is_everything(grant: &Grant, scope: &str) -> bool {
    let all = |resource: &Breadth| match resource {
        Breadth::Everything => true,
        Breadth::Some(pattern) => service_of(pattern, scope) == Some("*"),
        Breadth::Service(_) | Breadth::AllBut(_) => false,
    };
    grant.actions.contains(&Breadth::Everything) && grant.resources.iter().any(all)
}

/// The services that a grant gives whole: `s3:*` on all resources of S3, or `*` on all resources of S3 and nothing else.
fn whole_services<'a>(grant: &'a Grant, scope: &'a str) -> impl Iterator<Item = &'a str> {
    let by_action = grant.actions.iter().filter_map(move |action| match action {
        Breadth::Service(name) if grant.resources.iter().any(|resource| is_all_of(resource, name, scope)) => Some(name.as_str()),
        _ => None,
    });
    let any_action = grant.actions.contains(&Breadth::Everything);
    let by_resource = grant.resources.iter().filter_map(move |resource| match resource {
        Breadth::Service(name) if any_action => Some(name.as_str()),
        Breadth::Some(pattern) if any_action => service_of(pattern, scope).filter(|service| *service != "*"),
        _ => None,
    });
    by_action.chain(by_resource)
}

/// Whether a resource pattern reaches all resources of a service that the account of the identity may hold.
fn is_all_of(resource: &Breadth, service: &str, scope: &str) -> bool {
    match resource {
        Breadth::Everything => true,
        Breadth::Service(own) => own == service,
        Breadth::Some(pattern) => service_of(pattern, scope).is_some_and(|own| own == service || own == "*"),
        Breadth::AllBut(_) => false,
    }
}

/// The service (`*`: all services) of an ARN pattern that names all of its resources: `arn:aws:s3:::*`, `arn:aws:dynamodb:*:*:*`, with any
/// or no region, and with any, no or the own account. One region or one type of resource is not all.
fn service_of<'a>(pattern: &'a str, scope: &str) -> Option<&'a str> {
    let mut parts = pattern.splitn(6, ':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let named = service == "*" || !service.contains(['*', '?']);
    let all = arn == "arn" && named && matches!(region, "" | "*") && (matches!(account, "" | "*") || account == scope) && rest == "*";
    all.then_some(service)
}

/// One problem from all grants of a sort that hold, however many policies they stand in; gaps where one may hold and none does.
fn judge(subject: &Subject<'_>, discriminator: &str, named: &str, is_meant: impl Fn(&Grant) -> bool) -> Judgement {
    let mut meant: Vec<&Grant> = subject.grants().iter().filter(|grant| is_meant(grant)).collect();
    meant.sort_unstable_by(|one, other| one.statement.cmp(&other.statement));
    let holding: Vec<&Grant> = meant
        .iter()
        .copied()
        .filter(|grant| matches!(grant.effective, Verdict::Allowed | Verdict::Conditional))
        .collect();
    let Some(first) = holding.first() else {
        let unknown = meant.iter().filter(|grant| grant.effective == Verdict::Unknown);
        let gaps = unknown.map(|grant| Gap {
            source: source(&grant.statement, subject),
            place: format!("{}, statement {}", grant.statement.policy, grant.statement.statement),
            reason: "whether the grant holds cannot be known from what was read".to_owned(),
        });
        return Judgement {
            problems: Vec::new(),
            gaps: gaps.collect(),
        };
    };
    let problem = Problem {
        discriminator: discriminator.to_owned(),
        subject: named.to_owned(),
        source: source(&first.statement, subject),
        statements: holding.iter().map(|grant| grant.statement.clone()).collect(),
        policies: holding.iter().map(|grant| name(&grant.statement)).collect(),
        conditions: any_of(holding.iter().map(|grant| grant.residual.as_ref())),
        causes: holding.iter().map(|grant| grant.statement.policy.clone()).collect(),
    };
    Judgement {
        problems: vec![problem],
        gaps: Vec::new(),
    }
}

fn name(statement: &StatementRef) -> String {
    let policy = quoted_name(&statement.policy);
    match &statement.via {
        Some(group) => format!("{policy} through group {}", quoted_name(group)),
        None => policy,
    }
}

/// The section that holds the statement: managed policies stand by themselves, inline policies with their owner.
fn source(statement: &StatementRef, subject: &Subject<'_>) -> &'static str {
    if !statement.policy.contains('#') {
        section::POLICIES
    } else if statement.via.is_some() {
        section::GROUPS
    } else if subject.identity.key.kind == IdentityKind::User {
        section::USERS
    } else {
        section::ROLES
    }
}
