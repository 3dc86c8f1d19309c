//! Report documents: the bounded summary that becomes `AuditReport.status`, and the chunks that hold the findings
//! (design §3.5). Lists in the summary are atomic for server-side apply: they change as a whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CoverageEntry, Finding, FindingId, FindingState, IdentityRef, NotEvaluated, Provider, ResourceRef, Severity};

/// The summary of one (AuditPolicy, CloudAccount): everything in `AuditReport.status` but the conditions. Under 48 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDocument {
    /// Provider of the audited account.
    pub provider: Provider,
    /// The account, subscription, project or cluster.
    pub scope: String,
    /// Version of ciem that evaluated.
    pub engine: String,
    /// Version of the rule catalogue.
    pub rule_catalogue: String,
    /// Start of the last run that wrote this report; an unchanged run renews it, so that old findings never look current.
    pub last_run_time: Timestamp,
    /// Start of the last run that read everything it needed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_successful_run_time: Option<Timestamp>,
    /// When the next run is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_run_time: Option<Timestamp>,
    /// How many findings.
    pub counts: Counts,
    /// Identities of the account by kind.
    pub identities: BTreeMap<String, u32>,
    /// The 20 worst open findings, worst first.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub worst: Vec<WorstFinding>,
    /// What changed against the run before.
    pub delta: Delta,
    /// What was not read, and which rules therefore did not run.
    pub coverage: CoverageSummary,
    /// What had to be left out to stay within the size bounds; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truncation: Option<Truncation>,
    /// The last runs, newest first.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<RunRecord>,
    /// True where earlier findings were lost, so that `firstSeen` starts again.
    pub history_lost: bool,
    /// The chunks that hold the findings.
    pub manifest: Manifest,
}

/// How many findings, cut three ways. Passes are not findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Open findings.
    pub open: SeverityCounts,
    /// Findings that an exemption in force excuses.
    pub exempted: SeverityCounts,
    /// Findings whose source could not be read in the last run.
    pub unverified: SeverityCounts,
    /// Open findings by rule category (`inventory`, `map`, `excess`, `change`).
    pub by_category: BTreeMap<String, u32>,
    /// Open findings by rule; the 50 rules with most findings.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub by_rule: Vec<RuleCount>,
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeverityCounts {
    /// Findings of severity Critical.
    pub critical: u32,
    /// Findings of severity High.
    pub high: u32,
    /// Findings of severity Medium.
    pub medium: u32,
    /// Findings of severity Low.
    pub low: u32,
    /// Findings of severity Info.
    pub info: u32,
}

impl SeverityCounts {
    /// Adds one.
    pub fn add(&mut self, severity: Severity) {
        let count = match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        };
        *count = count.saturating_add(1);
    }

    /// Adds all of another count.
    pub fn add_all(&mut self, other: Self) {
        self.critical = self.critical.saturating_add(other.critical);
        self.high = self.high.saturating_add(other.high);
        self.medium = self.medium.saturating_add(other.medium);
        self.low = self.low.saturating_add(other.low);
        self.info = self.info.saturating_add(other.info);
    }

    /// The count of one severity.
    pub const fn get(&self, severity: Severity) -> u32 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
        }
    }

    /// All together.
    pub const fn total(&self) -> u32 {
        self.critical
            .saturating_add(self.high)
            .saturating_add(self.medium)
            .saturating_add(self.low)
            .saturating_add(self.info)
    }
}

/// Open findings of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleCount {
    /// Rule id, e.g. `AWS-EXC-01`.
    pub rule: String,
    /// Open findings of the rule.
    pub open: u32,
}

/// One of the worst findings, short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorstFinding {
    /// Id of the finding.
    pub id: FindingId,
    /// Rule id, e.g. `AWS-EXC-01`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The rule's title.
    pub title: String,
    /// Native id of the identity or resource, cut to 256 characters.
    pub subject: String,
    /// When a run first saw it.
    pub first_seen: Timestamp,
}

/// What changed against the run before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// Findings that were not there before.
    pub new: u32,
    /// Findings that are gone.
    pub resolved: u32,
    /// Findings that were there before and still hold; those that could not be verified are not among them.
    pub unchanged: u32,
    /// Findings that are left out because the policy no longer selects their rule: nobody fixed them.
    pub withdrawn: u32,
    /// The first 100 new ids, sorted.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub new_ids: Vec<FindingId>,
    /// The first 100 resolved ids, sorted.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub resolved_ids: Vec<FindingId>,
}

/// What was not read and which rules therefore did not run. Bounded; the totals count all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverageSummary {
    /// True where everything that the rules need was read and understood.
    pub complete: bool,
    /// The first 30 entries.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub entries: Vec<CoverageEntry>,
    /// How many there are in all.
    pub total: u32,
    /// Rules that did not run, the first 50.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub not_evaluated: Vec<NotEvaluated>,
    /// How many rules did not run in all.
    pub not_evaluated_total: u32,
    /// Read permissions that the collector lacks, the first 20.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub missing_permissions: Vec<String>,
    /// How many permissions it lacks in all.
    pub missing_permissions_total: u32,
}

/// What was left out to stay within the size bounds (operator-conventions §2.4, 6). The store has everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Truncation {
    /// The last step that was needed anywhere: `EvidenceDropped`, `LowSeverityDropped`, `CappedPerRule`, `SummaryOnly`;
    /// `StatusShortened` where all findings are in the chunks.
    pub reason: String,
    /// Findings that are in a chunk without their statements and remediation artefacts.
    pub evidence_dropped: u32,
    /// Findings that are in the counts but in no chunk.
    pub findings_dropped: SeverityCounts,
    /// Step → findings it touched; `EvidenceDropped` holds those of `evidenceDropped`, the others add up to `findingsDropped`.
    pub steps: BTreeMap<String, u32>,
    /// The lists of this status that were shortened or emptied, in the order in which that happened, e.g. `history.snapshots`.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub status_shortened: Vec<String>,
}

/// One past run, small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Start of the run.
    pub time: Timestamp,
    /// Open findings.
    pub open: SeverityCounts,
    /// Findings that were not there before.
    pub new: u32,
    /// Findings that are gone.
    pub resolved: u32,
    /// Generation of the chunks it left.
    pub generation: String,
    /// SHA-256 of the run's complete findings as JSON Lines, whatever of them is in the chunks: what the store's file hashes to.
    pub findings_digest: String,
    /// Version of ciem that evaluated.
    pub engine: String,
    /// Version of the rule catalogue.
    pub rule_catalogue: String,
    /// Names of the exemptions in force.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub exemptions: Vec<String>,
    /// The snapshots it evaluated: the account's own first, then others. A report lists up to 20 in its newest record and the account's
    /// own in the others; the store's run record lists all.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub snapshots: Vec<SnapshotRef>,
    /// How many snapshots it evaluated in all.
    pub snapshots_total: u32,
}

/// Names a snapshot by its digests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRef {
    /// Provider of the snapshot.
    pub provider: Provider,
    /// Account, subscription, project or cluster.
    pub scope: String,
    /// Digest over who may do what.
    pub entitlements_digest: String,
    /// Digest over usage data.
    pub usage_digest: String,
}

/// The chunks of one complete generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Digest over the names of the chunks, which hold the digests of their contents: equal generations have equal chunks.
    pub generation: String,
    /// Number of buckets, a power of two; grows by splitting when a chunk would be too large.
    pub buckets: u32,
    /// How chunks are written unless one needs gzip to stay within its bound; each chunk says its own.
    pub encoding: ChunkEncoding,
    /// Findings that are in the counts but in no chunk because the policy's report settings leave them out.
    pub filtered: u32,
    /// The chunks, sorted by name.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub chunks: Vec<ChunkRef>,
}

/// One chunk object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkRef {
    /// Name of the AuditReportChunk.
    pub name: String,
    /// Which bucket of the manifest it holds.
    pub bucket: u32,
    /// How many findings it holds.
    pub findings: u32,
    /// Bytes of `data`.
    pub bytes: u32,
}

/// How `AuditReportChunk.spec.data` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChunkEncoding {
    /// JSON text.
    #[default]
    #[serde(rename = "json")]
    Json,
    /// gzip of the JSON text, in base64.
    #[serde(rename = "gzip")]
    Gzip,
}

/// What `data` of a chunk says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkDocument {
    /// `ciem.dev/findings/v1`.
    pub schema: String,
    /// Sorted by identity.
    pub identities: Vec<IdentityFindings>,
}

/// The findings of one identity. Both members absent: findings of the account itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityFindings {
    /// Whose findings.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<IdentityRef>,
    /// Which resource's findings, where they have no identity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<ResourceRef>,
    /// Sorted by id.
    pub findings: Vec<Finding>,
}

impl Counts {
    /// Counts of one state.
    pub fn of(&mut self, state: FindingState) -> &mut SeverityCounts {
        match state {
            FindingState::Open => &mut self.open,
            FindingState::Exempted => &mut self.exempted,
            FindingState::Unverified => &mut self.unverified,
        }
    }
}
