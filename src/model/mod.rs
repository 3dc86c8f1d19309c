//! The vocabulary: what to check, findings, report documents, coverage, ids. Serde and schemars only; nothing here computes.

mod account;
mod cel;
mod coverage;
mod decision;
mod duration;
mod finding;
mod form;
mod ids;
mod policy;
mod report;
mod selector;

pub use account::*;

pub use coverage::{CoverageEntry, NotEvaluated};
pub use decision::{Atom, ReasonCode, Residual, Verdict};
pub use duration::{Duration, DurationError};
pub use finding::{Evidence, EvidenceClass, Finding, FindingGroup, FindingState, Remediation, Score, StatementRef};
pub use ids::{FindingId, IdentityKind, IdentityRef, Provider, ResourceRef, Severity};
pub use policy::{
    AccessPattern, AuditPolicySpec, CronExpression, Exemption, Guardrail, GuardrailEffect, HistorySettings, OpenReports, ReportFormat,
    ReportSettings, RuleParameter, RuleSelection, Schedule, Scoring, SensitiveData, SeverityOverride, TimeZoneName, Trusted,
};
pub use report::{
    ChunkDocument, ChunkEncoding, ChunkRef, Counts, CoverageSummary, Delta, IdentityFindings, Manifest, ReportDocument, RuleCount,
    RunRecord, SeverityCounts, SnapshotRef, Truncation, WorstFinding,
};
pub use selector::{
    AccountSelector, FederatedSelector, IdentitySelector, LabelOperator, LabelRequirement, LabelSelector, ResourceSelector,
};

/// For `skip_serializing_if`: what equals its default is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
