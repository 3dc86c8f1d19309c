//! What is reported, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{FindingState, Severity, is_default};

/// What is reported, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSettings {
    /// The least severity that is stored in report chunks. Less severe findings are counted only. Absent: `Info`, everything.
    // `with`: an optional enum would lose this text in the definition, which kube replaces by the enum's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Severity")]
    pub min_severity: Option<Severity>,
    /// The states of findings that are stored in report chunks: `Open`, `Exempted`, `Unverified`. Others are counted only. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub include: Vec<FindingState>,
    /// How many past runs the report remembers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub history: HistorySettings,
    /// Formats in which complete findings are also written to the store, by the names of `ciem audit -o`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub formats: Vec<ReportFormat>,
    /// Findings as objects of the OpenReports API too, which Policy Reporter shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_reports: Option<OpenReports>,
}

impl ReportSettings {
    /// The least severity that is stored.
    pub fn min_severity(&self) -> Severity {
        self.min_severity.unwrap_or(Severity::Info)
    }

    /// Whether findings of a state are stored.
    pub fn includes(&self, state: FindingState) -> bool {
        self.include.is_empty() || self.include.contains(&state)
    }
}

/// How many past runs the report remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistorySettings {
    /// Number of run records in `status.history` of a report, 1 to 50. The store keeps all.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 50))]
    pub limit: u32,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { limit: default_limit() }
    }
}

/// Default of `history.limit` (operator-conventions §2.4, 8).
const fn default_limit() -> u32 {
    10
}

/// A file format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    /// One JSON document.
    Json,
    /// JSON Lines, one finding each.
    Jsonl,
    /// Comma-separated values, for auditors.
    Csv,
    /// One HTML page.
    Html,
    /// SARIF 2.1.0.
    Sarif,
    /// OCSF events, for SIEM and data lakes.
    Ocsf,
}

/// Findings as objects of `openreports.io`. They double what reports take in etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenReports {
    /// Whether they are written.
    pub enabled: bool,
    /// The least severity that is written. Absent: `High`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Severity")]
    pub min_severity: Option<Severity>,
    /// The most results in one Report, 1 to 1000. Absent: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_results: Option<u32>,
}
