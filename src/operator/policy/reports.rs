//! Writing one report to the cluster so that a reader always sees one whole generation: new chunks first, then the manifest in the status,
//! then the chunks that it no longer names go. A crash anywhere leaves at worst chunks that nobody names; the next run removes them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, ResourceExt as _};

use crate::api::conditions::{self, NewCondition, Status, reason};
use crate::api::{
    ACCOUNT_LABEL, AuditPolicy, AuditReport, AuditReportChunk, AuditReportChunkSpec, AuditReportSpec, AuditReportStatus, CloudAccount,
    ObjectRef, POLICY_LABEL,
};
use crate::model::{Finding, ReportDocument};
use crate::operator::cluster::{ClusterError, FIELD_MANAGER, apply_status, bounded, delete, owned_by, to_value};
use crate::report::{Chunk, JoinError, ReportPlan, StoredChunk, join};
use crate::snapshot::sha256;

/// Label that finds the chunks of a report: its UID, so that a report of the same name that was there before is another.
pub const REPORT_LABEL: &str = "ciem.dev/report-uid";
/// Longest value of a label.
const LABEL_LENGTH: usize = 63;
/// Chunks are read and deleted in pages of this many.
const PAGE: u32 = 50;
/// A new chunk may meet one of the same name that the garbage collector has not removed yet: tried this often.
const CREATE_ATTEMPTS: usize = 5;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Chunks created.
    pub created: usize,
    /// Chunks removed.
    pub removed: usize,
    /// Whether the status was written.
    pub status: bool,
}

/// The name of the report of a policy and an account: both names, cut where they are long, and a hash that keeps them apart.
pub fn report_name(policy: &str, account: &str) -> String {
    let hash: String = sha256(format!("{policy}/{account}").as_bytes()).chars().take(8).collect();
    let cut = |name: &str| name.chars().take(90).collect::<String>().trim_end_matches(['-', '.']).to_owned();
    format!("{}-{}-{hash}", cut(policy), cut(account))
}

/// Reads and writes the reports of one namespace.
pub struct Reports {
    reports: Api<AuditReport>,
    chunks: Api<AuditReportChunk>,
}

impl Reports {
    /// Of one namespace.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self {
            reports: Api::namespaced(client.clone(), namespace),
            chunks: Api::namespaced(client.clone(), namespace),
        }
    }

    /// The report of a policy and an account, created where it is not there. One that belongs to an object of the same name that was there
    /// before (another UID) is removed first.
    pub async fn ensure(&self, policy: &AuditPolicy, account: &CloudAccount) -> Result<AuditReport, ClusterError> {
        let name = report_name(&policy.name_any(), &account.name_any());
        let spec = AuditReportSpec {
            policy_ref: ObjectRef {
                name: policy.name_any(),
                uid: policy.uid().unwrap_or_default(),
            },
            account_ref: ObjectRef {
                name: account.name_any(),
                uid: account.uid().unwrap_or_default(),
            },
        };
        if let Some(found) = bounded(format!("read AuditReport '{name}'"), self.reports.get_opt(&name)).await? {
            if found.spec == spec {
                return Ok(found);
            }
            delete(&self.reports, &name, found.uid()).await?;
        }
        let mut report = AuditReport::new(&name, spec);
        report.metadata = ObjectMeta {
            name: Some(name.clone()),
            owner_references: owned_by(policy).map(|owner| vec![owner]),
            labels: Some(labels([(POLICY_LABEL, policy.name_any()), (ACCOUNT_LABEL, account.name_any())])),
            ..ObjectMeta::default()
        };
        bounded(format!("create AuditReport '{name}'"), self.reports.create(&parameters(), &report)).await
    }

    /// The findings in the chunks that the report's manifest names, as far as they are whole.
    pub async fn findings(&self, report: &AuditReport, document: &ReportDocument) -> Result<Result<Vec<Finding>, JoinError>, ClusterError> {
        let mut chunks = Vec::new();
        for reference in &document.manifest.chunks {
            let what = format!("read AuditReportChunk '{}'", reference.name);
            if let Some(chunk) = bounded(what, self.chunks.get_opt(&reference.name)).await? {
                chunks.push(chunk);
            }
        }
        let names: Vec<String> = chunks.iter().map(kube::ResourceExt::name_any).collect();
        let stored = chunks.iter().zip(&names).map(|(chunk, name)| StoredChunk {
            name,
            bucket: chunk.spec.bucket,
            encoding: chunk.spec.encoding,
            data: &chunk.spec.data,
        });
        Ok(join(&report.name_any(), &document.manifest, stored))
    }

    /// Carries out a plan.
    pub async fn write(&self, report: &AuditReport, plan: &ReportPlan, evaluated: &Marks, now: Timestamp) -> Result<Written, ClusterError> {
        let there = self.chunk_names(report).await?;
        let mut written = Written::default();
        for chunk in plan.chunks.iter().filter(|chunk| !there.contains_key(&chunk.reference.name)) {
            self.create_chunk(report, chunk).await?;
            written.created += 1;
        }
        let status = status(report, plan, evaluated, now);
        if report.status.as_ref().map(to_value) != Some(to_value(&status)) {
            apply_status(&self.reports, report, &status).await?;
            written.status = true;
        }
        let named: BTreeSet<&str> = plan.document.manifest.chunks.iter().map(|chunk| chunk.name.as_str()).collect();
        for (name, uid) in there.into_iter().filter(|(name, _)| !named.contains(name.as_str())) {
            delete(&self.chunks, &name, uid).await?;
            written.removed += 1;
        }
        Ok(written)
    }

    /// Deletes a report; its chunks go with it.
    pub async fn remove(&self, name: &str, uid: Option<String>) -> Result<(), ClusterError> {
        delete(&self.reports, name, uid).await
    }

    /// Names and UIDs of the chunks of a report, by metadata alone.
    async fn chunk_names(&self, report: &AuditReport) -> Result<BTreeMap<String, Option<String>>, ClusterError> {
        let mut names = BTreeMap::new();
        let mut parameters = ListParams::default()
            .labels(&format!("{REPORT_LABEL}={}", report.uid().unwrap_or_default()))
            .limit(PAGE);
        loop {
            let page = bounded("list the AuditReportChunks of a report", self.chunks.list_metadata(&parameters)).await?;
            names.extend(
                page.items
                    .into_iter()
                    .filter_map(|chunk| Some((chunk.metadata.name?, chunk.metadata.uid))),
            );
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(names),
            }
        }
    }

    async fn create_chunk(&self, report: &AuditReport, chunk: &Chunk) -> Result<(), ClusterError> {
        let name = &chunk.reference.name;
        let spec = AuditReportChunkSpec {
            report_ref: ObjectRef {
                name: report.name_any(),
                uid: report.uid().unwrap_or_default(),
            },
            bucket: chunk.reference.bucket,
            encoding: chunk.encoding,
            data: chunk.data.clone(),
        };
        let mut object = AuditReportChunk::new(name, spec);
        object.metadata = ObjectMeta {
            name: Some(name.clone()),
            owner_references: owned_by(report).map(|owner| vec![owner]),
            labels: Some(labels([
                (REPORT_LABEL, report.uid().unwrap_or_default()),
                (POLICY_LABEL, report.spec.policy_ref.name.clone()),
                (ACCOUNT_LABEL, report.spec.account_ref.name.clone()),
            ])),
            ..ObjectMeta::default()
        };
        let mut attempt = 1;
        loop {
            match bounded(
                format!("create AuditReportChunk '{name}'"),
                self.chunks.create(&parameters(), &object),
            )
            .await
            {
                // The name holds the hash of the content: one of this report is the same. One of an earlier report of the same name is
                // about to be collected, and must go first.
                Err(error) if error.is_conflict() && attempt < CREATE_ATTEMPTS => {
                    let found = bounded(format!("read AuditReportChunk '{name}'"), self.chunks.get_metadata_opt(name)).await?;
                    let Some(found) = found else { continue };
                    if found.labels().get(REPORT_LABEL) == report.uid().as_ref() && found.metadata.deletion_timestamp.is_none() {
                        return Ok(());
                    }
                    delete(&self.chunks, name, found.metadata.uid).await?;
                    attempt += 1;
                }
                other => return other.map(|_| ()),
            }
        }
    }
}

/// What the run evaluated, noted in the status so that a restart neither loses nor repeats a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Generation of the policy.
    pub policy_generation: Option<i64>,
    /// When the snapshot was collected.
    pub collected_at: Option<Timestamp>,
}

/// The status of a report whose run ended well.
fn status(report: &AuditReport, plan: &ReportPlan, evaluated: &Marks, now: Timestamp) -> AuditReportStatus {
    let mut conditions = report.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let mut set = |kind, status, reason, message: String| {
        let new = NewCondition {
            kind,
            status,
            reason,
            message,
            observed_generation: report.metadata.generation,
        };
        conditions::upsert(&mut conditions, new, now);
    };
    let ready = if plan.document.coverage.complete {
        "the last audit read everything that its rules need".to_owned()
    } else {
        "the last audit could not read or understand everything: status.coverage says what is missing".to_owned()
    };
    set(conditions::READY, Status::True, reason::SUCCEEDED, ready);
    set(
        conditions::STALE,
        Status::False,
        reason::CURRENT,
        "the last audit is as recent as it should be".to_owned(),
    );
    match &plan.document.truncation {
        None => set(
            conditions::TRUNCATED,
            Status::False,
            reason::COMPLETE,
            "every finding is in the chunks".to_owned(),
        ),
        Some(truncation) => {
            let dropped = truncation.findings_dropped.total();
            let message = format!(
                "{}: {dropped} findings are counted but in no chunk, {} lack their statements; the store has all",
                truncation.reason, truncation.evidence_dropped
            );
            set(conditions::TRUNCATED, Status::True, reason::SIZE_LIMIT, message);
        }
    }
    AuditReportStatus {
        observed_generation: report.metadata.generation,
        conditions,
        policy_generation: evaluated.policy_generation,
        collected_at: evaluated.collected_at,
        document: Some(plan.document.clone()),
    }
}

/// A name that is too long for a label has none: it is in the spec, and field selectors find it there.
fn labels<const N: usize>(own: [(&str, String); N]) -> BTreeMap<String, String> {
    let managed = [
        ("app.kubernetes.io/managed-by".to_owned(), FIELD_MANAGER.to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "ciem".to_owned()),
    ];
    own.into_iter()
        .filter(|(_, value)| value.len() <= LABEL_LENGTH)
        .map(|(key, value)| (key.to_owned(), value))
        .chain(managed)
        .collect()
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_short_and_kept_apart() {
        assert_eq!(report_name("baseline", "production"), report_name("baseline", "production"));
        assert_ne!(report_name("a-b", "c"), report_name("a", "b-c"));
        let long = report_name(&"p".repeat(253), &format!("{}.x", "a".repeat(89)));
        assert!(long.len() <= 200, "{}", long.len());
        assert!(report_name("baseline", "production").starts_with("baseline-production-"));
    }
}
