//! A run through the store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ENGINE;
use super::execute::{Account, AccountRun, Inputs, execute};
use crate::audit::{ExemptionNames, PolicyProblem};
use crate::catalogue::Catalogue;
use crate::model::{AuditPolicySpec, CloudAccountSpec, CoverageEntry, Finding, ReportDocument, SeverityCounts};
use crate::report::{COMPRESS_ABOVE, ReportError, ReportInput, ReportPlan, plan};
use crate::snapshot::Snapshot;
use crate::store::{AccountKey, CompleteRun, Found, Name, Store, StoreError, StoredRun};

/// Version of [`RunRequest`].
pub const SCHEMA: &str = "ciem.dev/run-request/v1";

/// Everything that one run of one policy over one account needs, but what is in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRequest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of ciem that asks ([`ENGINE`]); another version refuses, for its findings would be others.
    pub engine: String,
    /// The CloudAccount.
    pub account: AccountRef,
    /// The AuditPolicy.
    pub policy: PolicyRef,
    /// Name of the AuditReport.
    pub report: String,
    /// The report as it stands; absent where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Box<ReportDocument>>,
    /// References into the store: the account's snapshot, and those of the accounts that it forms an organization with.
    pub snapshots: Vec<String>,
    /// The time of the run.
    pub now: Timestamp,
    /// When the next run is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_run: Option<Timestamp>,
    /// Bytes of JSON above which chunks are compressed; absent: [`COMPRESS_ABOVE`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compress_above: Option<usize>,
}

/// The audited account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// Namespace of the CloudAccount.
    pub namespace: String,
    /// Name of the CloudAccount.
    pub name: String,
    /// UID of the CloudAccount.
    pub uid: String,
    /// What it stands for: one account, or several of a recorded organization.
    pub accounts: Vec<Account>,
    /// Its spec, for a run that collects first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spec: Option<CloudAccountSpec>,
}

/// The policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Name of the AuditPolicy.
    pub name: String,
    /// UID of the AuditPolicy.
    pub uid: String,
    /// Its spec.
    pub spec: AuditPolicySpec,
}

/// What a run leaves for the cluster and for metrics. Its findings and its record are in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// What to write as AuditReport and chunks.
    pub plan: ReportPlan,
    /// New findings by severity.
    pub new: SeverityCounts,
    /// Resolved findings by severity.
    pub resolved: SeverityCounts,
    /// The exemptions that concern the account.
    pub exemptions: ExemptionNames,
    /// What of the policy could not be used.
    pub policy_problems: Vec<PolicyProblem>,
    /// The complete findings in the store.
    pub findings: String,
    /// Damage in the store that the run had to go around, in words.
    pub warnings: Vec<String>,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The request is of another version.
    #[error(
        "the run request is of schema '{schema}' and engine {engine}, this is '{SCHEMA}' and {ENGINE}: run it with the version that wrote it"
    )]
    Version {
        /// Its schema.
        schema: String,
        /// Its engine.
        engine: String,
    },
    /// None of the references leads to a snapshot of the account.
    #[error("the store does not hold a snapshot of {accounts}{}", because(.reasons))]
    NoSnapshot {
        /// The accounts, with their providers.
        accounts: String,
        /// What is wrong with the references.
        reasons: Vec<String>,
    },
    /// There were runs before, and the store does not have their findings. Read what the report's chunks still hold and run again with it.
    #[error("the store has lost the findings of the run before: {0}")]
    HistoryLost(String),
    /// The run was cut short by a fault of ours or by the end of the process.
    #[error("the run was cut short: {0}")]
    Aborted(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join("; "))
    }
}

/// Carries out a request: evaluates, keeps findings and record in the store, and plans the report.
///
/// `recovered` are findings joined from the report's chunks (none there: an empty list), given after [`RunError::HistoryLost`]; the
/// report then says that history was lost. A run that is repeated, because its report was not written, compares with the run that the
/// report shows and not with its own first attempt.
pub fn run(store: &Store, catalogue: &Catalogue, request: &RunRequest, recovered: Option<Vec<Finding>>) -> Result<RunResult, RunError> {
    if request.schema != SCHEMA || request.engine != ENGINE {
        return Err(RunError::Version {
            schema: request.schema.clone(),
            engine: request.engine.clone(),
        });
    }
    let key = AccountKey::new(&request.account.namespace, &request.account.name)?;
    let policy = Name::new(&request.policy.name)?;
    let (snapshots, unread) = load(store, request)?;
    let mut warnings = Vec::new();
    let history_lost = recovered.is_some();
    let previous = match recovered {
        Some(findings) => Some(findings),
        None => last_run(store, &key, &policy, request.previous.as_deref(), &mut warnings)?,
    };

    let inputs = Inputs {
        snapshots: &snapshots,
        policy: &request.policy.spec,
        catalogue,
        previous: previous.as_deref(),
        now: request.now,
    };
    let execution = execute(&inputs, &request.account.accounts);
    let Some(AccountRun {
        account,
        mut outcome,
        delta,
        new,
        resolved,
        complete,
        missing_permissions,
    }) = AccountRun::joined(execution.accounts)
    else {
        return Err(no_snapshot(&request.account.accounts, Vec::new()));
    };
    let complete = complete && unread.is_empty();
    outcome.coverage.extend(unread);
    outcome.coverage.sort_unstable();
    let plan = plan(
        request.previous.as_deref(),
        &ReportInput {
            report: &request.report,
            provider: account.provider,
            scope: &account.scope,
            engine: ENGINE,
            catalogue,
            outcome: &outcome,
            delta: &delta,
            complete,
            missing_permissions: &missing_permissions,
            snapshots: &execution.snapshots,
            now: request.now,
            next_run: request.next_run,
            history_lost,
            settings: &request.policy.spec.report,
            compress_above: request.compress_above.unwrap_or(COMPRESS_ABOVE),
        },
    )?;
    // Before the report, so that whatever a report shows is in the store.
    let run = CompleteRun {
        provider: account.provider,
        scope: account.scope.clone(),
        record: plan.record.clone(),
        findings: outcome.findings,
    };
    let findings = store.put_findings(&key, &policy, &run)?;
    store.put_run(
        &key,
        &policy,
        &StoredRun {
            complete,
            record: plan.record.clone(),
        },
    )?;
    Ok(RunResult {
        plan,
        new,
        resolved,
        exemptions: outcome.exemptions,
        policy_problems: outcome.policy_problems,
        findings,
        warnings,
    })
}

/// The snapshots of a request. One of another account that cannot be read is coverage; the account's own is needed.
fn load(store: &Store, request: &RunRequest) -> Result<(Vec<Snapshot>, Vec<CoverageEntry>), RunError> {
    let accounts = &request.account.accounts;
    let mut snapshots: Vec<Snapshot> = Vec::new();
    let mut unread = Vec::new();
    for reference in &request.snapshots {
        match store.get(reference) {
            Ok(read) => {
                for snapshot in read {
                    let same = |known: &Snapshot| (known.provider, &known.scope) == (snapshot.provider, &snapshot.scope);
                    if !snapshots.iter().any(same) {
                        snapshots.push(snapshot);
                    }
                }
            }
            Err(error) => unread.push(CoverageEntry {
                source: "store".to_owned(),
                entity: reference.clone(),
                place: String::new(),
                reason: error.to_string(),
            }),
        }
    }
    let read = |account: &Account| {
        let of = |snapshot: &Snapshot| (snapshot.provider, &snapshot.scope) == (account.provider, &account.scope);
        snapshots.iter().any(of)
    };
    if !accounts.is_empty() && accounts.iter().all(read) {
        Ok((snapshots, unread))
    } else {
        Err(no_snapshot(accounts, unread.into_iter().map(|entry| entry.reason).collect()))
    }
}

fn no_snapshot(accounts: &[Account], reasons: Vec<String>) -> RunError {
    let names: Vec<String> = accounts
        .iter()
        .map(|account| format!("{} {}", account.provider.as_str(), account.scope))
        .collect();
    RunError::NoSnapshot {
        accounts: names.join(", "),
        reasons,
    }
}

/// The findings of the run that the report shows; where the store does not have it any more, of the newest that it has.
fn last_run(
    store: &Store,
    account: &AccountKey,
    policy: &Name,
    report: Option<&ReportDocument>,
    warnings: &mut Vec<String>,
) -> Result<Option<Vec<Finding>>, RunError> {
    if let Some(shown) = report.and_then(|document| document.history.first())
        && let Some(found) = store.findings_with_digest(account, policy, &shown.findings_digest)?
    {
        return Ok(Some(found.value.findings));
    }
    match store.findings(account, policy) {
        Ok(Some(Found { value, passed_over, .. })) => {
            warnings.extend(passed_over.iter().map(ToString::to_string));
            Ok(Some(value.findings))
        }
        Ok(None) if report.is_some() => Err(RunError::HistoryLost("it has none for this policy and account".to_owned())),
        Ok(None) => Ok(None),
        Err(error @ (StoreError::Damaged { .. } | StoreError::Unusable { .. })) => Err(RunError::HistoryLost(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
