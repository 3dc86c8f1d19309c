//! The kinds of `ciem.dev/v1alpha1`: thin wrappers with kube derives around the types of `model` (design §4).
//!
//! Types of k8s-openapi stay in here. `crds/` is generated from these types by `ciem crds`; a test holds both together.

mod account;
mod columns;
pub mod conditions;
mod policy;
mod report;
mod schema;

pub use account::{AccountCoverage, AccountSpec, CallerIdentity, CloudAccount, CloudAccountStatus, Collection, Digests};
pub use policy::{AuditPolicy, AuditPolicyStatus, ExemptionSummary, PendingRun, PolicySpec};
pub use report::{AuditReport, AuditReportChunk, AuditReportChunkSpec, AuditReportSpec, AuditReportStatus, ObjectRef};
pub use schema::{CrdError, crd_yaml, crds, crds_yaml};

/// API group of all kinds.
pub const GROUP: &str = "ciem.dev";
/// API version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// Annotation: a new value makes the operator collect (CloudAccount), or collect and audit (AuditPolicy), at once.
pub const RUN_NOW_ANNOTATION: &str = "ciem.dev/run-now";
/// Label that a Secret must carry with the value `true` before a CloudAccount may use it.
pub const CREDENTIAL_LABEL: &str = "ciem.dev/credential";
/// Label of reports and chunks: name of the AuditPolicy.
pub const POLICY_LABEL: &str = "ciem.dev/policy";
/// Label of reports and chunks: name of the CloudAccount.
pub const ACCOUNT_LABEL: &str = "ciem.dev/account";
/// Label of CloudAccounts that the operator created: name of the CloudAccount whose organization they belong to.
pub const PARENT_LABEL: &str = "ciem.dev/parent";

#[cfg(test)]
mod tests;
