//! Findings: what is wrong, with whom, why we believe it and what to do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FindingId, IdentityRef, Residual, ResourceRef, Severity};

/// One problem of one identity (or resource, or account). The rule's text is in the rule catalogue, not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable id: the same problem keeps it from run to run.
    pub id: FindingId,
    /// Rule id, e.g. `AWS-EXC-01`.
    pub rule: String,
    /// After severity overrides.
    pub severity: Severity,
    /// Risk score of the identity; null where it is not computed.
    pub score: Option<Score>,
    /// Whose problem it is; null where it is the account's or a resource's.
    pub identity: Option<IdentityRef>,
    /// Which resource it is about; null where it is about the identity alone.
    pub resource: Option<ResourceRef>,
    /// What tells apart two findings of one rule on the same identity and resource: a policy, a trusted principal. Part of the id.
    pub discriminator: String,
    /// What it rests on.
    pub evidence: Evidence,
    /// The condition under which it holds; null: unconditionally.
    pub conditions: Option<Residual>,
    /// How to fix it.
    pub remediation: Remediation,
    /// Compliance references, `framework/version/id`, e.g. `CIS-AWS/v5.0/1.15`.
    pub references: Vec<String>,
    /// When a run first saw it; carried over from run to run.
    pub first_seen: Timestamp,
    /// Whether somebody has to act.
    pub state: FindingState,
    /// Name of the exemption, where the state is `Exempted`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exemption: Option<String>,
}

/// Risk score 0–100 with its factors (catalogue.md §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Lower end of the range; equal to `high` where everything is known.
    pub low: u8,
    /// Upper end of the range.
    pub high: u8,
    /// Factor name → value in thousandths.
    pub factors: BTreeMap<String, u32>,
}

/// Whether somebody has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FindingState {
    /// Holds, and nothing excuses it.
    Open,
    /// Matched by an exemption that is in force.
    Exempted,
    /// Was open, and its source could not be read in this run: kept, neither renewed nor resolved.
    Unverified,
}

/// What the finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// How strong it is.
    pub class: EvidenceClass,
    /// The snapshot section it was read from; decides `Unverified` where that section is unread later.
    pub source: String,
    /// One sentence in plain words with the names in it.
    pub summary: String,
    /// The statements that grant it, in the order of the grant path.
    pub statements: Vec<StatementRef>,
    /// True where statements, and with them the remediation's artefacts, were dropped to bound the report's size.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub truncated: bool,
}

/// How strong the evidence is. `Configuration` is a fact read from policies; the others grade usage (design §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceClass {
    /// A fact read from policies and settings.
    Configuration,
    /// Every call of the window was seen.
    FullTrail,
    /// Use is known for each action.
    Action,
    /// Use is known for each service only.
    Service,
    /// Attempts are known, denied ones included.
    Attempted,
    /// Nothing is known about use.
    None,
}

/// Points at one statement of one policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatementRef {
    /// Policy layer: `identity`, `boundary`, `trust`, `resource`, …
    pub layer: String,
    /// ARN of a managed policy, else the owner's native id and the inline policy's name joined by `#`.
    pub policy: String,
    /// Index in the document, from 0.
    pub statement: u32,
    /// Sid, where the statement has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
    /// Through which group, where it is a group's policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<String>,
}

/// How to fix it. `artefacts` hold patches; the operator never applies them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// `remove`, `shrink`, `trust`, `credential`, `delete`, `guardrail`, `just-in-time`, `log`, `manifest` or `review` (catalogue.md §3.0).
    pub kind: String,
    /// What to do, in one sentence with the names in it.
    pub summary: String,
    /// Format → text. Empty where none was proved safe.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub artefacts: BTreeMap<String, String>,
}

/// One root cause with many identities. Refers to findings, never replaces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingGroup {
    /// Rule id, e.g. `AWS-EXC-01`.
    pub rule: String,
    /// The shared cause: a policy's ARN or a trusted principal.
    pub cause: String,
    /// Severity of its findings, the worst of them.
    pub severity: Severity,
    /// Ids of its findings, sorted.
    pub findings: Vec<FindingId>,
}
