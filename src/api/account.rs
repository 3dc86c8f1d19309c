//! The kind CloudAccount.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{CloudAccountSpec, CoverageEntry, Duration, Provider};

/// What to read, with which identity, and how often.
#[derive(Debug, Clone, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ciem.dev",
    version = "v1alpha1",
    kind = "CloudAccount",
    namespaced,
    status = "CloudAccountStatus",
    derive = "PartialEq",
    shortname = "cacct",
    category = "ciem",
    selectable = ".spec.provider",
    selectable = ".spec.aws.accountId",
    selectable = ".spec.azure.tenantId",
    selectable = ".spec.azure.scope.id",
    selectable = ".spec.gcp.scope.id",
    selectable = ".spec.kubernetes.clusterName",
    doc = "A cloud account whose entitlements are read: an AWS account, an Azure or Google Cloud scope, this Kubernetes cluster, or a recorded \
           snapshot. The operator collects it at its interval and only ever reads. AuditPolicies of the same namespace select it."
)]
#[serde(transparent)]
pub struct AccountSpec(pub CloudAccountSpec);

impl std::ops::Deref for AccountSpec {
    type Target = CloudAccountSpec;

    fn deref(&self) -> &CloudAccountSpec {
        &self.0
    }
}

impl From<CloudAccountSpec> for AccountSpec {
    fn from(spec: CloudAccountSpec) -> Self {
        Self(spec)
    }
}

/// What the operator found. Written by the operator alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudAccountStatus {
    /// The `metadata.generation` that this status is about; -1 until the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `CredentialsValid`, `PermissionsSufficient`, `ChangeFeedConnected`, and, only while they hold, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The provider that was read; of a snapshot, the one its file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Provider")]
    pub provider: Option<Provider>,
    /// The account, subscription, management group, tenant, project, folder, organization or cluster that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who the operator is in the cloud, as the cloud says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<CallerIdentity>,
    /// The last collection that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_collection: Option<Collection>,
    /// What the last collection could not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<AccountCoverage>,
    /// The external id that the trust policy of the role must ask for; with type `Ambient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// A trust policy to paste into the role that the operator assumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_policy: Option<String>,
    /// A policy with exactly what the operator reads, to attach to its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_policy: Option<String>,
    /// The value of the annotation `ciem.dev/run-now` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_run_now: Option<String>,
    /// When the last collection was started, however it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_time: Option<Timestamp>,
    /// When the next collection is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_collection_time: Option<Timestamp>,
    /// How many collections failed since the last that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
}

/// Who the operator is in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallerIdentity {
    /// The caller's native id: ARN, object id, e-mail address.
    pub id: String,
    /// The account, tenant or project that the caller belongs to.
    pub account: String,
}

/// One collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    /// When it was started.
    pub time: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Digests of what was read.
    pub digests: Digests,
    /// How many users, roles, policies and so on were read.
    pub counts: BTreeMap<String, u32>,
    /// How many calls it made to the cloud.
    pub api_calls: u32,
}

/// Digests of a snapshot. Equal digests: equal content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digests {
    /// Over who may do what: it changes only when somebody changes something.
    pub entitlements: String,
    /// Over usage data.
    pub usage: String,
}

/// What a collection could not read. Bounded; `total` counts all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountCoverage {
    /// True where everything was read and understood.
    pub complete: bool,
    /// What was not, the first 30.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 30), extend("x-kubernetes-list-type" = "atomic"))]
    pub entries: Vec<CoverageEntry>,
    /// How many there are in all.
    pub total: u32,
    /// Read permissions that the operator lacks, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub missing_permissions: Vec<String>,
}
