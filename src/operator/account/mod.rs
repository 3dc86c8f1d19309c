//! The controller of CloudAccounts: read, plan (pure), apply. A reconcile never waits for a cloud: collections are jobs.

#[cfg(feature = "aws")]
mod aws;
#[cfg(not(feature = "aws"))]
#[path = "without_aws.rs"]
mod aws;
mod collect;
mod outcome;
mod plan;
mod references;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};

pub use outcome::{Ended, Failure};

use super::cluster::{ClusterError, apply_status, bounded, to_value};
use super::jobs::JobState;
use super::{Context, ObjectKey, clock};
use crate::api::CloudAccount;
use crate::api::conditions::{self, reason};
use crate::model::AwsAuthType;
use crate::store::AccountKey;

/// One pass over one CloudAccount.
pub async fn reconcile(namespace: &str, name: &str, context: &Arc<Context>) -> Result<Action, ClusterError> {
    // Read: the object as the API server has it, never the cache, so that a pass cannot undo what the pass before has written.
    let api: Api<CloudAccount> = Api::namespaced(context.client.clone(), namespace);
    let Some(account) = bounded(format!("read CloudAccount '{name}'"), api.get_opt(name)).await? else {
        return Ok(Action::await_change());
    };
    let key = ObjectKey::of(&account);
    let job = context.collections.state(&key);
    let ended = matches!(job, JobState::Ended(_));
    let facts = facts(context, namespace, name, &account, job).await?;

    let plan = plan::plan(facts);

    let about = reference(&account);
    if account.status.as_ref().map(to_value) != Some(to_value(&plan.status)) {
        apply_status(&api, &account, &plan.status).await?;
    }
    if ended {
        context.collections.settle(&key);
    }
    for note in &plan.notes {
        context.notes.publish(&about, note).await;
    }
    if plan.start {
        let (job_context, job_account) = (context.clone(), account.clone());
        context.collections.start(key, collect::collect(job_context, job_account));
    }
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}

async fn facts<'a>(
    context: &Arc<Context>,
    namespace: &str,
    name: &str,
    account: &'a CloudAccount,
    job: JobState<Ended>,
) -> Result<plan::Facts<'a>, ClusterError> {
    let stalled = account
        .status
        .as_ref()
        .is_some_and(|status| conditions::is_true(&status.conditions, conditions::STALLED));
    let source_changed = match collect::reference(&account.spec).filter(|_| stalled) {
        Some(reference) => context.memory.source_changed(
            &account.uid().unwrap_or_default(),
            &references::version(&context.client, namespace, &reference).await?,
        ),
        None => false,
    };
    let (store, key) = (context.store.clone(), AccountKey::new(namespace, name));
    let stored = tokio::task::spawn_blocking(move || key.and_then(|key| store.newest(&key)).is_ok_and(|newest| newest.is_some()))
        .await
        .unwrap_or(false);
    Ok(plan::Facts {
        account,
        now: clock::now(),
        minimum_interval: context.settings.minimum_interval,
        store_ephemeral: context.settings.store_ephemeral,
        refused: ambient_refused(context, namespace, account),
        job,
        stored,
        wanted: context.memory.wanted(namespace, name),
        source_changed,
    })
}

/// An account is gone: so is its last snapshot. Its reports are pruned by the policies that selected it.
pub fn forget(context: &Context, namespace: &str, name: &str) {
    for pair in context.memory.forget_account(namespace, name) {
        context.metrics.forget(&pair);
    }
    if let Err(error) = AccountKey::new(namespace, name).and_then(|key| context.store.remove_account(&key)) {
        tracing::warn!(
            namespace,
            name,
            error = super::chain(&error),
            "the snapshots of a deleted account could not be removed"
        );
    }
}

/// Ambient credentials are the operator's own: only namespaces that a flag lists may use them.
fn ambient_refused(context: &Context, namespace: &str, account: &CloudAccount) -> Option<Failure> {
    let ambient = account.spec.aws.as_ref().is_some_and(|aws| aws.auth.kind == AwsAuthType::Ambient);
    (ambient && !context.settings.ambient_namespaces.contains(namespace)).then(|| {
        let message = format!(
            "namespace '{namespace}' may not use the operator's own identity: use another auth type, or add it to --ambient-namespace"
        );
        Failure::credentials(reason::AMBIENT_NOT_ALLOWED, message)
    })
}

/// How Events name the object.
fn reference(account: &CloudAccount) -> ObjectReference {
    account.object_ref(&())
}
