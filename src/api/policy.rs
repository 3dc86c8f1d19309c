//! The kind AuditPolicy.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AuditPolicySpec;

/// What to check in which accounts, when, what is exempt, and what is reported.
#[derive(Debug, Clone, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ciem.dev",
    version = "v1alpha1",
    kind = "AuditPolicy",
    plural = "auditpolicies",
    namespaced,
    status = "AuditPolicyStatus",
    derive = "PartialEq",
    shortname = "apol",
    category = "ciem",
    doc = "What is checked in the CloudAccounts that it selects: rules, guardrails, exemptions and what is reported. For each selected account \
           the operator writes one AuditReport."
)]
#[serde(transparent)]
pub struct PolicySpec(pub AuditPolicySpec);

impl std::ops::Deref for PolicySpec {
    type Target = AuditPolicySpec;

    fn deref(&self) -> &AuditPolicySpec {
        &self.0
    }
}

impl From<AuditPolicySpec> for PolicySpec {
    fn from(spec: AuditPolicySpec) -> Self {
        Self(spec)
    }
}

/// What the operator found. Written by the operator alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPolicyStatus {
    /// The `metadata.generation` that this status is about; -1 until the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `AccountsSelected`, and, only while they hold, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many CloudAccounts are selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_accounts: Option<u32>,
    /// When the last audit was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_time: Option<Timestamp>,
    /// When the next audit by schedule is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Timestamp>,
    /// The last time by schedule, or of a run-now, whose audits have all ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Timestamp>,
    /// A new value of the annotation `ciem.dev/run-now` that is being handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_run: Option<PendingRun>,
    /// The value of the annotation `ciem.dev/run-now` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_run_now: Option<String>,
    /// How the exemptions stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemptions: Option<ExemptionSummary>,
    /// Names that the catalogue does not have (rules, tags, frameworks, parameters, action classes, scoring tables), the first 50. They were
    /// left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub unknown_names: Vec<String>,
}

/// A run that was asked for by annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingRun {
    /// The annotation's value.
    #[schemars(length(max = 256))]
    pub value: String,
    /// When the operator saw it first: what was collected before does not count.
    pub since: Timestamp,
}

/// How the exemptions of a policy stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionSummary {
    /// How many are in force.
    pub active: u32,
    /// Names of those that run out within 14 days, the first 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub expiring: Vec<String>,
    /// Names of those that have run out, the first 50. Their findings are open again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub expired: Vec<String>,
}
