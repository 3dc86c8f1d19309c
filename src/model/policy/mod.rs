//! What an AuditPolicy declares: what to check, when, what is exempt and what is reported (design §4).
//!
//! Ids of rules, tags, frameworks, parameters, action classes and scoring tables are plain text here: the operator checks them against
//! the catalogue and says so in a condition, so that an older or newer bundle still applies.

mod exemption;
mod guardrail;
mod report;

pub use exemption::Exemption;
pub use guardrail::{AccessPattern, Guardrail, GuardrailEffect, SensitiveData};
pub use report::{HistorySettings, OpenReports, ReportFormat, ReportSettings};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccountSelector, Severity, cel, form, is_default};

/// What to check in which accounts, when, what is exempt, and what is reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPolicySpec {
    /// The CloudAccounts of this namespace that are audited. `{}` selects all.
    pub account_selector: AccountSelector,
    /// Fixed times for audits, each after a fresh collection. Absent: an account is audited whenever it was collected. The annotation
    /// `ciem.dev/run-now` with a new value collects and audits at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Which rules run, and how. Absent: the whole catalogue with its own severities.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: RuleSelection,
    /// What identities are for: access that some must never have, or that is all they may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub guardrails: Vec<Guardrail>,
    /// Which data matters, and how much. It raises the risk of what can reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub sensitive: Vec<SensitiveData>,
    /// Outsiders that are known: trust in them is no finding.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted: Trusted,
    /// Findings that are accepted for a time, with a reason and a name. They are counted and listed, never dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub exemptions: Vec<Exemption>,
    /// Changes to the tables of the risk score.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scoring: Scoring,
    /// What is reported, and how.
    #[serde(default, skip_serializing_if = "is_default")]
    pub report: ReportSettings,
    /// Stops audits. Reports stay and become stale.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// Fixed times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// When: minute, hour, day of month, month and day of week, such as `0 5 * * 1-5`, or one of `@hourly`, `@daily`, `@midnight`,
    /// `@weekly`, `@monthly`, `@yearly`, `@annually`.
    pub cron: CronExpression,
    /// Name of the IANA time zone that the times are meant in, such as `Europe/Berlin`. Absent: `Etc/UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZoneName>,
}

impl Schedule {
    /// The time zone's name.
    pub fn time_zone(&self) -> &str {
        self.time_zone.as_ref().map_or("Etc/UTC", TimeZoneName::as_str)
    }
}

/// A cron expression of five fields, as written. Only its form is checked here; the operator reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("maxLength" = 128, "x-kubernetes-validations" = cron_rules()))]
pub struct CronExpression(String);

impl CronExpression {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of an IANA time zone, as written. Only its form is checked here; whether there is such a zone, the operator says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("maxLength" = 64, "x-kubernetes-validations" = time_zone_rules()))]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which rules run, and how. An entry is a rule id (`AWS-EXC-01`), a pattern of ids (`AWS-EXC-*`), a tag (`excess`) or a compliance
/// framework (`CIS-AWS/v5.0`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleSelection {
    /// Rules that run. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 200),
        inner(length(max = 128), regex(pattern = form::RULE_CHOICE)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub include: Vec<String>,
    /// Rules that do not run; stronger than `include`. They are listed in reports as not evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 200),
        inner(length(max = 128), regex(pattern = form::RULE_CHOICE)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub exclude: Vec<String>,
    /// Severities that differ from the catalogue's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["rule"]))]
    pub severity_overrides: Vec<SeverityOverride>,
    /// Values that differ from the catalogue's, such as the number of days after which a credential is unused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["rule", "name"]))]
    pub parameters: Vec<RuleParameter>,
}

/// Another severity for one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeverityOverride {
    /// Id of the rule.
    #[schemars(length(max = 64), regex(pattern = form::RULE))]
    pub rule: String,
    /// The severity of its findings.
    pub severity: Severity,
}

/// Another value for one parameter of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleParameter {
    /// Id of the rule.
    #[schemars(length(max = 64), regex(pattern = form::RULE))]
    pub rule: String,
    /// Name of the parameter, as `ciem rules` lists it.
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z][A-Za-z0-9]*$"))]
    pub name: String,
    /// Its value, as text: `"45"`.
    #[schemars(length(max = 256))]
    pub value: String,
}

/// Outsiders that are known. Trust in them is no finding; the organization of a CloudAccount needs no entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trusted {
    /// Accounts of other owners: AWS account ids (12 digits, quoted), Azure subscription ids, Google Cloud project ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(
            length(max = 128),
            regex(pattern = form::ACCOUNT)
        ),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub accounts: Vec<String>,
    /// Entra tenants, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 36), regex(pattern = form::GUID)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub tenants: Vec<String>,
    /// Organizations: AWS organization ids (`o-…`), numbers or domains of Google Cloud organizations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 253), regex(pattern = r"^(o-[a-z0-9]{10,32}|[0-9]{1,20}|[a-z0-9-]+(\.[a-z0-9-]+)+)$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub organizations: Vec<String>,
    /// Token issuers, by URL, such as `https://token.actions.githubusercontent.com`. A trust that lets every subject of such an issuer in
    /// is still a finding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 512), regex(pattern = form::ISSUER)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub issuers: Vec<String>,
}

/// Changes to the tables of the risk score.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scoring {
    /// Name of a table → name of an entry → its weight in thousandths, 0 to 1000. Entries that are not named keep their value. `ciem rules`
    /// lists tables and entries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scoring_tables")]
    pub tables: BTreeMap<String, BTreeMap<String, u16>>,
}

fn scoring_tables(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "type": "object",
            "description": "Name of an entry → its weight in thousandths.",
            "maxProperties": 64,
            "additionalProperties": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 1000},
        },
    })
}

fn cron_rules() -> Vec<Value> {
    vec![cel::scalar_rule(
        "self.matches('^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[0-9*][0-9*,/-]*( [0-9A-Za-z*?][0-9A-Za-z*?,/#-]*){4})$')",
        "write five fields (minute, hour, day of month, month, day of week) with one space between them, such as '0 5 * * 1-5', or @daily",
    )]
}

fn time_zone_rules() -> Vec<Value> {
    vec![cel::scalar_rule(
        "self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$') && self != 'Local'",
        "write the name of an IANA time zone, such as Europe/Berlin or Etc/UTC",
    )]
}

#[cfg(test)]
mod tests;
