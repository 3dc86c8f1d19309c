//! An AuditReport without its bulk: what planning and metrics need, so that thousands of reports fit into the watch cache.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use crate::api::{AuditReport, AuditReportSpec};
use crate::model::{Counts, Provider, SeverityCounts};

/// The part of an AuditReport that the operator keeps in memory.
#[derive(Debug, Clone, Resource, Deserialize)]
#[resource(inherit = "AuditReport")]
pub struct ReportHead {
    /// Name, UID, owner.
    pub metadata: ObjectMeta,
    /// Policy and account.
    pub spec: AuditReportSpec,
    /// What the last run left.
    #[serde(default)]
    pub status: Option<HeadStatus>,
}

/// The members of the status that are kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadStatus {
    /// Provider of the audited account.
    pub provider: Option<Provider>,
    /// Start of the last run.
    pub last_run_time: Option<Timestamp>,
    /// Start of the last run that read everything.
    pub last_successful_run_time: Option<Timestamp>,
    /// When the next run is due.
    pub next_run_time: Option<Timestamp>,
    /// Generation of the policy that was evaluated.
    pub policy_generation: Option<i64>,
    /// When the snapshot that was evaluated was collected.
    pub collected_at: Option<Timestamp>,
    /// Findings by severity and state.
    pub counts: Counts,
    /// What was left out.
    pub truncation: Option<HeadTruncation>,
    /// The chunks.
    pub manifest: HeadManifest,
}

/// How much was left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadTruncation {
    /// Findings that are in no chunk.
    pub findings_dropped: SeverityCounts,
}

/// The size of the findings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadManifest {
    /// The chunks.
    pub chunks: Vec<HeadChunk>,
}

/// The size of one chunk.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadChunk {
    /// Bytes of its data.
    pub bytes: u32,
}
