//! What identities are for, and which data matters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{IdentitySelector, ResourceSelector, Severity, form};

/// What identities are for: "no service account may delete production storage", "deployment pipelines may only change
/// configuration", "only finance administers billing" (all but finance: Never).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guardrail {
    /// Name of the guardrail; findings name it.
    #[schemars(length(max = 63), regex(pattern = form::ENTRY_NAME))]
    pub name: String,
    /// Why it stands, for those who get its findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The identities it is about. `{}` is all of them.
    pub who: IdentitySelector,
    /// Identities of `who` that it is not about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub except: Option<IdentitySelector>,
    /// `Never`: they must not have any of the access. `Only`: they may have nothing but the access.
    pub effect: GuardrailEffect,
    /// The access.
    pub access: AccessPattern,
    /// Severity of its findings.
    pub severity: Severity,
}

/// What a guardrail says about the access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GuardrailEffect {
    /// Nothing but the access.
    Only,
    /// None of the access.
    Never,
}

/// Access: actions on resources. A member that is absent stands for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct AccessPattern {
    /// Classes of actions, such as `delete-data` or `manage-access`; `ciem catalogue` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(max = 64), regex(pattern = r"^[a-z]+(-[a-z]+)*$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub classes: Vec<String>,
    /// Patterns of actions as the provider spells them, such as `s3:Delete*` or `Microsoft.Billing/*`; beside `classes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 200),
        inner(length(min = 1, max = 256), regex(pattern = r"^[A-Za-z0-9*?][A-Za-z0-9._:/*?-]*$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub actions: Vec<String>,
    /// The resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceSelector>,
    /// Only what `sensitive` of the policy selects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

/// Data that matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SensitiveData {
    /// Name for it, such as `customer-records`.
    #[schemars(length(max = 63), regex(pattern = form::ENTRY_NAME))]
    pub name: String,
    /// The resources that hold it.
    pub resources: ResourceSelector,
    /// How much it matters against other data, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u8,
}
