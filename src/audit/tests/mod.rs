//! Rules against the real engine: account files in, findings out.
#![expect(clippy::needless_pass_by_value, reason = "JSON literals are passed as they stand")]

mod account;
mod breadth;
mod condition;
mod federation;
mod golden;
mod history;
mod order;
mod policy;
mod trust;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::snapshot::{self, Snapshot};
pub(super) use account::*;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const VENDOR: &str = "444455556666";

pub(super) fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

pub(super) fn policy(spec: Value) -> AuditPolicySpec {
    let mut whole = json!({"accountSelector": {}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

pub(super) fn snapshots(account: &Value) -> Vec<Snapshot> {
    snapshot::read(account.to_string().as_bytes(), "test.json").unwrap()
}

/// Audits the test account under a policy, with the findings of an earlier run.
pub(super) fn audit_again(snapshots: &[Snapshot], spec: Value, previous: Option<&[Finding]>, now: Timestamp) -> AuditOutcome {
    audit(&AuditInput {
        universe: &Universe::build(snapshots),
        provider: Provider::Aws,
        scope: ACCOUNT,
        policy: &policy(spec),
        catalogue: &Catalogue::load().unwrap(),
        now,
        previous,
    })
}

pub(super) fn audit_of(account: &Value) -> AuditOutcome {
    audit_again(&snapshots(account), json!({}), None, now())
}

/// The findings of one rule: name of the identity and discriminator, sorted.
pub(super) fn found(outcome: &AuditOutcome, rule: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = outcome
        .findings
        .iter()
        .filter(|finding| finding.rule == rule)
        .map(|finding| (finding.identity.as_ref().unwrap().name.clone(), finding.discriminator.clone()))
        .collect();
    found.sort();
    found
}

/// The one finding of a rule.
pub(super) fn the<'a>(outcome: &'a AuditOutcome, rule: &str) -> &'a Finding {
    let mut findings = outcome.findings.iter().filter(|finding| finding.rule == rule);
    let first = findings
        .next()
        .unwrap_or_else(|| panic!("no finding of {rule} in {:?}", outcome.findings));
    assert!(findings.next().is_none(), "more than one finding of {rule}");
    first
}

/// What is said to be not evaluated of a rule.
pub(super) fn not_evaluated<'a>(outcome: &'a AuditOutcome, rule: &str) -> Vec<&'a str> {
    outcome
        .not_evaluated
        .iter()
        .filter(|entry| entry.rule == rule)
        .map(|entry| entry.reason.as_str())
        .collect()
}

/// A pass: no finding, and nothing that could not be judged.
pub(super) fn passes(outcome: &AuditOutcome, rule: &str) -> bool {
    found(outcome, rule).is_empty() && not_evaluated(outcome, rule).is_empty()
}
