//! What a CloudAccount declares: what to read, with which identity and how often (design §4).
//!
//! The whole shape is here from the first version, also what no collector reads yet.

mod auth;
mod organization;
mod scope;
mod sources;

pub use auth::{
    AwsAuth, AwsAuthType, AwsSecretKeys, AwsSecretRef, AwsSecretType, AzureAuth, AzureAuthType, AzureSecretKeys, AzureSecretRef,
    AzureSecretType, AzureWorkloadIdentity, GcpAuth, GcpAuthType, GcpSecretKeys, GcpSecretRef, GcpSecretType, GcpWorkloadIdentity, RoleHop,
    ServiceAccountRef, WebIdentity,
};
pub use organization::Organization;
pub use scope::{
    AwsAccount, AzureAccount, AzureEnvironment, AzureScope, AzureScopeType, GcpAccount, GcpScope, GcpScopeType, KeyRef, KubernetesCluster,
    SnapshotSource, SnapshotSourceType, StoreRef,
};
pub use sources::{
    Athena, BigQuery, ChangeFeed, ChangeFeedType, CloudLogging, Execution, ExecutionType, LogAnalytics, PubSub, S3Logs, Sqs, StorageQueue,
    Usage, UsageTrail, UsageTrailType,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Duration, Provider, cel};

/// What to read, with which identity, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = account_rules()))]
pub struct CloudAccountSpec {
    /// The cloud that the account belongs to, or `Snapshot` for a recorded file. It names the one member that must be there with it
    /// (`aws`, `azure`, `gcp`, `kubernetes` or `snapshot`) and cannot be changed.
    pub provider: AccountProvider,
    /// The AWS account; with provider AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsAccount>,
    /// The Azure subscription, management group or tenant; with provider Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureAccount>,
    /// The Google Cloud project, folder or organization; with provider GCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpAccount>,
    /// This Kubernetes cluster; with provider Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesCluster>,
    /// Where the recorded snapshot is; with provider Snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotSource>,
    /// How often to collect, at least `1m`; the operator may have a higher floor. The annotation `ciem.dev/run-now` with a new value
    /// collects at once.
    #[serde(default = "default_interval")]
    #[schemars(extend("x-kubernetes-validations" = cel::duration_between("1m", "8760h")))]
    pub interval: Duration,
    /// Stops collection. The last snapshot stays and is still audited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Discovery of the accounts that belong to this one; with provider AWS, Azure or GCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// How usage evidence is read: which permissions were used and when. Absent: from what the provider's identity service
    /// reports by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// A queue of change events, so that a change is collected within minutes instead of at the next interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_feed: Option<ChangeFeed>,
    /// Where collection and audit run. Absent: in the operator's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
}

/// What a CloudAccount reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AccountProvider {
    /// An AWS account.
    #[serde(rename = "AWS")]
    Aws,
    /// An Azure subscription, management group or tenant.
    Azure,
    /// A Google Cloud project, folder or organization.
    #[serde(rename = "GCP")]
    Gcp,
    /// The cluster in which the operator runs.
    Kubernetes,
    /// A recorded snapshot of any provider.
    Snapshot,
}

impl AccountProvider {
    /// The name as written in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "GCP",
            Self::Kubernetes => "Kubernetes",
            Self::Snapshot => "Snapshot",
        }
    }

    /// The provider that it stands for; none for a snapshot, whose file says it.
    pub const fn provider(self) -> Option<Provider> {
        match self {
            Self::Aws => Some(Provider::Aws),
            Self::Azure => Some(Provider::Azure),
            Self::Gcp => Some(Provider::Gcp),
            Self::Kubernetes => Some(Provider::Kubernetes),
            Self::Snapshot => None,
        }
    }
}

impl CloudAccountSpec {
    /// Name of the member that the provider asks for, as in manifests.
    pub const fn member(&self) -> &'static str {
        match self.provider {
            AccountProvider::Aws => "aws",
            AccountProvider::Azure => "azure",
            AccountProvider::Gcp => "gcp",
            AccountProvider::Kubernetes => "kubernetes",
            AccountProvider::Snapshot => "snapshot",
        }
    }

    /// The declared account, subscription, management group, tenant, project, folder, organization or cluster. None for a
    /// snapshot, whose file says it, and where the provider's member is missing.
    pub fn scope(&self) -> Option<&str> {
        match self.provider {
            AccountProvider::Aws => self.aws.as_ref().map(|aws| aws.account_id.as_str()),
            AccountProvider::Azure => self.azure.as_ref().map(|azure| azure.scope.id.as_str()),
            AccountProvider::Gcp => self.gcp.as_ref().map(|gcp| gcp.scope.id.as_str()),
            AccountProvider::Kubernetes => self.kubernetes.as_ref().map(|kubernetes| kubernetes.cluster_name.as_str()),
            AccountProvider::Snapshot => None,
        }
    }
}

/// Default of `interval` (design §3.7).
fn default_interval() -> Duration {
    Duration::new("6h")
}

fn account_rules() -> Vec<Value> {
    let mut rules = cel::union(
        "provider",
        &[
            ("AWS", "aws"),
            ("Azure", "azure"),
            ("GCP", "gcp"),
            ("Kubernetes", "kubernetes"),
            ("Snapshot", "snapshot"),
        ],
    );
    rules.push(cel::immutable("provider", "create another CloudAccount"));
    rules.extend(organization::rules());
    rules.extend(sources::rules());
    rules
}

#[cfg(test)]
mod tests;
