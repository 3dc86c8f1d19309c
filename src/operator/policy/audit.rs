//! The audit job of one (policy, account): a run request, the run itself (pure but for the store), the report to the cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::outcome::{Audited, Ended};
use super::plan::Evaluated;
use super::reports::{Marks, Reports, report_name};
use crate::api::conditions::reason;
use crate::api::{AuditPolicy, AuditReport, CloudAccount};
use crate::model::Finding;
use crate::operator::account::Failure;
use crate::operator::cluster::ClusterError;
use crate::operator::{Context, chain, clock};
use crate::run::{self, Account, AccountRef, PolicyRef, RunError, RunRequest, RunResult};
use crate::store::AccountKey;

/// Audits one account by one policy. Never fails: how it ended is the outcome.
pub async fn audit(context: Arc<Context>, policy: AuditPolicy, account: CloudAccount, next_run: Option<Timestamp>) -> Ended {
    let run = clock::now_in_seconds();
    let started = std::time::Instant::now();
    let collected_at = account
        .status
        .as_ref()
        .and_then(|status| status.last_collection.as_ref())
        .map(|collection| collection.time);
    let generation = policy.metadata.generation;
    let marks = Marks {
        policy_generation: generation,
        collected_at,
    };
    let result = Job {
        context: &context,
        policy: &policy,
        account: &account,
        run,
        next_run,
        marks,
    }
    .run()
    .await;
    let took = Duration::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    let (namespace, policy_name, account_name) = (policy.namespace().unwrap_or_default(), policy.name_any(), account.name_any());
    match &result {
        Ok(audited) => {
            context.metrics.audit_took(audited.provider, took);
            tracing::info!(
                namespace,
                policy = policy_name,
                account = account_name,
                chunks = audited.chunks_written,
                ?took,
                "audited"
            );
        }
        Err(failure) => {
            context.metrics.report_failed();
            tracing::warn!(
                namespace,
                policy = policy_name,
                account = account_name,
                reason = failure.reason,
                message = failure.message,
                "audit failed"
            );
        }
    }
    Ended {
        evaluated: Evaluated {
            run,
            collected_at,
            generation,
        },
        result,
    }
}

struct Job<'a> {
    context: &'a Arc<Context>,
    policy: &'a AuditPolicy,
    account: &'a CloudAccount,
    run: Timestamp,
    next_run: Option<Timestamp>,
    marks: Marks,
}

impl Job<'_> {
    async fn run(&self) -> Result<Audited, Failure> {
        let namespace = self.policy.namespace().unwrap_or_default();
        let reports = Reports::new(&self.context.client, &namespace);
        let report = reports.ensure(self.policy, self.account).await.map_err(|error| cluster(&error))?;
        let request = self.request(&namespace, &report).await?;

        let result = match self.carry_out(request.clone(), None).await {
            // The store has lost the run before: what the report's chunks still hold carries on, and the report says so.
            Err(RunError::HistoryLost(why)) => {
                let document = request.previous.as_deref();
                let recovered = match document {
                    Some(document) => reports.findings(&report, document).await.map_err(|error| cluster(&error))?,
                    None => Ok(Vec::new()),
                };
                let recovered = recovered.unwrap_or_else(|error| {
                    tracing::warn!(
                        report = request.report,
                        error = chain(&error),
                        "the findings of the last run cannot be read from the chunks"
                    );
                    Vec::new()
                });
                tracing::warn!(
                    report = request.report,
                    why,
                    findings = recovered.len(),
                    "history is lost, the chunks carry on"
                );
                self.carry_out(request, Some(recovered)).await
            }
            other => other,
        };
        let result = result.map_err(|error| failure(&error))?;
        for warning in &result.warnings {
            tracing::warn!(
                policy = self.policy.name_any(),
                account = self.account.name_any(),
                warning,
                "the store is damaged"
            );
        }
        let written = reports
            .write(&report, &result.plan, &self.marks, self.run)
            .await
            .map_err(|error| cluster(&error))?;
        self.context.metrics.report_written(written.status, &result.plan.document.delta);
        Ok(Audited {
            chunks_written: written.created,
            provider: result.plan.document.provider.as_str(),
        })
    }

    async fn carry_out(&self, request: RunRequest, recovered: Option<Vec<Finding>>) -> Result<RunResult, RunError> {
        let (store, catalogue) = (self.context.store.clone(), self.context.catalogue.clone());
        // A panic in it is a failure of this job alone.
        let done = tokio::task::spawn_blocking(move || run::run(&store, &catalogue, &request, recovered)).await;
        done.unwrap_or_else(|error| Err(RunError::Aborted(error.to_string())))
    }

    async fn request(&self, namespace: &str, report: &AuditReport) -> Result<RunRequest, Failure> {
        let (policy, account) = (self.policy.name_any(), self.account.name_any());
        let key = AccountKey::new(namespace, &account).map_err(|error| Failure::people(reason::INVALID_SPEC, error.to_string()))?;
        let store = self.context.store.clone();
        let newest = tokio::task::spawn_blocking(move || store.newest(&key)).await;
        let newest = newest.map_err(|error| Failure::transient(reason::AUDIT_FAILED, error.to_string()))?;
        let newest = newest.map_err(|error| Failure::transient(reason::NO_SNAPSHOT, chain(&error)))?;
        Ok(RunRequest {
            schema: run::SCHEMA.to_owned(),
            engine: run::ENGINE.to_owned(),
            account: AccountRef {
                namespace: namespace.to_owned(),
                name: account.clone(),
                uid: self.account.uid().unwrap_or_default(),
                accounts: self.accounts(),
                spec: Some((*self.account.spec).clone()),
            },
            policy: PolicyRef {
                name: policy.clone(),
                uid: self.policy.uid().unwrap_or_default(),
                spec: (*self.policy.spec).clone(),
            },
            report: report_name(&policy, &account),
            previous: report.status.as_ref().and_then(|status| status.document.clone()).map(Box::new),
            snapshots: newest.into_iter().collect(),
            now: self.run,
            next_run: self.next_run,
            compress_above: None,
        })
    }

    /// The accounts that the last collection read.
    fn accounts(&self) -> Vec<Account> {
        let status = self.account.status.as_ref();
        let provider = status.and_then(|status| status.provider);
        let scopes = status.and_then(|status| status.account.as_deref()).unwrap_or_default();
        let account = |scope: &str| {
            Some(Account {
                provider: provider?,
                scope: scope.to_owned(),
            })
        };
        scopes.split(',').filter_map(account).collect()
    }
}

fn cluster(error: &ClusterError) -> Failure {
    Failure::transient(reason::CLUSTER_UNAVAILABLE, chain(error))
}

fn failure(error: &RunError) -> Failure {
    let reason = match error {
        RunError::NoSnapshot { .. } => reason::NO_SNAPSHOT,
        RunError::Store(_) => reason::WRITE_FAILED,
        RunError::Version { .. } | RunError::HistoryLost(_) | RunError::Report(_) | RunError::Aborted(_) => reason::AUDIT_FAILED,
    };
    Failure::transient(reason, chain(error))
}
