//! Discovery of the accounts that belong to an account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{cel, form};

/// Discovery of the accounts that belong to this one: members of the AWS organization, subscriptions below an Azure scope, projects
/// below a Google Cloud scope. The operator creates a CloudAccount for each, labelled and owned by this one. A CloudAccount that
/// was so created has no `organization` of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Whether members are discovered. With `false` the rest is kept and nothing is created.
    pub discover: bool,
    /// Units and accounts to take, by id: organizational units, management groups, folders, accounts, subscriptions, projects. A unit
    /// stands for everything below it. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 128), regex(pattern = form::UNIT_OR_ACCOUNT)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub include: Vec<String>,
    /// Units and accounts to leave out, by id; stronger than `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 128), regex(pattern = form::UNIT_OR_ACCOUNT)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub exclude: Vec<String>,
    /// Name of the role, the same in every member account, that reads it; with provider AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z0-9_+=,.@-]+$"))]
    pub member_role_name: Option<String>,
    /// The external id that these roles ask for; with provider AWS, and not with type `Ambient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = form::EXTERNAL_ID))]
    pub member_external_id: Option<String>,
}

/// Rules of CloudAccount about its organization. That a discovered child has none is the operator's to check: CEL sees no labels.
pub(super) fn rules() -> Vec<Value> {
    vec![
        cel::rule(
            "!has(self.organization) || self.provider in ['AWS', 'Azure', 'GCP']",
            "only accounts of AWS, Azure and GCP have an organization",
            ".organization",
        ),
        cel::rule(
            "!has(self.organization) || !has(self.azure) || self.azure.scope.type != 'Subscription'",
            "a subscription has no members: use a scope of type ManagementGroup or Tenant, or remove organization",
            ".organization",
        ),
        cel::rule(
            "!has(self.organization) || !has(self.gcp) || self.gcp.scope.type != 'Project'",
            "a project has no members: use a scope of type Folder or Organization, or remove organization",
            ".organization",
        ),
        cel::rule(
            "!has(self.organization) || !has(self.aws) || !self.organization.discover || has(self.organization.memberRoleName)",
            "say which role reads the member accounts",
            ".organization.memberRoleName",
        ),
        cel::rule(
            "!has(self.organization) || !has(self.organization.memberRoleName) || has(self.aws)",
            "memberRoleName goes with provider AWS",
            ".organization.memberRoleName",
        ),
        cel::rule(
            "!has(self.organization) || !has(self.organization.memberExternalId) || (has(self.aws) && self.aws.auth.type != 'Ambient')",
            "memberExternalId goes with provider AWS, and not with type Ambient: there the operator derives external ids",
            ".organization.memberExternalId",
        ),
    ]
}
