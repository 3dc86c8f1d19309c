//! The vocabulary: what to check, findings, report documents, coverage, ids. Serde and schemars only; nothing here computes.

mod coverage;
mod decision;
mod finding;
mod ids;
mod report;

pub use coverage::{CoverageEntry, NotEvaluated};
pub use decision::{Atom, ReasonCode, Residual, Verdict};
pub use finding::{Evidence, EvidenceClass, Finding, FindingGroup, FindingState, Remediation, Score, StatementRef};
pub use ids::{FindingId, IdentityKind, IdentityRef, Provider, ResourceRef, Severity};
pub use report::{
    ChunkDocument, ChunkEncoding, ChunkRef, Counts, CoverageSummary, Delta, IdentityFindings, Manifest, ReportDocument, RuleCount,
    RunRecord, SeverityCounts, SnapshotRef, Truncation, WorstFinding,
};
