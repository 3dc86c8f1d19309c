//! The controller of AuditPolicies: read, plan (pure), apply. Audits are jobs; the report is theirs alone to write.

mod audit;
mod head;
mod outcome;
mod plan;
mod reports;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};

pub use head::{HeadStatus, ReportHead};
pub use outcome::{Ended, Pair};
pub use plan::Evaluated;

use super::cluster::{ClusterError, apply_status, bounded, to_value};
use super::jobs::JobState;
use super::{Context, clock};
use crate::api::AuditPolicy;
use crate::store::Name;
use plan::{AuditState, Facts};
use reports::Reports;

/// How long a failed audit waits before the next try.
const RETRY: Duration = Duration::from_secs(30);

/// Names in status that this version does not know.
const UNKNOWN_NAMES: usize = 50;

/// One pass over one AuditPolicy.
pub async fn reconcile(namespace: &str, name: &str, context: &Arc<Context>) -> Result<Action, ClusterError> {
    let api: Api<AuditPolicy> = Api::namespaced(context.client.clone(), namespace);
    let Some(policy) = bounded(format!("read AuditPolicy '{name}'"), api.get_opt(name)).await? else {
        // Its reports carry its owner reference: the garbage collector removes them.
        return Ok(Action::await_change());
    };
    let uid = policy.uid().unwrap_or_default();
    let (audits, settled) = states(context, &policy);
    let facts = Facts {
        policy: &policy,
        now: clock::now(),
        accounts: context.caches.accounts_in(namespace),
        reports: context.caches.reports_of(&uid),
        unknown_names: unknown_names(context, &policy),
        audits: &|pair| audits(pair),
    };

    let plan = plan::plan(&facts);

    if policy.status.as_ref().map(to_value) != Some(to_value(&plan.status)) {
        apply_status(&api, &policy, &plan.status).await?;
    }
    for pair in settled {
        context.audits.settle(&pair);
    }
    for note in &plan.notes {
        context.notes.publish(&policy.object_ref(&()), note).await;
    }
    let reports = Reports::new(&context.client, namespace);
    for (report, uid) in plan.prune {
        tracing::info!(
            namespace,
            policy = name,
            report,
            "removing the report of an account that is gone or no longer selected"
        );
        reports.remove(&report, uid).await?;
    }
    for (account, since) in plan.collect {
        if context.memory.want(namespace, &account, since) {
            (context.wake_account)(namespace, &account);
        }
    }
    for start in plan.start {
        let pair = Pair::of(&policy, &start.account);
        context.audits.start(
            pair,
            audit::audit(context.clone(), policy.clone(), (*start.account).clone(), start.next_run),
        );
    }
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}

/// What the process knows of the audits of this policy, and the outcomes that this pass settles.
fn states<'a>(context: &'a Arc<Context>, policy: &AuditPolicy) -> (impl Fn(&Pair) -> AuditState + Send + Sync + 'a, Vec<Pair>) {
    let namespace = policy.namespace().unwrap_or_default();
    let mut settled = Vec::new();
    for account in context.caches.accounts_in(&namespace) {
        let pair = Pair::of(policy, &account);
        if let JobState::Ended(ended) = context.audits.state(&pair) {
            context.metrics.audit_ended(&pair, &ended);
            context.memory.audited(&pair, &ended, RETRY);
            settled.push(pair);
        }
    }
    let state = move |pair: &Pair| {
        let memory = context.memory.pair(pair);
        AuditState {
            busy: matches!(context.audits.state(pair), JobState::Busy),
            last: memory.last,
            failed: memory.failed,
        }
    };
    (state, settled)
}

/// A policy is gone: its reports go by their owner reference, its findings in the store by this.
pub fn forget(context: &Context, namespace: &str, name: &str) {
    for pair in context.memory.forget_policy(namespace, name) {
        context.metrics.forget(&pair);
    }
    let names = Name::new(namespace).and_then(|namespace| Ok((namespace, Name::new(name)?)));
    if let Err(error) = names.and_then(|(namespace, name)| context.store.remove_policy(&namespace, &name)) {
        tracing::warn!(
            namespace,
            name,
            error = super::chain(&error),
            "the findings of a deleted policy could not be removed"
        );
    }
}

/// Rule ids, frameworks and parameters that the policy names and this version does not know.
fn unknown_names(context: &Context, policy: &AuditPolicy) -> Vec<String> {
    let problems = crate::audit::policy_problems(&context.catalogue, &policy.spec);
    problems
        .into_iter()
        .take(UNKNOWN_NAMES)
        .map(|problem| format!("spec.{}: '{}' ({})", problem.place, problem.value, problem.reason))
        .collect()
}
