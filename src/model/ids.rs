//! Names of things: providers, identities, resources, findings, severities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where entitlements live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Provider {
    /// Amazon Web Services.
    #[serde(rename = "AWS")]
    Aws,
    /// Microsoft Azure with Entra ID.
    Azure,
    /// Google Cloud.
    #[serde(rename = "GCP")]
    Gcp,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl Provider {
    /// The name as written in manifests and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "GCP",
            Self::Kubernetes => "Kubernetes",
        }
    }
}

/// How bad a finding is. Ordered: `Info` is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Worth knowing; nothing to do now.
    Info,
    /// Hygiene.
    Low,
    /// Fix in the ordinary course.
    Medium,
    /// Fix soon: wide access or weak trust.
    High,
    /// Fix now: a way to everything.
    Critical,
}

impl Severity {
    /// All, the worst first.
    pub const WORST_FIRST: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The name as written in manifests, files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    /// Case does not matter, so that `--fail-on high` works.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::WORST_FIRST
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("'{text}' is no severity: use critical, high, medium, low or info"))
    }
}

/// What kind of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IdentityKind {
    /// A person or a long-lived user of the provider.
    User,
    /// A group; it acts through its members.
    Group,
    /// A role that others assume.
    Role,
    /// A service account (GCP, Kubernetes).
    ServiceAccount,
    /// An application in a tenant.
    ServicePrincipal,
    /// An identity that the provider manages for a resource.
    ManagedIdentity,
    /// Somebody known through an identity provider.
    Federated,
    /// A running workload.
    Workload,
    /// The root user of an account.
    Root,
}

/// One identity, global by (provider, scope, native id).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityRef {
    /// Where it lives.
    pub provider: Provider,
    /// Account, subscription, project or cluster that owns the identity.
    pub scope: String,
    /// The provider's own id: an ARN, an object id, a member, `system:serviceaccount:NS:NAME`.
    pub id: String,
    /// What kind of identity it is.
    pub kind: IdentityKind,
    /// The short name that people use.
    pub name: String,
}

/// One resource, global by (provider, scope, native id).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRef {
    /// Where it lives.
    pub provider: Provider,
    /// Account, subscription, project or cluster that owns the resource.
    pub scope: String,
    /// The provider's own id.
    pub id: String,
}

/// Stable id of a finding: 128 bits as 32 hexadecimal digits (design §3.3). Never built from time, order, text or grant path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FindingId(pub String);

impl std::fmt::Display for FindingId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
