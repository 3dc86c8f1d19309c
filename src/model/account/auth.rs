//! With which identity a cloud is read. References have no namespace: they mean the CloudAccount's own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{cel, form};

/// The identity that reads an AWS account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = aws_rules()))]
pub struct AwsAuth {
    /// Where the first credentials come from. `Ambient`: the operator's own identity (only in namespaces that the operator lists);
    /// `WebIdentity`: a role assumed with a ServiceAccount's token; `SecretRef`: keys in a Secret.
    #[serde(rename = "type")]
    pub kind: AwsAuthType,
    /// The role and the ServiceAccount; with type `WebIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_identity: Option<WebIdentity>,
    /// The Secret; with type `SecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AwsSecretRef>,
    /// Roles assumed one after the other, starting with the first credentials. The last one reads the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "atomic"))]
    pub assume_role_chain: Vec<RoleHop>,
}

/// Where first credentials for AWS come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AwsAuthType {
    /// The operator's own identity.
    Ambient,
    /// A role assumed with a ServiceAccount's token.
    WebIdentity,
    /// Keys in a Secret.
    SecretRef,
}

/// A role assumed with the token of a ServiceAccount (`AssumeRoleWithWebIdentity`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebIdentity {
    /// ARN of the role.
    #[schemars(
        length(max = 640),
        regex(pattern = form::ROLE_ARN)
    )]
    pub role_arn: String,
    /// The ServiceAccount whose token is presented.
    pub service_account_ref: ServiceAccountRef,
    /// Audience of the token. Absent: `sts.amazonaws.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: Option<String>,
}

/// A ServiceAccount of the CloudAccount's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Its name.
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub name: String,
}

/// One role of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = hop_rules()))]
pub struct RoleHop {
    /// ARN of the role.
    #[schemars(
        length(max = 640),
        regex(pattern = form::ROLE_ARN)
    )]
    pub role_arn: String,
    /// The external id that the role's trust policy asks for. Not with type `Ambient`: there the operator derives it and publishes it in
    /// `status.externalId`, so that nobody can borrow the operator for a role of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = form::EXTERNAL_ID))]
    pub external_id: Option<String>,
    /// Session tags; the caller needs `sts:TagSession`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "session_tags")]
    pub session_tags: BTreeMap<String, String>,
}

/// A Secret with AWS keys. It must carry the label `ciem.dev/credential: "true"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretRef {
    /// Name of the Secret in the CloudAccount's namespace.
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub name: String,
    /// What the Secret holds: an access key.
    #[serde(rename = "type")]
    pub kind: AwsSecretType,
    /// Under which keys of the Secret the parts are. Absent parts have their default names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<AwsSecretKeys>,
}

/// What a Secret for AWS holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AwsSecretType {
    /// An access key id, its secret and, for temporary credentials, a session token.
    AwsKeys,
}

/// Where the parts of an access key are in the Secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretKeys {
    /// Key of the access key id. Absent: `AWS_ACCESS_KEY_ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub access_key_id: Option<String>,
    /// Key of the secret access key. Absent: `AWS_SECRET_ACCESS_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub secret_access_key: Option<String>,
    /// Key of the session token. Absent: `AWS_SESSION_TOKEN`, where the Secret has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub session_token: Option<String>,
}

/// The identity that reads Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = workload_rules()))]
pub struct AzureAuth {
    /// Where credentials come from. `Ambient`: the operator's own identity (only in namespaces that the operator lists);
    /// `WorkloadIdentity`: an application that trusts a ServiceAccount; `SecretRef`: a client secret or certificate in a Secret.
    #[serde(rename = "type")]
    pub kind: AzureAuthType,
    /// The application and the ServiceAccount; with type `WorkloadIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<AzureWorkloadIdentity>,
    /// The Secret; with type `SecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AzureSecretRef>,
}

/// Where credentials for Azure come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureAuthType {
    /// The operator's own identity.
    Ambient,
    /// An application or managed identity with a federated credential for a ServiceAccount.
    WorkloadIdentity,
    /// A client secret or certificate in a Secret.
    SecretRef,
}

/// An application or managed identity with a federated credential for a ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureWorkloadIdentity {
    /// Application (client) id, a GUID in lower case.
    #[schemars(length(max = 36), regex(pattern = form::GUID))]
    pub client_id: String,
    /// The ServiceAccount whose token is presented.
    pub service_account_ref: ServiceAccountRef,
    /// Audience of the token. Absent: `api://AzureADTokenExchange`, or that of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: Option<String>,
}

/// A Secret for an Azure application. It must carry the label `ciem.dev/credential: "true"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = azure_secret_rules()))]
pub struct AzureSecretRef {
    /// Name of the Secret in the CloudAccount's namespace.
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub name: String,
    /// What the Secret holds: a client secret or a certificate with its private key.
    #[serde(rename = "type")]
    pub kind: AzureSecretType,
    /// Application (client) id, a GUID in lower case. Absent: it is in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), regex(pattern = form::GUID))]
    pub client_id: Option<String>,
    /// Under which keys of the Secret the parts are. Absent parts have their default names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<AzureSecretKeys>,
}

/// What a Secret for Azure holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureSecretType {
    /// A client secret.
    AzureClientSecret,
    /// A certificate with its private key, in PEM.
    AzureCertificate,
}

/// Where the parts of an application's credentials are in the Secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureSecretKeys {
    /// Key of the application id. Absent: `AZURE_CLIENT_ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub client_id: Option<String>,
    /// Key of the client secret. Absent: `AZURE_CLIENT_SECRET`. With type `AzureClientSecret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub client_secret: Option<String>,
    /// Key of the certificate and private key. Absent: `AZURE_CLIENT_CERTIFICATE`. With type `AzureCertificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub certificate: Option<String>,
    /// Key of the private key's password. Absent: `AZURE_CLIENT_CERTIFICATE_PASSWORD`, where the Secret has it. With type `AzureCertificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub certificate_password: Option<String>,
}

/// The identity that reads Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = workload_rules()))]
pub struct GcpAuth {
    /// Where credentials come from. `Ambient`: the operator's own identity (only in namespaces that the operator lists);
    /// `WorkloadIdentity`: workload identity federation with a ServiceAccount; `SecretRef`: a service account key in a Secret.
    #[serde(rename = "type")]
    pub kind: GcpAuthType,
    /// The identity pool and the ServiceAccount; with type `WorkloadIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<GcpWorkloadIdentity>,
    /// The Secret; with type `SecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<GcpSecretRef>,
}

/// Where credentials for Google Cloud come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GcpAuthType {
    /// The operator's own identity.
    Ambient,
    /// Workload identity federation with a ServiceAccount.
    WorkloadIdentity,
    /// A service account key in a Secret.
    SecretRef,
}

/// Workload identity federation with a ServiceAccount. Tokens are exchanged at Google's own endpoint only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpWorkloadIdentity {
    /// Full resource name of the pool's provider:
    /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    #[schemars(
        length(max = 256),
        regex(
            pattern = r"^//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$"
        )
    )]
    pub audience: String,
    /// The ServiceAccount whose token is presented.
    pub service_account_ref: ServiceAccountRef,
    /// E-mail address of the service account to impersonate. Absent: the federated identity itself reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^[a-z0-9][a-z0-9-]*@[a-z0-9.-]+\.gserviceaccount\.com$"))]
    pub impersonate: Option<String>,
}

/// A Secret with a service account key. It must carry the label `ciem.dev/credential: "true"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSecretRef {
    /// Name of the Secret in the CloudAccount's namespace.
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub name: String,
    /// What the Secret holds: a service account key.
    #[serde(rename = "type")]
    pub kind: GcpSecretType,
    /// Under which key of the Secret it is. Absent: the default name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<GcpSecretKeys>,
}

/// What a Secret for Google Cloud holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GcpSecretType {
    /// A service account key, the JSON file of Google Cloud.
    GcpKey,
}

/// Where the service account key is in the Secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSecretKeys {
    /// Key of the JSON file. Absent: `key.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = form::DATA_KEY))]
    pub key: Option<String>,
}

impl WebIdentity {
    /// Audience of the token.
    pub fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or("sts.amazonaws.com")
    }
}

impl AwsSecretRef {
    /// Key of the access key id in the Secret.
    pub fn access_key_id(&self) -> &str {
        self.keys
            .as_ref()
            .and_then(|keys| keys.access_key_id.as_deref())
            .unwrap_or("AWS_ACCESS_KEY_ID")
    }

    /// Key of the secret access key in the Secret.
    pub fn secret_access_key(&self) -> &str {
        self.keys
            .as_ref()
            .and_then(|keys| keys.secret_access_key.as_deref())
            .unwrap_or("AWS_SECRET_ACCESS_KEY")
    }

    /// Key of the session token in the Secret, and whether it was named, so that it must be there.
    pub fn session_token(&self) -> (&str, bool) {
        match self.keys.as_ref().and_then(|keys| keys.session_token.as_deref()) {
            Some(key) => (key, true),
            None => ("AWS_SESSION_TOKEN", false),
        }
    }
}

/// Tags as AWS bounds them: 50, keys to 128 and values to 256 characters.
fn session_tags(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 256},
        "maxProperties": 50,
    })
}

fn aws_rules() -> Vec<Value> {
    let mut rules = cel::union("type", &[("WebIdentity", "webIdentity"), ("SecretRef", "secretRef")]);
    rules.push(cel::rule(
        "self.type != 'Ambient' || !has(self.assumeRoleChain) || self.assumeRoleChain.all(hop, !has(hop.externalId))",
        "with type Ambient the operator derives the external id: leave externalId out and trust the one in status.externalId",
        ".assumeRoleChain",
    ));
    rules
}

fn hop_rules() -> Vec<Value> {
    vec![cel::rule(
        "!has(self.sessionTags) || self.sessionTags.all(key, size(key) >= 1 && size(key) <= 128 && !key.lowerAscii().startsWith('aws:'))",
        "a session tag's key has 1 to 128 characters and does not start with aws:",
        ".sessionTags",
    )]
}

fn workload_rules() -> Vec<Value> {
    cel::union("type", &[("WorkloadIdentity", "workloadIdentity"), ("SecretRef", "secretRef")])
}

fn azure_secret_rules() -> Vec<Value> {
    vec![
        cel::rule(
            "self.type == 'AzureClientSecret' || !has(self.keys) || !has(self.keys.clientSecret)",
            "clientSecret goes with type AzureClientSecret",
            ".keys.clientSecret",
        ),
        cel::rule(
            "self.type == 'AzureCertificate' || !has(self.keys) || !(has(self.keys.certificate) || has(self.keys.certificatePassword))",
            "certificate and certificatePassword go with type AzureCertificate",
            ".keys.certificate",
        ),
        cel::rule(
            "!has(self.clientId) || !has(self.keys) || !has(self.keys.clientId)",
            "say the application id once: as clientId or as a key of the Secret",
            ".clientId",
        ),
    ]
}
