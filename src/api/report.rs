//! The kinds AuditReport and AuditReportChunk. The operator alone writes them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{ChunkEncoding, ReportDocument};

/// Which policy audited which account. It cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ciem.dev",
    version = "v1alpha1",
    kind = "AuditReport",
    namespaced,
    status = "AuditReportStatus",
    derive = "PartialEq",
    shortname = "arep",
    category = "ciem",
    selectable = ".spec.policyRef.name",
    selectable = ".spec.accountRef.name",
    doc = "The result of auditing one CloudAccount by one AuditPolicy: counts, the worst findings, what changed, and what could not be read. The \
           operator alone writes it. The findings themselves are in AuditReportChunks; `ciem findings NAMESPACE/NAME` joins and prints them."
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = unchangeable(&["policyRef", "accountRef"], "a report belongs to one policy and one account")))]
pub struct AuditReportSpec {
    /// The AuditPolicy that was applied. It cannot be changed.
    pub policy_ref: ObjectRef,
    /// The CloudAccount that was audited. It cannot be changed.
    pub account_ref: ObjectRef,
}

/// An object of the same namespace, and no other that takes its name later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// The result of the last audit. Written by the operator alone; less than 48 KiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReportStatus {
    /// The `metadata.generation` that this status is about; -1 until the first audit has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Stale`, `Truncated`, and, only while they hold, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` of the AuditPolicy that was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_generation: Option<i64>,
    /// When the snapshot that was evaluated was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// The summary; none before the first audit.
    #[serde(flatten, deserialize_with = "document_or_none")]
    pub document: Option<ReportDocument>,
}

/// A flattened `Option` would turn a summary that does not fit into none, and findings would lose their history without a word.
fn document_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReportDocument>, D::Error> {
    let members = Map::deserialize(deserializer)?;
    if members.is_empty() {
        return Ok(None);
    }
    serde_json::from_value(Value::Object(members))
        .map(Some)
        .map_err(serde::de::Error::custom)
}

/// A part of the findings of a report. It cannot be changed: other findings are another chunk.
#[derive(Debug, Clone, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ciem.dev",
    version = "v1alpha1",
    kind = "AuditReportChunk",
    namespaced,
    derive = "PartialEq",
    shortname = "arepchunk",
    selectable = ".spec.reportRef.name",
    doc = "A part of the findings of an AuditReport. The operator alone writes it, once; the report's status lists the chunks that belong \
           together. `ciem findings NAMESPACE/REPORT` joins and prints them."
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [json!({"rule": "self == oldSelf", "message": "a chunk cannot be changed: other findings are another chunk"})]))]
pub struct AuditReportChunkSpec {
    /// The AuditReport that it belongs to.
    pub report_ref: ObjectRef,
    /// Which part of the identities: the bucket that the hash of the identity falls into.
    #[schemars(range(max = 65_535))]
    pub bucket: u32,
    /// How `data` is written: `json` is JSON text, `gzip` the same compressed, in base64.
    pub encoding: ChunkEncoding,
    /// The findings: `{schema, identities: [{identity, findings}]}`. `ciem schema` describes them.
    // 400 KiB (design §3.5), far below what etcd takes.
    #[schemars(length(max = 409_600))]
    pub data: String,
}

/// Rules for members that never change.
fn unchangeable(members: &[&str], why: &str) -> Vec<Value> {
    members
        .iter()
        .map(|member| {
            json!({
                "rule": format!("self.{member} == oldSelf.{member}"),
                "message": format!("{member} cannot be changed: {why}"),
                "fieldPath": format!(".{member}"),
            })
        })
        .collect()
}
