//! What is read: the member of a CloudAccount that its provider names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AwsAuth, AzureAuth, GcpAuth};
use crate::model::{cel, form};

/// An AWS account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = aws_rules()))]
pub struct AwsAccount {
    /// The 12 digits of the account. Quote them: YAML drops leading zeros. They cannot be changed. The caller that AWS reports
    /// must belong to this account.
    #[schemars(length(max = 12), regex(pattern = r"^[0-9]{12}$"))]
    pub account_id: String,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov` or another. It cannot be changed.
    #[serde(default = "default_partition")]
    #[schemars(length(max = 20), regex(pattern = r"^aws(-[a-z]+)*$"))]
    pub partition: String,
    /// Regions whose regional resources (queues, keys, functions …) are read. Absent: every region that is enabled for the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(max = 32), regex(pattern = form::REGION)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub regions: Vec<String>,
    /// The identity that reads.
    pub auth: AwsAuth,
}

/// A scope of Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = azure_rules()))]
pub struct AzureAccount {
    /// The Entra tenant (directory) id, a GUID in lower case. It cannot be changed.
    #[schemars(length(max = 36), regex(pattern = form::GUID))]
    pub tenant_id: String,
    /// What of the tenant is read. It cannot be changed.
    pub scope: AzureScope,
    /// The Azure cloud, by the name that the Azure command line gives it.
    #[serde(default)]
    pub environment: AzureEnvironment,
    /// The identity that reads.
    pub auth: AzureAuth,
}

/// Which Azure cloud: the public one, or a national one with endpoints of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum AzureEnvironment {
    /// The public cloud.
    #[default]
    AzureCloud,
    /// Azure Government (United States).
    AzureUSGovernment,
    /// Azure operated by 21Vianet (China).
    AzureChinaCloud,
}

/// What of an Azure tenant is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = azure_scope_rules()))]
pub struct AzureScope {
    /// What `id` names: one subscription, a management group with everything below it, or the whole tenant.
    #[serde(rename = "type")]
    pub kind: AzureScopeType,
    /// The subscription's GUID in lower case, the management group's name, or the tenant's GUID again.
    #[schemars(length(max = 90), regex(pattern = r"^[A-Za-z0-9_().-]{1,89}[A-Za-z0-9_()-]$"))]
    pub id: String,
}

/// Kinds of Azure scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureScopeType {
    /// One subscription.
    Subscription,
    /// A management group and everything below it.
    ManagementGroup,
    /// The whole tenant.
    Tenant,
}

/// A scope of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [cel::immutable("scope", "create another CloudAccount")]))]
pub struct GcpAccount {
    /// What is read. It cannot be changed.
    pub scope: GcpScope,
    /// The identity that reads.
    pub auth: GcpAuth,
}

/// What of Google Cloud is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = gcp_scope_rules()))]
pub struct GcpScope {
    /// What `id` names: one project, or a folder or organization with everything below it.
    #[serde(rename = "type")]
    pub kind: GcpScopeType,
    /// The project's id (not its number), or the number of the folder or organization.
    #[schemars(length(max = 128), regex(pattern = r"^[a-z0-9.:-]+$"))]
    pub id: String,
}

/// Kinds of Google Cloud scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GcpScopeType {
    /// One project.
    Project,
    /// A folder and everything below it.
    Folder,
    /// A whole organization.
    Organization,
}

/// The cluster in which the operator runs: Pods, ServiceAccounts and RBAC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [cel::immutable("clusterName", "create another CloudAccount")]))]
pub struct KubernetesCluster {
    /// The name under which the cluster appears in findings. It cannot be changed.
    #[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))]
    pub cluster_name: String,
    /// Issuer of the cluster's ServiceAccount tokens, which links its Pods to cloud identities. Absent: what the API server's
    /// discovery document says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = form::ISSUER))]
    pub oidc_issuer: Option<String>,
}

/// Where a recorded snapshot is. Accepted are a file of `ciem collect` (also compressed by zstd) and the JSON of
/// `aws iam get-account-authorization-details`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = snapshot_rules()))]
pub struct SnapshotSource {
    /// Which member says where it is.
    #[serde(rename = "type")]
    pub kind: SnapshotSourceType,
    /// A ConfigMap of the same namespace; with type `ConfigMapRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
    /// A Secret of the same namespace with the label `ciem.dev/credential: "true"`; with type `SecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
    /// A file in the operator's store; with type `StoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<StoreRef>,
}

/// Where a snapshot can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnapshotSourceType {
    /// A key of a ConfigMap.
    ConfigMapRef,
    /// A key of a Secret.
    SecretRef,
    /// A file in the store.
    StoreRef,
}

/// One key of a ConfigMap or Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the object.
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub name: String,
    /// The key that holds the snapshot. It may be left out where the object has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub key: Option<String>,
}

/// A file in the operator's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = store_rules()))]
pub struct StoreRef {
    /// Path of the file, relative to the folder of the CloudAccount's namespace in the store, such as `2026/december.json.zst`.
    #[schemars(length(max = 512))]
    pub path: String,
}

/// Default of `partition`.
fn default_partition() -> String {
    "aws".to_owned()
}

fn aws_rules() -> Vec<Value> {
    vec![
        cel::immutable("accountId", "create another CloudAccount"),
        cel::immutable("partition", "create another CloudAccount"),
        cel::rule(
            "!has(self.auth.assumeRoleChain) || self.auth.assumeRoleChain.all(hop, hop.roleArn.startsWith('arn:' + self.partition + ':'))",
            "every roleArn must be of spec.aws.partition",
            ".auth.assumeRoleChain",
        ),
        cel::rule(
            "!has(self.auth.assumeRoleChain) || size(self.auth.assumeRoleChain) == 0 || \
             self.auth.assumeRoleChain[size(self.auth.assumeRoleChain) - 1].roleArn.contains(':iam::' + self.accountId + ':role/')",
            "the last role of the chain reads the account, so it must be a role of spec.aws.accountId",
            ".auth.assumeRoleChain",
        ),
        cel::rule(
            "!has(self.auth.webIdentity) || self.auth.webIdentity.roleArn.startsWith('arn:' + self.partition + ':')",
            "roleArn must be of spec.aws.partition",
            ".auth.webIdentity.roleArn",
        ),
        cel::rule(
            "!has(self.auth.webIdentity) || (has(self.auth.assumeRoleChain) && size(self.auth.assumeRoleChain) > 0) || \
             self.auth.webIdentity.roleArn.contains(':iam::' + self.accountId + ':role/')",
            "this role reads the account, so it must be a role of spec.aws.accountId, or assumeRoleChain must lead there",
            ".auth.webIdentity.roleArn",
        ),
    ]
}

fn azure_rules() -> Vec<Value> {
    vec![
        cel::immutable("tenantId", "create another CloudAccount"),
        cel::immutable("scope", "create another CloudAccount"),
        cel::immutable("environment", "create another CloudAccount"),
        cel::rule(
            "self.scope.type != 'Tenant' || self.scope.id == self.tenantId",
            "the id of a scope of type Tenant is tenantId",
            ".scope.id",
        ),
    ]
}

fn azure_scope_rules() -> Vec<Value> {
    vec![cel::rule(
        format!("self.type == 'ManagementGroup' || self.id.matches('{}')", form::GUID),
        "the id of a subscription or tenant is a GUID in lower case",
        ".id",
    )]
}

fn gcp_scope_rules() -> Vec<Value> {
    vec![
        // Project ids: 6 to 30 characters; older ones are prefixed by a domain.
        cel::rule(
            "self.type != 'Project' || self.id.matches('^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')",
            "the id of a project is 6 to 30 lower case letters, digits and hyphens and starts with a letter; its number is no id",
            ".id",
        ),
        cel::rule(
            "self.type == 'Project' || self.id.matches('^[0-9]{1,20}$')",
            "the id of a folder or organization is its number",
            ".id",
        ),
    ]
}

fn snapshot_rules() -> Vec<Value> {
    cel::union(
        "type",
        &[
            ("ConfigMapRef", "configMapRef"),
            ("SecretRef", "secretRef"),
            ("StoreRef", "storeRef"),
        ],
    )
}

fn store_rules() -> Vec<Value> {
    vec![
        cel::rule(
            "!self.path.startsWith('/') && self.path.split('/').all(part, part != '' && part != '.' && part != '..')",
            "the path is relative, without empty, '.' or '..' parts: it stays below the namespace's folder",
            ".path",
        ),
        cel::rule(
            "self.path.matches('^[A-Za-z0-9._=@+/-]+$')",
            "the path has only letters, digits and . _ = @ + - between its slashes",
            ".path",
        ),
    ]
}
