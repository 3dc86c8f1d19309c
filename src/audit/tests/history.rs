//! What is carried over from the run before: `firstSeen`, and findings whose source could not be read again.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::snapshot::SectionStatus;

fn everything() -> Value {
    document(json!([allow(json!("*"), json!("*"))]))
}

fn wide_and_open() -> Value {
    account(json!({
        "UserDetailList": [user("alice", &[], &[&managed_policy("admin")], &[])],
        "RoleDetailList": [trusting("partner", &json!([trust(json!("*"))])), role("worker", &[("wide", everything())], &[])],
        "Policies": [managed("admin", everything())],
    }))
}

fn earlier() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn first_run() -> Vec<Finding> {
    audit_again(&snapshots(&wide_and_open()), json!({}), None, earlier()).findings
}

/// The account with one section in another state than read.
fn with_section(account: &Value, section: &str, status: SectionStatus) -> Vec<Snapshot> {
    let mut snapshots = snapshots(account);
    let own = snapshots[0].sections.get_mut(section).unwrap();
    if status == SectionStatus::Partial {
        own.status = status;
        own.reason = Some("the third page failed".to_owned());
    } else {
        *own = crate::snapshot::Section::unread(own.source.clone(), status, "AccessDenied", own.kind);
    }
    snapshots
}

fn state_of(outcome: &AuditOutcome, rule: &str, name: &str) -> Option<(FindingState, Timestamp)> {
    let is_it = |finding: &&Finding| finding.rule == rule && finding.identity.as_ref().unwrap().name == name;
    outcome
        .findings
        .iter()
        .find(is_it)
        .map(|finding| (finding.state, finding.first_seen))
}

#[test]
fn first_seen_stays_and_new_findings_begin_now() {
    let mut account = wide_and_open();
    account["RoleDetailList"]
        .as_array_mut()
        .unwrap()
        .push(role("newcomer", &[("wide", everything())], &[]));
    let outcome = audit_again(&snapshots(&account), json!({}), Some(&first_run()), now());
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "worker"), Some((FindingState::Open, earlier())));
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "newcomer"), Some((FindingState::Open, now())));
}

/// The way of the grant is not in the id: the same problem by another policy is the same finding.
#[test]
fn another_policy_with_the_same_problem_is_the_same_finding() {
    let mut account = wide_and_open();
    account["RoleDetailList"][1] = role("worker", &[("renamed", everything())], &[]);
    let outcome = audit_again(&snapshots(&account), json!({}), Some(&first_run()), now());
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "worker"), Some((FindingState::Open, earlier())));
}

#[test]
fn what_is_fixed_or_gone_is_resolved() {
    let fixed = account(json!({"RoleDetailList": [role("worker", &[], &[])]}));
    let outcome = audit_again(&snapshots(&fixed), json!({}), Some(&first_run()), now());
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
}

#[test]
fn a_rule_that_the_policy_no_longer_asks_for_leaves_nothing_behind() {
    let empty = account(json!({}));
    let unread = with_section(&empty, "roles", SectionStatus::Denied);
    let outcome = audit_again(&unread, json!({"rules": {"exclude": ["AWS-EXC-*"]}}), Some(&first_run()), now());
    assert_eq!(found(&outcome, "AWS-EXC-01"), []);
    assert_eq!(
        state_of(&outcome, "AWS-MAP-02", "partner"),
        Some((FindingState::Unverified, earlier()))
    );
}

#[test]
fn an_unread_section_keeps_what_rested_on_it() {
    let unread = with_section(&wide_and_open(), "roles", SectionStatus::Denied);
    let outcome = audit_again(&unread, json!({}), Some(&first_run()), now());
    assert_eq!(
        state_of(&outcome, "AWS-EXC-01", "worker"),
        Some((FindingState::Unverified, earlier()))
    );
    assert_eq!(
        state_of(&outcome, "AWS-MAP-02", "partner"),
        Some((FindingState::Unverified, earlier()))
    );
    // The user was read: its finding stays what it is.
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "alice"), Some((FindingState::Open, earlier())));
    for rule in ["AWS-EXC-01", "AWS-MAP-01", "AWS-MAP-02", "AWS-MAP-04"] {
        assert_eq!(not_evaluated(&outcome, rule), ["roles: access was denied: AccessDenied"], "{rule}");
    }
    assert!(not_evaluated(&outcome, "AWS-EXC-13").is_empty());
    // And again: it stays unverified until it can be looked for, then it is open or resolved.
    let third = audit_again(&unread, json!({}), Some(&outcome.findings), now());
    assert_eq!(third.findings, outcome.findings);
    let seen = audit_again(&snapshots(&wide_and_open()), json!({}), Some(&third.findings), now());
    assert_eq!(state_of(&seen, "AWS-EXC-01", "worker"), Some((FindingState::Open, earlier())));
    let gone = audit_again(&snapshots(&account(json!({}))), json!({}), Some(&third.findings), now());
    assert!(gone.findings.is_empty());
}

/// Every rule says so where one of its sections was not read whole, though the account looks clean.
#[rstest]
#[case("users", &["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03", "AWS-EXC-13"])]
#[case("groups", &["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03"])]
#[case("policies", &["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03"])]
#[case("roles", &["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03", "AWS-MAP-01", "AWS-MAP-02", "AWS-MAP-04"])]
fn an_unread_section_is_no_pass(#[case] section: &str, #[case] rules: &[&str]) {
    for status in [SectionStatus::Denied, SectionStatus::NotAttempted, SectionStatus::Partial] {
        let outcome = audit_again(&with_section(&account(json!({})), section, status), json!({}), None, now());
        let said: Vec<&str> = outcome.not_evaluated.iter().map(|entry| entry.rule.as_str()).collect();
        assert_eq!(said, rules, "{section} {status:?}");
        assert!(outcome.not_evaluated.iter().all(|entry| entry.reason.starts_with(section)));
    }
}

#[test]
fn policies_that_were_not_read_keep_what_came_from_them() {
    let unread = with_section(&wide_and_open(), "policies", SectionStatus::Denied);
    let outcome = audit_again(&unread, json!({}), Some(&first_run()), now());
    assert_eq!(
        state_of(&outcome, "AWS-EXC-01", "alice"),
        Some((FindingState::Unverified, earlier()))
    );
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "worker"), Some((FindingState::Open, earlier())));
    assert_eq!(not_evaluated(&outcome, "AWS-EXC-01").len(), 2);
}

/// What is there is right; what is not there may be on the page that failed.
#[test]
fn a_partial_section_resolves_only_what_is_in_it() {
    let fixed = account(json!({"RoleDetailList": [role("worker", &[], &[])], "UserDetailList": [user("alice", &[], &[], &[])]}));
    let outcome = audit_again(
        &with_section(&fixed, "roles", SectionStatus::Partial),
        json!({}),
        Some(&first_run()),
        now(),
    );
    assert_eq!(
        state_of(&outcome, "AWS-MAP-02", "partner"),
        Some((FindingState::Unverified, earlier()))
    );
    // Its evidence stood in the section that failed, so it is not resolved either.
    assert_eq!(
        state_of(&outcome, "AWS-EXC-01", "worker"),
        Some((FindingState::Unverified, earlier()))
    );
    assert_eq!(state_of(&outcome, "AWS-EXC-01", "alice"), None);
    assert_eq!(
        not_evaluated(&outcome, "AWS-MAP-02"),
        ["roles: read in part: the third page failed"]
    );
    // Findings in what was read are findings.
    let outcome = audit_again(
        &with_section(&wide_and_open(), "roles", SectionStatus::Partial),
        json!({}),
        None,
        now(),
    );
    assert_eq!(state_of(&outcome, "AWS-MAP-02", "partner"), Some((FindingState::Open, now())));
}

#[test]
fn an_identity_without_verdict_keeps_its_findings() {
    let broken = account(json!({"RoleDetailList": [role("worker", &[("wide", json!("{"))], &[])]}));
    let outcome = audit_again(&snapshots(&broken), json!({}), Some(&first_run()), now());
    assert_eq!(
        state_of(&outcome, "AWS-EXC-01", "worker"),
        Some((FindingState::Unverified, earlier()))
    );
    assert_eq!(state_of(&outcome, "AWS-MAP-02", "partner"), None);
}

#[test]
fn an_exemption_does_not_outlive_what_it_excused() {
    let spec = json!({"exemptions": [
        {"name": "accepted", "rules": ["AWS-EXC-01"], "reason": "r", "approvedBy": "b", "expiresAt": "2027-01-01T00:00:00Z"},
    ]});
    let before = audit_again(&snapshots(&wide_and_open()), spec.clone(), None, earlier()).findings;
    let unread = with_section(&wide_and_open(), "roles", SectionStatus::NotAttempted);
    let outcome = audit_again(&unread, spec, Some(&before), now());
    let kept = outcome
        .findings
        .iter()
        .find(|finding| finding.identity.as_ref().unwrap().name == "worker")
        .unwrap();
    assert_eq!((kept.state, kept.exemption.clone()), (FindingState::Unverified, None));
}

#[test]
fn an_account_that_was_not_read_is_no_pass_and_resolves_nothing() {
    let before = first_run();
    let outcome = audit_again(&[], json!({}), Some(&before), now());
    assert_eq!(outcome.not_evaluated.len(), 7);
    assert!(
        outcome
            .not_evaluated
            .iter()
            .all(|entry| entry.reason == "no snapshot of AWS 111122223333 could be used")
    );
    assert_eq!(outcome.findings.len(), before.len());
    assert!(
        outcome
            .findings
            .iter()
            .all(|finding| finding.state == FindingState::Unverified && finding.first_seen == earlier())
    );
    assert!(!outcome.coverage.is_empty());
}

#[rstest]
#[case(Provider::Azure)]
#[case(Provider::Gcp)]
fn a_provider_without_engine_is_no_pass(#[case] provider: Provider) {
    let mut other = snapshots(&account(json!({})));
    other[0].provider = provider;
    let outcome = audit(&AuditInput {
        universe: &Universe::build(&other),
        provider,
        scope: ACCOUNT,
        policy: &policy(json!({})),
        catalogue: &Catalogue::load().unwrap(),
        now: now(),
        previous: None,
    });
    let reasons: Vec<&str> = outcome.coverage.iter().map(|entry| entry.reason.as_str()).collect();
    assert!(
        reasons.contains(&format!("this version cannot evaluate {}", provider.as_str()).as_str()),
        "{reasons:?}"
    );
}

/// A file of earlier findings may hold those of other accounts: they are none of this audit's.
#[test]
fn findings_of_other_accounts_are_passed_over() {
    let mut other = wide_and_open().to_string().replace(ACCOUNT, "999900001111");
    other = other.replace("\"AccountId\":\"111122223333\"", "\"AccountId\":\"999900001111\"");
    let other: Value = serde_json::from_str(&other).unwrap();
    let foreign = audit(&AuditInput {
        universe: &Universe::build(&snapshots(&other)),
        provider: Provider::Aws,
        scope: "999900001111",
        policy: &policy(json!({})),
        catalogue: &Catalogue::load().unwrap(),
        now: earlier(),
        previous: None,
    });
    assert_eq!(foreign.findings.len(), first_run().len());
    let outcome = audit_again(&[], json!({}), Some(&foreign.findings), now());
    assert!(outcome.findings.is_empty());
}
