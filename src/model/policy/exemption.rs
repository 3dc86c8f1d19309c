//! Findings that are accepted for a time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{IdentitySelector, ResourceSelector, cel, form};

/// Findings that are accepted for a time. All of `rules`, `accounts`, `identity` and `resource` must fit.
///
/// A finding that it fits is reported as exempted, with the exemption's name, until `expiresAt`; then it is open again and the
/// exemption is listed as expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules()))]
pub struct Exemption {
    /// Name of the exemption; exempted findings name it.
    #[schemars(length(max = 63), regex(pattern = form::ENTRY_NAME))]
    pub name: String,
    /// Rules whose findings it covers: ids or patterns of ids, such as `AWS-INV-*`.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(max = 64), regex(pattern = form::RULE_PATTERN)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub rules: Vec<String>,
    /// Ids of the accounts, subscriptions, projects or clusters whose findings it covers. Absent: all that the policy selects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 128), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub accounts: Vec<String>,
    /// Identities whose findings it covers. Absent: any, also none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub identity: Option<IdentitySelector>,
    /// Resources whose findings it covers. Absent: any, also none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceSelector>,
    /// Why the risk is accepted, for an auditor.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"\S"))]
    pub reason: String,
    /// Who accepted it: a person or a board, as an auditor would look it up.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"\S"))]
    pub approved_by: String,
    /// Until when, in RFC 3339 with a time zone, such as `2027-03-31T00:00:00Z`.
    // Stricter than `date-time` of the API server, which also takes forms and years that no timestamp here can hold.
    #[schemars(
        length(max = 35),
        regex(pattern = r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$")
    )]
    pub expires_at: Timestamp,
}

impl Exemption {
    /// Whether it has run out at a time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

fn rules() -> Vec<Value> {
    vec![cel::rule(
        "!self.rules.exists(rule, rule.matches('^[*]+$')) || has(self.accounts) || has(self.identity) || has(self.resource)",
        "an exemption of every rule must say for which accounts, identity or resource",
        ".rules",
    )]
}
