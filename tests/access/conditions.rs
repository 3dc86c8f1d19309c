//! Conditions: W18–W23.

use ciem::model::Verdict;
use rstest::rstest;
use serde_json::{Value, json};

use super::{PROD, QUEUE, allow, ask, deny, organization, policy, queue, role, session, user, user_with, with};
use crate::support::builder::{AccountBuilder, trust_aws, trust_service};

const START: &str = "ec2:StartInstances";
const INSTANCE: &str = "arn:aws:ec2:eu-west-1:111111111111:instance/i-1";

fn allowed_if(condition: Value) -> ciem::access::aws::Organization {
    user_with(&[with(allow(START, "*"), json!({ "Condition": condition }))])
}

fn denied_if(condition: Value) -> ciem::access::aws::Organization {
    user_with(&[allow(START, "*"), with(deny(START, "*"), json!({ "Condition": condition }))])
}

fn start() -> super::Ask {
    ask(&user("a"), START, INSTANCE)
}

/// Operator, policy value, value of the request, whether they match.
#[rstest]
#[case("StringEquals", "a*", "a*", true)]
#[case("StringEquals", "a*", "ab", false)]
#[case("StringNotEquals", "a", "b", true)]
#[case("StringNotEquals", "a", "a", false)]
#[case("StringEqualsIgnoreCase", "Abc", "aBC", true)]
#[case("StringNotEqualsIgnoreCase", "Abc", "aBC", false)]
#[case("StringLike", "a?c*", "abcd", true)]
#[case("StringLike", "a?c", "ac", false)]
#[case("StringNotLike", "a*", "b", true)]
#[case("NumericEquals", "10", "10.0", true)]
#[case("NumericNotEquals", "10", "11", true)]
#[case("NumericLessThan", "10", "9", true)]
#[case("NumericLessThan", "10", "10", false)]
#[case("NumericLessThanEquals", "10", "10", true)]
#[case("NumericGreaterThan", "10", "9", false)]
#[case("NumericGreaterThanEquals", "10", "10", true)]
#[case("NumericGreaterThan", "9", "10", true)]
#[case("DateEquals", "2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00Z", true)]
#[case("DateNotEquals", "2026-06-01", "2026-06-01T00:00:00Z", false)]
#[case("DateLessThan", "2026-06-01T00:00:00Z", "2026-05-31T23:59:59Z", true)]
#[case("DateLessThanEquals", "2026-06-01", "2026-06-01T00:00:00Z", true)]
#[case("DateGreaterThan", "2026-06-01T00:00Z", "1780272001", true)]
#[case("DateGreaterThanEquals", "1780272000", "2026-06-01T00:00:00Z", true)]
#[case("Bool", "true", "True", true)]
#[case("Bool", "true", "false", false)]
#[case("BinaryEquals", "QmluYXJ5", "QmluYXJ5", true)]
#[case("BinaryEquals", "QmluYXJ5", "T3RoZXI=", false)]
#[case("IpAddress", "10.0.0.0/8", "10.200.1.1", true)]
#[case("IpAddress", "10.0.0.0/8", "11.0.0.1", false)]
#[case("NotIpAddress", "10.0.0.0/8", "11.0.0.1", true)]
#[case("ArnLike", "arn:aws:iam::*:role/x*", "arn:aws:iam::111111111111:role/xy:z", true)]
#[case("ArnEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::111111111111:role/x", true)]
#[case("ArnNotLike", "arn:aws:iam::*:role/x", "arn:aws:iam::111111111111:role/y", true)]
#[case("ArnNotEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::111111111111:role/x", false)]
#[case("StringEqualsIfExists", "a", "b", false)]
#[case("ForAnyValue:StringEquals", "a", "a", true)]
#[case("ForAllValues:StringLike", "a*", "b", false)]
fn w18_operators(#[case] operator: &str, #[case] listed: &str, #[case] asked: &str, #[case] matches: bool) {
    let organization = allowed_if(json!({operator: {"key:x": listed}}));
    let verdict = start().given("key:x", asked).of(&organization).verdict;
    assert_eq!(verdict, if matches { Verdict::Allowed } else { Verdict::Denied });
}

#[test]
fn w18_null_tests_presence() {
    let absent = allowed_if(json!({"Null": {"key:x": "true"}}));
    start().absent("key:x").allowed(&absent);
    start().given("key:x", "1").denied(&absent, "no-grant");
    start().conditional(&absent, "key:x is absent");
    start().conditional(&allowed_if(json!({"Null": {"key:x": false}})), "key:x is present");
}

#[test]
fn w18_unknown_operators_are_not_evaluated() {
    for operator in [
        "StringMatches",
        "stringequals",
        "ForSomeValues:StringEquals",
        "NullIfExists",
        "IfExists",
        "ForAnyValue:Null",
        "",
    ] {
        start().given("key:x", "a").unknown(&allowed_if(json!({operator: {"key:x": "a"}})));
        start().given("key:x", "a").unknown(&denied_if(json!({operator: {"key:x": "a"}})));
    }
    // Another part of the condition that is false decides.
    start()
        .given("key:y", "b")
        .allowed(&denied_if(json!({"StringMatches": {"key:x": "a"}, "StringEquals": {"key:y": "a"}})));
}

#[test]
fn w19_keys_and_operators_are_joined_by_and_values_by_or() {
    let organization = allowed_if(json!({"StringEquals": {"key:x": ["a", "b"], "key:y": "c"}, "Bool": {"key:z": "true"}}));
    let asked = |x: &str, y: &str, z: &str| start().given("key:x", x).given("KEY:Y", y).given("key:z", z);
    asked("b", "c", "true").allowed(&organization);
    asked("c", "c", "true").denied(&organization, "no-grant");
    asked("a", "c", "false").denied(&organization, "no-grant");
    start().conditional(&organization, "key:x in (a, b) and key:y = c and key:z is true");
}

#[test]
fn w19_negated_operators_match_none_of_the_listed() {
    let organization = allowed_if(json!({"StringNotEquals": {"key:x": ["a", "b"]}}));
    start().given("key:x", "c").allowed(&organization);
    start().given("key:x", "b").denied(&organization, "no-grant");
}

#[test]
fn w19_sets_with_negated_operators() {
    let some = allowed_if(json!({"ForAnyValue:StringNotEquals": {"key:x": ["a", "b"]}}));
    start().values("key:x", &["a", "c"]).allowed(&some);
    start().values("key:x", &["a", "b"]).denied(&some, "no-grant");
    let every = allowed_if(json!({"ForAllValues:StringNotEquals": {"key:x": ["a", "b"]}}));
    start().values("key:x", &["c", "d"]).allowed(&every);
    start().values("key:x", &["c", "b"]).denied(&every, "no-grant");
}

/// What an absent key means.
#[rstest]
#[case("StringEquals", false)]
#[case("StringNotEquals", true)]
#[case("StringEqualsIfExists", true)]
#[case("StringNotEqualsIfExists", true)]
#[case("NumericLessThanIfExists", true)]
#[case("ForAllValues:StringEquals", true)]
#[case("ForAllValues:StringNotEquals", true)]
#[case("ForAnyValue:StringEquals", false)]
#[case("ForAnyValue:StringNotEquals", false)]
// Doubt: reported false.
#[case("ForAnyValue:StringEqualsIfExists", false)]
#[case("NotIpAddress", true)]
#[case("ArnNotLike", true)]
#[case("Bool", false)]
fn w20_absent_keys(#[case] operator: &str, #[case] holds: bool) {
    let value = match operator {
        "Bool" => "true",
        "NotIpAddress" => "10.0.0.0/8",
        _ => "1",
    };
    let organization = allowed_if(json!({operator: {"key:x": value}}));
    let expected = if holds { Verdict::Allowed } else { Verdict::Denied };
    assert_eq!(start().absent("key:x").of(&organization).verdict, expected);
    assert_eq!(start().complete().of(&organization).verdict, expected);
    assert_eq!(start().values("key:x", &[]).of(&organization).verdict, expected);
    assert_eq!(start().of(&organization).verdict, Verdict::Conditional);
}

#[test]
fn w20_several_values_without_a_set_operator_do_not_match() {
    // Doubt: no page says what happens; neither form matches.
    start()
        .values("key:x", &["a", "b"])
        .denied(&allowed_if(json!({"StringEquals": {"key:x": "a"}})), "no-grant");
    start()
        .values("key:x", &["a", "b"])
        .denied(&allowed_if(json!({"StringNotEquals": {"key:x": "c"}})), "no-grant");
    start()
        .values("key:x", &["a"])
        .allowed(&allowed_if(json!({"StringEquals": {"key:x": "a"}})));
}

#[test]
fn w21_arn_parts_are_matched_separately() {
    let organization = allowed_if(json!({"ArnLike": {"key:x": "arn:aws:sqs:*:111111111111:q/*"}}));
    start()
        .given("key:x", "arn:aws:sqs:eu-west-1:111111111111:q/a:b/c")
        .allowed(&organization);
    start()
        .given("key:x", "arn:aws:sqs:us-east-1:2:x:111111111111:q/a")
        .denied(&organization, "no-grant");
}

#[test]
fn w21_a_value_that_is_no_arn_does_not_match() {
    start()
        .given("key:x", "AdministratorAccess")
        .denied(&allowed_if(json!({"ArnLike": {"key:x": "arn:aws:iam::*:*"}})), "no-grant");
    start()
        .given("key:x", "AdministratorAccess")
        .allowed(&allowed_if(json!({"ArnNotLike": {"key:x": "arn:aws:iam::*:*"}})));
}

#[test]
fn w22_addresses_of_both_families() {
    let organization = allowed_if(json!({"IpAddress": {"aws:SourceIp": ["2001:db8::/32", "198.51.100.7"]}}));
    start().given("aws:SourceIp", "2001:db8:ffff::1").allowed(&organization);
    start().given("aws:SourceIp", "2001:db9::1").denied(&organization, "no-grant");
    start().given("aws:SourceIp", "198.51.100.7").allowed(&organization);
    start().given("aws:SourceIp", "198.51.100.8").denied(&organization, "no-grant");
}

#[test]
fn w22_values_of_another_form_do_not_match() {
    start()
        .given("key:x", "many")
        .denied(&allowed_if(json!({"NumericEquals": {"key:x": "1"}})), "no-grant");
    start()
        .given("key:x", "many")
        .allowed(&allowed_if(json!({"NumericNotEquals": {"key:x": "1"}})));
    start()
        .given("key:x", "soon")
        .denied(&allowed_if(json!({"DateLessThan": {"key:x": "2026-01-01"}})), "no-grant");
}

#[test]
fn w23_a_conditional_deny_leaves_its_negation() {
    start().conditional(
        &denied_if(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}})),
        "aws:SourceVpc = vpc-1",
    );
    start().conditional(
        &denied_if(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
        "aws:SourceIp not in 10.0.0.0/8",
    );
    start().conditional(
        &denied_if(json!({"Bool": {"aws:SecureTransport": "false"}})),
        "not (aws:SecureTransport is false)",
    );
    start().conditional(
        &denied_if(json!({"StringEquals": {"key:x": "a"}, "Null": {"key:y": "false"}})),
        "key:x != a or key:y is absent",
    );
}

#[test]
fn w23_contradictions_are_denials_and_tautologies_allow() {
    let both = |one: Value, other: Value| {
        user_with(&[
            with(allow(START, "*"), json!({"Condition": one})),
            with(allow(START, "*"), json!({"Condition": other})),
        ])
    };
    start().allowed(&both(
        json!({"StringEquals": {"key:x": "a"}}),
        json!({"StringNotEquals": {"key:x": "a"}}),
    ));
    start().allowed(&both(json!({"Null": {"key:x": "true"}}), json!({"Null": {"key:x": "false"}})));
    start().conditional(
        &both(json!({"StringEquals": {"key:x": "a"}}), json!({"StringEquals": {"key:x": "b"}})),
        "key:x = a or key:x = b",
    );
    start().denied(
        &allowed_if(json!({"StringEquals": {"key:x": "a"}, "StringLike": {"key:x": "b*"}})),
        "no-grant",
    );
    start().denied(
        &allowed_if(json!({"StringEquals": {"key:x": "a"}, "Null": {"key:x": "true"}})),
        "no-grant",
    );
    start().denied(
        &allowed_if(json!({"IpAddress": {"key:x": "10.0.0.0/8"}, "NotIpAddress": {"key:x": "0.0.0.0/0"}})),
        "no-grant",
    );
    start().denied(&denied_if(json!({"StringLikeIfExists": {"key:x": "*"}})), "explicit-deny");
}

#[test]
fn w23_residuals_are_short_and_in_order() {
    start().conditional(
        &allowed_if(json!({"StringEquals": {"key:x": ["b", "a"]}, "StringLike": {"key:x": "a*"}})),
        "key:x = a",
    );
    start().conditional(
        &allowed_if(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        "aws:MultiFactorAuthPresent is true and aws:SourceIp in 10.0.0.0/8",
    );
    start().conditional(
        &allowed_if(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["env"]}})),
        "every aws:TagKeys = env",
    );
}

#[test]
fn w23_what_the_caller_chooses_is_marked() {
    let mark = |condition: Value| {
        let residual = start().of(&allowed_if(condition)).residual.unwrap();
        serde_json::to_value(residual).unwrap()["atom"]["callerControlled"].clone()
    };
    assert_eq!(mark(json!({"StringEquals": {"aws:RequestTag/env": "test"}})), json!(true));
    assert_eq!(mark(json!({"StringEquals": {"aws:UserAgent": "x"}})), json!(true));
    assert_eq!(mark(json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}})), json!(false));
}

#[test]
fn w23_facts_of_the_principal_are_put_in() {
    for (key, value) in [
        ("aws:PrincipalArn", user("a")),
        ("aws:PrincipalAccount", PROD.to_owned()),
        ("aws:PrincipalType", "User".to_owned()),
        ("aws:username", "a".to_owned()),
        ("aws:ResourceAccount", PROD.to_owned()),
        ("aws:RequestedRegion", "eu-west-1".to_owned()),
        ("aws:PrincipalIsAWSService", "false".to_owned()),
    ] {
        start().allowed(&allowed_if(json!({"StringEquals": {key: value}})));
        start().denied(&allowed_if(json!({"StringNotEquals": {key: value}})), "no-grant");
        // A question may say otherwise.
        start()
            .given(key, "other")
            .denied(&allowed_if(json!({"StringEquals": {key: value}})), "no-grant");
    }
}

#[test]
fn w23_a_session_speaks_with_its_roles_arn() {
    let account = AccountBuilder::new(PROD)
        .role("r", trust_service("ec2.amazonaws.com"), |role| role)
        .resource(queue(&[with(
            allow("sqs:*", "*"),
            json!({"Principal": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": role("r")}}}),
        )]));
    let organization = organization(vec![account.build()]);
    ask(&session("r", "s"), "sqs:SendMessage", QUEUE).allowed(&organization);
    ask("anonymous", "sqs:SendMessage", QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w23_tags_of_a_role_are_known_only_if_nobody_passes_session_tags() {
    let tagged = policy(&[with(
        allow(START, "*"),
        json!({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}}}),
    )]);
    let passing = policy(&[json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Principal": {"AWS": PROD}})]);
    let account = AccountBuilder::new(PROD)
        .role("fixed", trust_aws(PROD), |role| {
            role.tag("Team", "blue").inline("p", tagged.clone())
        })
        .role("free", passing, |role| role.tag("team", "blue").inline("p", tagged.clone()));
    let organization = organization(vec![account.build()]);
    ask(&role("fixed"), START, INSTANCE).allowed(&organization);
    ask(&role("free"), START, INSTANCE).conditional(&organization, "aws:PrincipalTag/team = blue");
}

#[test]
fn w23_keys_of_services_are_absent_from_requests_of_principals() {
    start().denied(&allowed_if(json!({"StringEquals": {"aws:SourceAccount": PROD}})), "no-grant");
    start().allowed(&allowed_if(json!({"StringEqualsIfExists": {"aws:SourceAccount": PROD}})));
}

#[test]
fn w23_an_unknown_variable_in_a_value_stays_open() {
    let organization = allowed_if(json!({"StringEquals": {"key:x": ["fixed", "${key:y}"]}}));
    start().given("key:x", "fixed").allowed(&organization);
    assert_eq!(start().given("key:x", "other").of(&organization).verdict, Verdict::Conditional);
    start().given("key:x", "other").given("key:y", "other").allowed(&organization);
    start().given("key:x", "other").absent("key:y").denied(&organization, "no-grant");
}
