//! Grants that are too wide: everything, a whole service, all but a list.

use super::{Gap, Judgement, Problem, Setting, Subject, any_of, short_name};
use crate::access::{Breadth, Grant};
use crate::model::{IdentityKind, StatementRef, Verdict};
use crate::snapshot::aws::section;

/// AWS-EXC-01: `*` on `*` that no other layer takes away.
pub fn everything(subject: &Subject<'_>, _: &Setting<'_>) -> Judgement {
    judge(subject, "", "", is_everything)
}

/// AWS-EXC-02: `service:*` on all resources, one finding for each service. Where `*` on `*` holds under the same condition or under none,
/// a service adds nothing.
pub fn service(subject: &Subject<'_>, setting: &Setting<'_>) -> Judgement {
    let holds = |grant: &&Grant| matches!(grant.effective, Verdict::Allowed | Verdict::Conditional);
    let everything: Vec<&Grant> = subject.grants().iter().filter(|grant| is_everything(grant)).filter(holds).collect();
    let adds_nothing = |grant: &Grant| {
        everything
            .iter()
            .any(|wider| wider.residual.is_none() || wider.residual == grant.residual)
    };
    let mut services: Vec<&str> = subject.grants().iter().flat_map(whole_services).collect();
    services.sort_unstable();
    services.dedup();
    services.retain(|service| !setting.list("ignoredServices").iter().any(|ignored| ignored == service));
    let scope = &subject.identity.key.scope;
    let mut all = Judgement::default();
    for service in services {
        let one = judge(subject, service, service, |grant| {
            let reaches = |resource: &Breadth| is_all_of(resource, service, scope);
            whole_services(grant).any(|own| own == service) && grant.resources.iter().any(reaches) && !adds_nothing(grant)
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

fn is_everything(grant: &Grant) -> bool {
    grant.actions.contains(&Breadth::Everything) && grant.resources.contains(&Breadth::Everything)
}

fn whole_services(grant: &Grant) -> impl Iterator<Item = &str> {
    grant.actions.iter().filter_map(|action| {
        if let Breadth::Service(name) = action {
            Some(name.as_str())
        } else {
            None
        }
    })
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

/// The service of an ARN pattern that names all of its resources: `arn:aws:s3:::*`, `arn:aws:dynamodb:*:*:*`, with any or no region, and
/// with any, no or the own account. One region or one type of resource is not all.
fn service_of<'a>(pattern: &'a str, scope: &str) -> Option<&'a str> {
    let mut parts = pattern.splitn(6, ':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let all = arn == "arn" && matches!(region, "" | "*") && (matches!(account, "" | "*") || account == scope) && rest == "*";
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
    let policy = short_name(&statement.policy);
    match &statement.via {
        Some(group) => format!("{policy} through group {}", short_name(group)),
        None => policy.to_owned(),
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
