//! AWS-MAP-01 and 02: trust in other accounts, and in everybody.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const ROOT: &str = "arn:aws:iam::444455556666:root";

fn trusted(statements: Value) -> AuditOutcome {
    audit_of(&roles(vec![trusting("partner", &statements)]))
}

fn vendor(condition: Value) -> Value {
    json!([when(trust(json!({"AWS": ROOT})), condition)])
}

fn anyone(condition: Value) -> Value {
    json!([when(trust(json!("*")), condition)])
}

#[rstest]
#[case::root(json!({"AWS": ROOT}))]
#[case::account_id(json!({"AWS": VENDOR}))]
#[case::role(json!({"AWS": "arn:aws:iam::444455556666:role/scanner"}))]
#[case::service_linked_role(json!({"AWS": "arn:aws:iam::444455556666:role/aws-service-role/stacksets.cloudformation.amazonaws.com/X"}))]
#[case::session(json!({"AWS": "arn:aws:sts::444455556666:assumed-role/scanner/one"}))]
#[case::among_others(json!({"AWS": ["111122223333", ROOT], "Service": "ec2.amazonaws.com"}))]
fn another_account_is_found_however_it_is_named(#[case] principal: Value) {
    let outcome = trusted(json!([trust(principal)]));
    let finding = the(&outcome, "AWS-MAP-01");
    assert_eq!(
        (finding.discriminator.as_str(), finding.severity),
        (VENDOR, crate::model::Severity::High)
    );
    assert_eq!(
        finding.evidence.summary,
        "role partner can be assumed from account 444455556666, and no condition asks for an external id or an organization"
    );
    assert_eq!(finding.evidence.statements[0].layer, "trust");
    assert!(passes(&outcome, "AWS-MAP-02"));
}

#[rstest]
#[case::own_account(json!({"AWS": "arn:aws:iam::111122223333:root"}))]
#[case::own_role(json!({"AWS": "arn:aws:iam::111122223333:role/other"}))]
#[case::service(json!({"Service": "lambda.amazonaws.com"}))]
#[case::saml(json!({"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}))]
#[case::deleted_principal(json!({"AWS": "AROAEXAMPLEDELETED12"}))]
fn who_is_no_outsider_is_not_found(#[case] principal: Value) {
    let outcome = trusted(json!([trust(principal)]));
    assert!(passes(&outcome, "AWS-MAP-01") && passes(&outcome, "AWS-MAP-02"));
}

#[rstest]
#[case::external_id(json!({"StringEquals": {"sts:ExternalId": "agreed-17"}}))]
#[case::case_of_the_key(json!({"StringEquals": {"STS:externalid": "agreed-17"}}))]
#[case::several(json!({"StringEquals": {"sts:ExternalId": ["agreed-17", "agreed-18"]}}))]
#[case::partly_wild(json!({"StringLike": {"sts:ExternalId": "agreed-*"}}))]
#[case::literal_asterisk(json!({"StringEquals": {"sts:ExternalId": "*"}}))]
#[case::ignore_case(json!({"StringEqualsIgnoreCase": {"sts:ExternalId": "agreed-17"}}))]
#[case::any_value(json!({"ForAnyValue:StringEquals": {"sts:ExternalId": "agreed-17"}}))]
#[case::with_more(json!({"StringEquals": {"sts:ExternalId": "agreed-17"}, "Bool": {"aws:SecureTransport": "true"}}))]
#[case::organization(json!({"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}))]
#[case::organization_path(json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-aaaaaaaaaa/r-ab12/ou-1/*"}}))]
fn a_guard_is_recognised(#[case] condition: Value) {
    assert!(passes(&trusted(vendor(condition)), "AWS-MAP-01"));
}

#[rstest]
#[case::any_text(json!({"StringLike": {"sts:ExternalId": "*"}}))]
#[case::any_text_of_a_length(json!({"StringLike": {"sts:ExternalId": "??*"}}))]
#[case::one_of_two_is_any(json!({"StringLike": {"sts:ExternalId": ["agreed-17", "*"]}}))]
#[case::negated(json!({"StringNotEquals": {"sts:ExternalId": "agreed-17"}}))]
#[case::if_exists(json!({"StringEqualsIfExists": {"sts:ExternalId": "agreed-17"}}))]
#[case::all_values(json!({"ForAllValues:StringEquals": {"sts:ExternalId": "agreed-17"}}))]
#[case::present(json!({"Null": {"sts:ExternalId": "false"}}))]
#[case::misspelt(json!({"StringEquals": {"sts:ExternalID2": "agreed-17"}}))]
#[case::other_service(json!({"StringEquals": {"aws:ExternalId": "agreed-17"}}))]
#[case::callers_own_value(json!({"StringEquals": {"sts:ExternalId": "${aws:PrincipalAccount}"}}))]
#[case::mfa(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}))]
#[case::network(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))]
#[case::any_organization(json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}))]
#[case::any_organization_path(json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-ab12/*"}}))]
#[case::absent_path(json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-aaaaaaaaaa/*"}}))]
#[case::not_that_organization(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}))]
#[case::who_of_them(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/scanner"}}))]
#[case::user_id(json!({"StringLike": {"aws:userid": "AROAEXAMPLE:*"}}))]
fn what_asks_for_nothing_does_not_hide_it(#[case] condition: Value) {
    let outcome = trusted(vendor(condition));
    assert_eq!(the(&outcome, "AWS-MAP-01").discriminator, VENDOR);
}

/// A deny of everybody who lacks the external id guards as well as a condition on the allow.
#[test]
fn a_deny_guards_too() {
    let denied = json!({
        "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringNotEquals": {"sts:ExternalId": "agreed-17"}},
    });
    assert!(passes(&trusted(json!([trust(json!({"AWS": ROOT})), denied])), "AWS-MAP-01"));
}

#[test]
fn each_account_is_a_finding_of_its_own_and_guards_count_for_each_statement() {
    let outcome = trusted(json!([
        when(
            trust(json!({"AWS": ROOT})),
            json!({"StringEquals": {"sts:ExternalId": "agreed-17"}})
        ),
        trust(json!({"AWS": ["arn:aws:iam::777788889999:role/a", "arn:aws:iam::777788889999:role/b"]})),
        trust(json!({"AWS": "arn:aws:iam::222233334444:root"})),
    ]));
    let accounts: Vec<String> = found(&outcome, "AWS-MAP-01").into_iter().map(|(_, account)| account).collect();
    assert_eq!(accounts, ["222233334444", "777788889999"]);
    // The same account once more, without a guard.
    let outcome = trusted(json!([
        when(
            trust(json!({"AWS": ROOT})),
            json!({"StringEquals": {"sts:ExternalId": "agreed-17"}})
        ),
        trust(json!({"AWS": "arn:aws:iam::444455556666:user/bob"})),
    ]));
    let finding = the(&outcome, "AWS-MAP-01");
    assert_eq!(
        (finding.evidence.statements.len(), finding.evidence.statements[0].statement),
        (1, 1)
    );
}

#[test]
fn the_condition_that_is_no_guard_is_shown() {
    let outcome = trusted(vendor(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})));
    let shown = serde_json::to_string(&the(&outcome, "AWS-MAP-01").conditions).unwrap();
    assert!(shown.contains("aws:MultiFactorAuthPresent"), "{shown}");
}

#[test]
fn trusted_accounts_and_organizations_are_no_outsiders() {
    let account = roles(vec![trusting("partner", &json!([trust(json!({"AWS": ROOT}))]))]);
    let under = |spec: Value| audit_again(&snapshots(&account), spec, None, now());
    assert!(passes(&under(json!({"trusted": {"accounts": [VENDOR]}})), "AWS-MAP-01"));
    assert!(!passes(&under(json!({"trusted": {"accounts": ["999999999999"]}})), "AWS-MAP-01"));
    // Where the policy says which organizations are trusted, a condition on another one is no guard.
    let account = roles(vec![trusting(
        "partner",
        &vendor(json!({"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}})),
    )]);
    let under = |organization: &str| {
        audit_again(
            &snapshots(&account),
            json!({"trusted": {"organizations": [organization]}}),
            None,
            now(),
        )
    };
    assert!(passes(&under("o-aaaaaaaaaa"), "AWS-MAP-01"));
    assert!(!passes(&under("o-bbbbbbbbbb"), "AWS-MAP-01"));
}

/// Accounts whose snapshots are read together form the organization.
#[test]
fn an_account_that_is_read_too_is_no_outsider() {
    let mut together = snapshots(&roles(vec![trusting("partner", &json!([trust(json!({"AWS": ROOT}))]))]));
    let mut other = account(json!({"RoleDetailList": []}));
    other["AccountId"] = json!(VENDOR);
    together.extend(snapshots(&other));
    assert!(passes(&audit_again(&together, json!({}), None, now()), "AWS-MAP-01"));
}

/// So do those that the organization lists, though nothing else of them was read; its id is the own one.
#[test]
fn a_member_of_the_own_organization_is_no_outsider() {
    let in_organization = |id: &str, account: &Value| {
        let input = json!({
            "accounts": [account],
            "organization": {"id": id, "managementAccount": VENDOR, "accounts": [
                {"id": ACCOUNT, "path": "o-aaaaaaaaaa/r-ab12/"}, {"id": VENDOR, "path": "o-aaaaaaaaaa/r-ab12/"},
            ]},
        });
        audit_again(&snapshots(&input), json!({}), None, now())
    };
    let member = roles(vec![trusting("partner", &json!([trust(json!({"AWS": ROOT}))]))]);
    assert!(passes(&in_organization("o-aaaaaaaaaa", &member), "AWS-MAP-01"));
    let outsider = json!([when(
        trust(json!({"AWS": "777788889999"})),
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}})
    )]);
    let outsider = roles(vec![trusting("partner", &outsider)]);
    assert!(passes(&in_organization("o-aaaaaaaaaa", &outsider), "AWS-MAP-01"));
    assert!(!passes(&in_organization("o-bbbbbbbbbb", &outsider), "AWS-MAP-01"));
}

#[rstest]
#[case::nothing(json!({}))]
#[case::external_id(json!({"StringEquals": {"sts:ExternalId": "agreed-17"}}))]
#[case::network(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))]
#[case::any_account(json!({"StringLike": {"aws:PrincipalAccount": "*"}}))]
#[case::any_role(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/scanner"}}))]
// A role's path may hold colons, so that a pattern over the whole text does not stop at the account.
#[case::account_behind_a_wildcard(json!({"StringLike": {"aws:PrincipalArn": "arn:*:iam::111122223333:role/x"}}))]
#[case::arn_without_account(json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}))]
#[case::arn_of_any_account(json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}))]
#[case::misspelt(json!({"StringEquals": {"aws:PrincipleAccount": "111122223333"}}))]
#[case::negated(json!({"StringNotEquals": {"aws:PrincipalAccount": "444455556666"}}))]
#[case::if_exists(json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}))]
#[case::tag(json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}))]
#[case::one_of_two_open(json!({"StringLike": {"aws:PrincipalAccount": ["111122223333", "4444*"]}}))]
fn everybody_is_found_unless_a_condition_says_who(#[case] condition: Value) {
    let outcome = trusted(anyone(condition));
    assert_eq!(the(&outcome, "AWS-MAP-02").severity, crate::model::Severity::Critical);
    assert!(found(&outcome, "AWS-MAP-01").is_empty());
}

#[rstest]
#[case::aws_star(json!({"AWS": "*"}))]
#[case::in_a_list(json!({"AWS": ["arn:aws:iam::111122223333:root", "*"]}))]
fn everybody_is_found_however_it_is_written(#[case] principal: Value) {
    assert_eq!(found(&trusted(json!([trust(principal)])), "AWS-MAP-02").len(), 1);
}

/// Allow with `NotPrincipal` reads as public (W15).
#[test]
fn everybody_but_somebody_is_everybody() {
    let statement = json!({"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": "sts:AssumeRole"});
    assert_eq!(found(&trusted(json!([statement])), "AWS-MAP-02").len(), 1);
}

/// Known wrong answers 6 and 15: a fixed account, organization or principal is not the public. If it is an outsider, it is trusted
/// without a guard.
#[rstest]
#[case::own_account(json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}}), &[])]
#[case::own_role(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}}), &[])]
#[case::own_role_in_any_partition(json!({"ArnLike": {"aws:PrincipalArn": "arn:*:iam::111122223333:role/*"}}), &[])]
#[case::own_source_account(json!({"StringEquals": {"aws:SourceAccount": "111122223333"}}), &[])]
#[case::own_source(json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:topic"}}), &[])]
#[case::organization(json!({"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}), &[])]
#[case::services(json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}), &[])]
#[case::user_id(json!({"StringLike": {"aws:userid": "AROAEXAMPLE:*"}}), &[])]
#[case::outsider(json!({"StringEquals": {"aws:PrincipalAccount": VENDOR}}), &[VENDOR])]
#[case::outsider_by_role(json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/*"}}), &[VENDOR])]
#[case::own_and_outsider(json!({"StringEquals": {"aws:PrincipalAccount": ["111122223333", VENDOR]}}), &[VENDOR])]
#[case::guarded_outsider(
    json!({"StringEquals": {"aws:PrincipalAccount": VENDOR, "sts:ExternalId": "agreed-17"}}),
    &[]
)]
fn a_condition_that_says_who_makes_it_trust_in_these(#[case] condition: Value, #[case] outsiders: &[&str]) {
    let outcome = trusted(anyone(condition));
    assert!(passes(&outcome, "AWS-MAP-02"));
    let accounts: Vec<String> = found(&outcome, "AWS-MAP-01").into_iter().map(|(_, account)| account).collect();
    assert_eq!(accounts, outsiders);
}

#[test]
fn a_foreign_organization_is_an_outsider_where_the_own_is_known() {
    let account = roles(vec![trusting(
        "partner",
        &anyone(json!({"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}})),
    )]);
    let outcome = audit_again(
        &snapshots(&account),
        json!({"trusted": {"organizations": ["o-bbbbbbbbbb"]}}),
        None,
        now(),
    );
    let finding = the(&outcome, "AWS-MAP-01");
    assert_eq!(finding.discriminator, "o-aaaaaaaaaa");
    assert!(finding.evidence.summary.contains("from organization o-aaaaaaaaaa"));
}

#[rstest]
#[case::unknown_operator(json!({"StringMatches": {"sts:ExternalId": "agreed-17"}}))]
#[case::malformed_condition(json!("x"))]
fn a_condition_that_cannot_be_evaluated_is_neither_finding_nor_pass(#[case] condition: Value) {
    for principal in [json!({"AWS": ROOT}), json!("*")] {
        let outcome = trusted(json!([when(trust(principal), condition.clone())]));
        assert!(found(&outcome, "AWS-MAP-01").is_empty() && found(&outcome, "AWS-MAP-02").is_empty());
        for rule in ["AWS-MAP-01", "AWS-MAP-02"] {
            assert_eq!(
                not_evaluated(&outcome, rule),
                ["one identity could not be judged: see the coverage"],
                "{rule}"
            );
        }
        assert!(passes(&outcome, "AWS-EXC-01"));
    }
}

#[test]
fn a_trust_policy_that_was_not_read_is_no_pass() {
    let mut unread = trusting("partner", &json!([]));
    unread.as_object_mut().unwrap().remove("AssumeRolePolicyDocument");
    let outcome = audit_of(&roles(vec![unread]));
    for rule in ["AWS-MAP-01", "AWS-MAP-02", "AWS-MAP-04"] {
        assert_eq!(
            not_evaluated(&outcome, rule),
            ["one identity could not be judged: see the coverage"],
            "{rule}"
        );
    }
}

#[test]
fn roles_that_share_an_outsider_are_one_group() {
    let statement = json!([trust(json!({"AWS": ROOT}))]);
    let outcome = audit_of(&roles(vec![
        trusting("a", &statement),
        trusting("b", &statement),
        trusting("c", &json!([trust(json!("*"))])),
    ]));
    assert_eq!(outcome.groups.len(), 1);
    assert_eq!((outcome.groups[0].cause.as_str(), outcome.groups[0].findings.len()), (VENDOR, 2));
}
