//! What a policy makes of the rules: selection, severities, parameters, exemptions, and what of it is not known.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::model::Severity;

/// An account with a finding of every rule.
fn account_of_all() -> Value {
    super::golden::account()
}

fn under(spec: Value) -> AuditOutcome {
    audit_again(&snapshots(&account_of_all()), spec, None, now())
}

fn rules_found(outcome: &AuditOutcome) -> Vec<&str> {
    let mut rules: Vec<&str> = outcome.findings.iter().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

const ALL: &[&str] = &[
    "AWS-EXC-01",
    "AWS-EXC-02",
    "AWS-EXC-03",
    "AWS-EXC-13",
    "AWS-MAP-01",
    "AWS-MAP-02",
    "AWS-MAP-04",
];

/// Catalogue and code name the same predicates: no rule without one, none without a rule.
#[test]
fn every_rule_has_a_predicate_and_every_predicate_a_rule() {
    let catalogue = Catalogue::load().unwrap();
    let mut named: Vec<&str> = catalogue.rules().iter().map(|rule| rule.check.as_str()).collect();
    named.sort_unstable();
    named.dedup();
    let built: Vec<&str> = rules::PREDICATES.iter().map(|predicate| predicate.name).collect();
    assert_eq!(named, built);
}

/// What a rule says it needs are sections of a snapshot, so that "not read" can be told.
#[test]
fn inputs_are_sections() {
    use crate::snapshot::aws::section::{GROUPS, POLICIES, ROLES, USERS};
    for rule in Catalogue::load().unwrap().rules() {
        for input in &rule.inputs {
            assert!([GROUPS, POLICIES, ROLES, USERS].contains(&input.as_str()), "{} {input}", rule.id);
        }
    }
}

#[rstest]
#[case::nothing(json!({}), ALL)]
#[case::id(json!({"include": ["AWS-EXC-01"]}), &["AWS-EXC-01"])]
#[case::pattern(json!({"include": ["AWS-MAP-*"]}), &["AWS-MAP-01", "AWS-MAP-02", "AWS-MAP-04"])]
#[case::step(json!({"include": ["excess"]}), &["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03", "AWS-EXC-13"])]
#[case::tag(json!({"include": ["federation"]}), &["AWS-MAP-04"])]
#[case::framework(json!({"include": ["CIS-AWS"]}), &["AWS-EXC-01", "AWS-EXC-13"])]
#[case::framework_version(json!({"include": ["CIS-AWS/v5.0"]}), &["AWS-EXC-01", "AWS-EXC-13"])]
#[case::control(json!({"include": ["CIS-AWS/v5.0/1.15"]}), &["AWS-EXC-01"])]
#[case::part_of_a_control(json!({"include": ["CIS-AWS/v5.0/1.1"]}), &[])]
#[case::excluded(json!({"exclude": ["AWS-EXC-*", "federation"]}), &["AWS-MAP-01", "AWS-MAP-02"])]
#[case::exclude_is_stronger(json!({"include": ["trust"], "exclude": ["AWS-MAP-02"]}), &["AWS-MAP-01", "AWS-MAP-04"])]
fn rules_are_selected(#[case] rules: Value, #[case] expected: &[&str]) {
    let outcome = under(json!({"rules": rules}));
    assert_eq!(rules_found(&outcome), expected);
}

/// A rule that was taken out has not passed; one that nobody asked for is not mentioned.
#[test]
fn excluded_rules_are_said_to_be_not_evaluated() {
    let outcome = under(json!({"rules": {"include": ["excess"], "exclude": ["AWS-EXC-01", "AWS-MAP-01"]}}));
    let rules: Vec<&str> = outcome.not_evaluated.iter().map(|entry| entry.rule.as_str()).collect();
    assert_eq!(rules, ["AWS-EXC-01"]);
    assert_eq!(
        not_evaluated(&outcome, "AWS-EXC-01"),
        ["the policy excludes the rule (rules.exclude)"]
    );
    // Not selecting everything does not make everything else a finding: a service beside everything still adds nothing.
    assert!(
        outcome
            .findings
            .iter()
            .all(|finding| finding.identity.as_ref().unwrap().name != "administrator")
    );
}

#[test]
fn an_account_without_rules_has_not_passed() {
    let outcome = under(json!({"rules": {"include": ["AWS-EXC-99"]}}));
    assert!(outcome.findings.is_empty());
    assert!(
        outcome
            .coverage
            .iter()
            .any(|entry| entry.source == "rules" && entry.reason.ends_with("nothing was judged"))
    );
}

#[test]
fn severities_are_overridden() {
    let outcome = under(json!({"rules": {"severityOverrides": [{"rule": "AWS-EXC-01", "severity": "Info"}]}}));
    assert_eq!(the(&outcome, "AWS-EXC-01").severity, Severity::Info);
    assert_eq!(the(&outcome, "AWS-MAP-02").severity, Severity::Critical);
    // The id is the same: an override is no other problem.
    assert_eq!(the(&outcome, "AWS-EXC-01").id, the(&under(json!({})), "AWS-EXC-01").id);
}

#[test]
fn parameters_are_set() {
    let set = |rule: &str, name: &str, value: &str| under(json!({"rules": {"parameters": [{"rule": rule, "name": name, "value": value}]}}));
    assert!(found(&set("AWS-EXC-02", "ignoredServices", "sqs, s3"), "AWS-EXC-02").is_empty());
    assert_eq!(found(&set("AWS-EXC-02", "ignoredServices", "ec2"), "AWS-EXC-02").len(), 1);
    assert!(found(&set("AWS-EXC-13", "ignoredPolicies", "own*"), "AWS-EXC-13").is_empty());
    assert_eq!(found(&set("AWS-EXC-13", "ignoredPolicies", "other"), "AWS-EXC-13").len(), 1);
}

#[test]
fn what_a_policy_names_and_nobody_knows_is_said() {
    let outcome = under(json!({
        "rules": {
            "include": ["AWS-EXC-01", "AWS-EXC-99", "CIS-AWS/v9.0", "SOC-2"],
            "exclude": ["nonsense"],
            "severityOverrides": [{"rule": "AWS-INV-04", "severity": "Low"}],
            "parameters": [
                {"rule": "AWS-EXC-98", "name": "days", "value": "1"},
                {"rule": "AWS-EXC-13", "name": "days", "value": "1"},
                {"rule": "AWS-EXC-13", "name": "ignoredPolicies", "value": "own"},
            ],
        },
        "guardrails": [{"name": "storage", "who": {}, "effect": "Never", "access": {"classes": ["delete-data"]}, "severity": "High"}],
        "sensitive": [{"name": "records", "resources": {"names": ["records-*"]}, "weight": 50}],
        "scoring": {"tables": {"exposure": {"public": 900}}},
        "exemptions": [
            {"name": "old", "rules": ["AWS-OLD-*", "AWS-EXC-13"], "reason": "r", "approvedBy": "b", "expiresAt": "2027-01-01T00:00:00Z"},
        ],
    }));
    let said: Vec<(&str, &str)> = outcome
        .policy_problems
        .iter()
        .map(|problem| (problem.place.as_str(), problem.value.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("exemptions[old].rules", "AWS-OLD-*"),
            ("guardrails[storage]", "storage"),
            ("rules.exclude[0]", "nonsense"),
            ("rules.include[1]", "AWS-EXC-99"),
            ("rules.include[2]", "CIS-AWS/v9.0"),
            ("rules.parameters[0].rule", "AWS-EXC-98"),
            ("rules.parameters[1].name", "days"),
            ("rules.severityOverrides[0].rule", "AWS-INV-04"),
            ("scoring.tables", "exposure"),
            ("sensitive[records]", "records"),
        ]
    );
    // Nothing of it is fatal.
    assert_eq!(found(&outcome, "AWS-EXC-01").len(), 1);
    assert!(under(json!({})).policy_problems.is_empty());
}

fn exemption(name: &str, more: Value) -> Value {
    let mut whole = json!({"name": name, "rules": ["AWS-*"], "reason": "r", "approvedBy": "b", "expiresAt": "2027-03-01T00:00:00Z"});
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    whole
}

fn state_of(outcome: &AuditOutcome, rule: &str) -> (FindingState, Option<String>) {
    let finding = the(outcome, rule);
    (finding.state, finding.exemption.clone())
}

#[rstest]
#[case::rule(json!({"rules": ["AWS-EXC-01"]}), true)]
#[case::rule_pattern(json!({"rules": ["AWS-MAP-*", "*-EXC-01"]}), true)]
#[case::other_rule(json!({"rules": ["AWS-EXC-02"]}), false)]
#[case::account(json!({"accounts": [ACCOUNT]}), true)]
#[case::other_account(json!({"accounts": [VENDOR]}), false)]
#[case::kind(json!({"identity": {"kinds": ["Role"]}}), true)]
#[case::other_kind(json!({"identity": {"kinds": ["User"]}}), false)]
#[case::name(json!({"identity": {"names": ["admin*"]}}), true)]
#[case::id(json!({"identity": {"ids": ["arn:aws:iam::*:role/break-glass/administrator"]}}), true)]
#[case::path(json!({"identity": {"paths": ["/break-glass/*"]}}), true)]
#[case::other_path(json!({"identity": {"paths": ["/other/"]}}), false)]
#[case::labels(json!({"identity": {"labels": {"matchLabels": {"purpose": "emergency"}}}}), true)]
#[case::other_labels(json!({"identity": {"labels": {"matchExpressions": [{"key": "purpose", "operator": "NotIn", "values": ["emergency"]}]}}}), false)]
#[case::all_of_it(json!({"identity": {"kinds": ["Role"], "names": ["admin*"], "paths": ["/other/"]}}), false)]
#[case::federated(json!({"identity": {"federated": {"issuer": "*"}}}), false)]
#[case::resource(json!({"resource": {"ids": ["*"]}}), false)]
fn an_exemption_fits_by_all_that_it_says(#[case] more: Value, #[case] fits: bool) {
    let outcome = under(json!({"exemptions": [exemption("accepted", more)]}));
    let expected = if fits {
        (FindingState::Exempted, Some("accepted".to_owned()))
    } else {
        (FindingState::Open, None)
    };
    assert_eq!(state_of(&outcome, "AWS-EXC-01"), expected);
}

/// In force while `now` is before its end, to the moment.
#[rstest]
#[case::long_before("2026-01-01T00:00:00Z", true, false)]
#[case::two_weeks_and_a_second_before("2027-02-14T23:59:59Z", true, false)]
#[case::two_weeks_before("2027-02-15T00:00:00Z", true, true)]
#[case::a_moment_before("2027-02-28T23:59:59.999999999Z", true, true)]
#[case::at_its_end("2027-03-01T00:00:00Z", false, false)]
#[case::in_another_zone("2027-03-01T01:30:00+01:30", false, false)]
#[case::after("2027-03-02T00:00:00Z", false, false)]
fn an_exemption_ends(#[case] time: &str, #[case] in_force: bool, #[case] expiring: bool) {
    let spec = json!({"exemptions": [exemption("accepted", json!({"rules": ["AWS-EXC-01"]}))]});
    let outcome = audit_again(&snapshots(&account_of_all()), spec, None, time.parse().unwrap());
    assert_eq!(state_of(&outcome, "AWS-EXC-01").0 == FindingState::Exempted, in_force);
    let names = |listed: bool| if listed { vec!["accepted".to_owned()] } else { Vec::new() };
    assert_eq!(
        outcome.exemptions,
        ExemptionNames {
            active: names(in_force),
            expiring: names(expiring),
            expired: names(!in_force)
        }
    );
}

#[test]
fn the_first_exemption_by_name_counts_and_other_accounts_are_not_listed() {
    let outcome = under(json!({"exemptions": [
        exemption("zebra", json!({})),
        exemption("apple", json!({"expiresAt": "2026-01-01T00:00:00Z"})),
        exemption("mango", json!({"rules": ["AWS-EXC-*"]})),
        exemption("elsewhere", json!({"accounts": [VENDOR]})),
    ]}));
    assert_eq!(state_of(&outcome, "AWS-EXC-01").1.as_deref(), Some("mango"));
    assert_eq!(state_of(&outcome, "AWS-MAP-02").1.as_deref(), Some("zebra"));
    assert_eq!(outcome.exemptions.active, ["mango", "zebra"]);
    assert_eq!(outcome.exemptions.expired, ["apple"]);
    // What is excused is no work, so it makes no group.
    assert!(outcome.groups.is_empty());
}
