//! AWS sections: their names and their typed content, in the member names of the IAM API.
//! Only what evaluation needs is typed; the section's canonical JSON keeps every member that was read.

pub(super) mod account;
mod decode;
mod document;
pub(super) mod input;
mod normalise;
mod shape;

pub use account::{Origin, snapshot_of};
pub use decode::DecodeError;
pub use document::PolicyDocument;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of sections.
pub mod section {
    /// `[User]`, of GetAccountAuthorizationDetails.
    pub const USERS: &str = "users";
    /// `[Group]`, of GetAccountAuthorizationDetails.
    pub const GROUPS: &str = "groups";
    /// `[Role]`, of GetAccountAuthorizationDetails; without `RoleLastUsed`.
    pub const ROLES: &str = "roles";
    /// `[ManagedPolicy]`, of GetAccountAuthorizationDetails: in use, and boundaries where fetched.
    pub const POLICIES: &str = "policies";
    /// `[Resource]`: what the account owns, with resource policies.
    pub const RESOURCES: &str = "resources";
    /// Settings of the account itself: `public_access_block`, alias.
    pub const ACCOUNT: &str = "account";
    /// Service control policies on the account's path.
    pub const SERVICE_CONTROL_POLICIES: &str = "serviceControlPolicies";
    /// Resource control policies on the account's path.
    pub const RESOURCE_CONTROL_POLICIES: &str = "resourceControlPolicies";
    /// The organization: id, management account, accounts with paths.
    pub const ORGANIZATION: &str = "organization";
    /// `{role ARN: RoleLastUsed}`; usage.
    pub const ROLE_LAST_USED: &str = "roleLastUsed";
    /// `{user ARN: time}`; usage.
    pub const PASSWORD_LAST_USED: &str = "passwordLastUsed";
    /// The credential report; usage.
    pub const CREDENTIAL_REPORT: &str = "credentialReport";
    /// `[Resource]`: access keys and login profiles under the ARN of their user; usage.
    pub const CREDENTIALS: &str = "credentials";
    /// `{member: value}`: what a file holds and nothing uses; usage, so that it changes no entitlements digest.
    pub const UNUSED: &str = "unused";

    /// What a complete snapshot has. One that is missing was not attempted.
    pub const ALL: [&str; 12] = [
        USERS,
        GROUPS,
        ROLES,
        POLICIES,
        RESOURCES,
        ACCOUNT,
        SERVICE_CONTROL_POLICIES,
        RESOURCE_CONTROL_POLICIES,
        ORGANIZATION,
        ROLE_LAST_USED,
        CREDENTIAL_REPORT,
        CREDENTIALS,
    ];
}

/// The account that an ARN names: none where it has no account (S3) or the account is AWS itself (managed policies).
pub fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// What the snapshot of one AWS account says, decoded. A list whose section was not read is `None`: never assumed empty.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// Sorted by ARN.
    pub users: Option<Vec<User>>,
    /// Sorted by ARN.
    pub groups: Option<Vec<Group>>,
    /// Sorted by ARN.
    pub roles: Option<Vec<Role>>,
    /// Sorted by ARN.
    pub policies: Option<Vec<ManagedPolicy>>,
    /// Sorted by ARN.
    pub resources: Option<Vec<Resource>>,
    /// Access keys and login profiles, under the ARN of their user.
    pub credentials: Option<Vec<Resource>>,
    /// Service control policies; no levels: the account has no such layer.
    pub service_control_policies: Option<ControlPolicies>,
    /// Resource control policies; no levels: the account has no such layer.
    pub resource_control_policies: Option<ControlPolicies>,
    /// The organization.
    pub organization: Option<Organization>,
}

/// An IAM user.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct User {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub user_name: String,
    /// `AIDA…`.
    pub user_id: String,
    /// `/`, `/team/`.
    pub path: String,
    /// When it was created.
    #[serde(deserialize_with = "time::deserialize")]
    #[schemars(with = "Option<String>")]
    pub create_date: Option<Timestamp>,
    /// Inline policies.
    pub user_policy_list: Vec<InlinePolicy>,
    /// Names of its groups.
    pub group_list: Vec<String>,
    /// Managed policies attached directly.
    pub attached_managed_policies: Vec<AttachedPolicy>,
    /// The permissions boundary, where one is set.
    pub permissions_boundary: Option<PermissionsBoundary>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// An IAM group.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub group_name: String,
    /// `AGPA…`.
    pub group_id: String,
    /// Its path.
    pub path: String,
    /// When it was created.
    #[serde(deserialize_with = "time::deserialize")]
    #[schemars(with = "Option<String>")]
    pub create_date: Option<Timestamp>,
    /// Inline policies.
    pub group_policy_list: Vec<InlinePolicy>,
    /// Managed policies attached.
    pub attached_managed_policies: Vec<AttachedPolicy>,
}

/// An IAM role.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub role_name: String,
    /// `AROA…`.
    pub role_id: String,
    /// Its path.
    pub path: String,
    /// When it was created.
    #[serde(deserialize_with = "time::deserialize")]
    #[schemars(with = "Option<String>")]
    pub create_date: Option<Timestamp>,
    /// Who may assume it.
    pub assume_role_policy_document: Option<PolicyDocument>,
    /// Inline policies.
    pub role_policy_list: Vec<InlinePolicy>,
    /// Managed policies attached.
    pub attached_managed_policies: Vec<AttachedPolicy>,
    /// The permissions boundary, where one is set.
    pub permissions_boundary: Option<PermissionsBoundary>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Instance profiles that hold it.
    pub instance_profile_list: Vec<InstanceProfile>,
}

/// A managed policy with its versions.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its name; empty in files of tools that leave it out.
    pub policy_name: String,
    /// Its path.
    pub path: String,
    /// The version in force, `v3`.
    pub default_version_id: String,
    /// Versions; at least the one in force.
    pub policy_version_list: Vec<PolicyVersion>,
}

/// One version of a managed policy.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PolicyVersion {
    /// `v3`.
    pub version_id: String,
    /// Whether it is the one in force.
    pub is_default_version: bool,
    /// The document.
    pub document: Option<PolicyDocument>,
}

/// An inline policy.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct InlinePolicy {
    /// Its name.
    pub policy_name: String,
    /// The document.
    pub policy_document: Option<PolicyDocument>,
}

/// A managed policy's attachment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct AttachedPolicy {
    /// The policy's name.
    pub policy_name: String,
    /// The policy's ARN.
    pub policy_arn: String,
}

/// A permissions boundary.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PermissionsBoundary {
    /// The policy's ARN.
    pub permissions_boundary_arn: String,
}

/// A tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// An instance profile.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct InstanceProfile {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub instance_profile_name: String,
}

/// Something that the account owns, in the form of cases-format.md.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Resource {
    /// Its ARN.
    pub arn: String,
    /// Type name of AWS `CloudFormation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Resource policy, where read; absent: not read or none.
    pub policy: Option<PolicyDocument>,
    /// Block Public Access of a bucket, where read.
    pub public_access_block: Option<PublicAccessBlock>,
    /// ACL of a bucket, where read.
    pub acl: Option<Acl>,
    /// Grants of a KMS key, where read.
    pub grants: Option<Vec<KeyGrant>>,
}

/// S3 Block Public Access.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PublicAccessBlock {
    /// ACLs for everybody count as absent.
    pub ignore_public_acls: bool,
    /// A bucket with a public policy is closed to other accounts.
    pub restrict_public_buckets: bool,
}

/// A bucket's ACL, as `GetBucketAcl` answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Acl {
    /// Who may do what.
    pub grants: Vec<AclGrant>,
}

/// One entry of an ACL.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct AclGrant {
    /// To whom.
    pub grantee: Grantee,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP`, `FULL_CONTROL`.
    pub permission: String,
}

/// Whom an entry of an ACL names.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Grantee {
    /// Canonical id of an account.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// A group that AWS defines: everybody, everybody with credentials.
    #[serde(rename = "URI")]
    pub uri: Option<String>,
}

/// A grant of a KMS key, as `ListGrants` answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyGrant {
    /// Its id.
    pub grant_id: String,
    /// ARN of a principal, or a service.
    pub grantee_principal: String,
    /// `Decrypt`, `GenerateDataKey`, …
    pub operations: Vec<String>,
    /// Pairs that the encryption context must hold.
    pub constraints: Option<GrantConstraints>,
}

/// What the encryption context of a request under a grant must be.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct GrantConstraints {
    /// It holds at least these pairs.
    pub encryption_context_subset: Option<BTreeMap<String, String>>,
    /// It is exactly these pairs.
    pub encryption_context_equals: Option<BTreeMap<String, String>>,
}

/// Control policies on an account's path in its organization.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ControlPolicies {
    /// From the root down to the account. An allow is needed at every level (W2).
    pub levels: Vec<PolicyLevel>,
}

/// What is attached to one node of an organization.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PolicyLevel {
    /// Id of the root, unit or account.
    pub id: String,
    /// All its policies.
    pub policies: Vec<PolicyDocument>,
}

/// An organization.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// The management account; control policies do not bind it.
    pub management_account: String,
    /// Sorted by id.
    pub accounts: Vec<OrganizationAccount>,
}

/// A member of an organization.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OrganizationAccount {
    /// 12 digits.
    pub id: String,
    /// As in `aws:PrincipalOrgPaths`: `o-…/r-…/ou-…/`.
    pub path: String,
}

/// The JSON schemas of the sections that have a type here.
pub(super) fn contents(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
    vec![
        (section::USERS, generator.subschema_for::<Vec<User>>()),
        (section::GROUPS, generator.subschema_for::<Vec<Group>>()),
        (section::ROLES, generator.subschema_for::<Vec<Role>>()),
        (section::POLICIES, generator.subschema_for::<Vec<ManagedPolicy>>()),
        (section::RESOURCES, generator.subschema_for::<Vec<Resource>>()),
        (section::CREDENTIALS, generator.subschema_for::<Vec<Resource>>()),
        (section::SERVICE_CONTROL_POLICIES, generator.subschema_for::<ControlPolicies>()),
        (section::RESOURCE_CONTROL_POLICIES, generator.subschema_for::<ControlPolicies>()),
        (section::ORGANIZATION, generator.subschema_for::<Organization>()),
    ]
}

/// Dates of the IAM API: RFC 3339, also with a blank for `T` (as tools print them).
mod time {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer};

    /// Unparseable dates are absent: no decision rests on them, and files of tools hold many forms.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
    }
}
