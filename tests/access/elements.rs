//! The elements of statements: W13–W17.

use ciem::access::Entitlements;
use ciem::model::CoverageEntry;
use serde_json::{Value, json};

use super::{PROD, QUEUE, allow, ask, deny, organization, policy, queue, role, session, user, user_with, with};
use crate::support::builder::{AccountBuilder, trust_service};

const INSTANCE: &str = "arn:aws:ec2:eu-west-1:111111111111:instance/i-1";

/// User `a` whose inline policy is this text.
fn user_with_text(text: &str) -> ciem::access::aws::Organization {
    organization(vec![
        AccountBuilder::new(PROD).user("a", |user| user.inline("p", json!(text))).build(),
    ])
}

/// Places and reasons of what of user `a` could not be used.
fn faults(organization: &ciem::access::aws::Organization) -> Vec<String> {
    organization
        .unusable(&user("a"))
        .into_iter()
        .map(|CoverageEntry { place, .. }| place)
        .collect()
}

#[test]
fn w13_actions_ignore_case_and_wildcards_stand_anywhere() {
    let organization = user_with(&[allow("EC2:start?nstances", "*"), allow("s3:Get*Tagging", "*")]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&organization);
    ask(&user("a"), "ec2:StartXInstances", INSTANCE).denied(&organization, "no-grant");
    ask(&user("a"), "s3:GetObjectTagging", "arn:aws:s3:::b/x").allowed(&organization);
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::b/x").denied(&organization, "no-grant");
}

#[test]
fn w13_whitespace_strings_and_lists_are_taken() {
    let organization = user_with(&[json!({"Effect": "Allow", "Action": [" ec2:StartInstances "], "Resource": [" * "]})]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&organization);
    let single = organization_of(json!({"Version": "2012-10-17", "Statement": allow("ec2:*", "*")}));
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&single);
}

fn organization_of(document: Value) -> ciem::access::aws::Organization {
    organization(vec![AccountBuilder::new(PROD).user("a", |user| user.inline("p", document)).build()])
}

#[test]
fn w13_not_action_is_the_complement_unknown_actions_included() {
    let organization = user_with(&[json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"})]);
    ask(&user("a"), "neverheardof:DoThing", "*").allowed(&organization);
    ask(&user("a"), "IAM:CreateUser", &user("new")).denied(&organization, "no-grant");
}

#[test]
fn w14_resources_count_by_case_and_stars_span_the_last_part() {
    let organization = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-west-1:111111111111:instance/*-web/*")]);
    let instance = |id: &str| format!("arn:aws:ec2:eu-west-1:111111111111:instance/{id}");
    ask(&user("a"), "ec2:StartInstances", &instance("a:b/c-web/d")).allowed(&organization);
    ask(&user("a"), "ec2:StartInstances", &instance("a-WEB/d")).denied(&organization, "no-grant");
}

#[test]
fn w14_a_star_that_ends_an_earlier_part_spans_further_parts_and_one_inside_does_not() {
    let spanning = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-*:instance/i-1")]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&spanning);
    // Doubt: no page says what a star in the middle of an earlier part does; here it stays inside.
    let inside = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-*1:instance/i-1")]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).denied(&inside, "no-grant");
    let whole = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-*t-1:111111111111:instance/i-1")]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&whole);
}

#[test]
fn w14_not_resource_excludes_all_that_it_lists() {
    let organization = user_with(&[
        allow("ec2:*", "*"),
        json!({"Effect": "Deny", "Action": "ec2:*", "NotResource": [INSTANCE, format!("{INSTANCE}0")]}),
    ]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).allowed(&organization);
    ask(&user("a"), "ec2:StartInstances", &format!("{INSTANCE}0")).allowed(&organization);
    ask(&user("a"), "ec2:StartInstances", &format!("{INSTANCE}1")).denied(&organization, "explicit-deny");
}

#[test]
fn w14_regular_expression_characters_are_literal() {
    let organization = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-west-1:111111111111:instance/a.b+(c)")]);
    ask(
        &user("a"),
        "ec2:StartInstances",
        "arn:aws:ec2:eu-west-1:111111111111:instance/a.b+(c)",
    )
    .allowed(&organization);
    ask(
        &user("a"),
        "ec2:StartInstances",
        "arn:aws:ec2:eu-west-1:111111111111:instance/axbb(c)",
    )
    .denied(&organization, "no-grant");
}

fn queue_for(statement: Value) -> ciem::access::aws::Organization {
    organization(vec![
        AccountBuilder::new(PROD)
            .user("a", |user| user.inline("p", policy(&[])))
            .user("b", |user| user.inline("p", policy(&[allow("sqs:*", "*")])))
            .role("r", trust_service("ec2.amazonaws.com"), |role| {
                role.inline("p", policy(&[allow("sqs:*", "*")]))
            })
            .resource(queue(&[statement]))
            .build(),
    ])
}

#[test]
fn w15_a_bare_arn_reads_as_aws_principal_with_a_note() {
    let organization = queue_for(with(allow("sqs:SendMessage", "*"), json!({"Principal": user("a")})));
    ask(&user("a"), "sqs:SendMessage", QUEUE).allowed(&organization);
    assert!(
        organization
            .coverage()
            .iter()
            .any(|entry| entry.place == "policy Statement[0].Principal" && entry.reason.contains("bare ARN"))
    );
}

#[test]
fn w15_wildcards_in_an_arn_and_unique_ids_match_nobody() {
    let named = |principal: &str| queue_for(with(allow("sqs:SendMessage", "*"), json!({"Principal": {"AWS": principal}})));
    ask(&user("a"), "sqs:SendMessage", QUEUE).denied(&named("arn:aws:iam::111111111111:user/*"), "no-grant");
    ask(&user("a"), "sqs:SendMessage", QUEUE).denied(&named("AIDAXXXXXXXXXXXXXXXXX"), "no-grant");
    ask(&user("a"), "sqs:SendMessage", QUEUE).allowed(&named("*"));
}

#[test]
fn w15_a_canonical_id_may_be_anybodys() {
    let organization = queue_for(with(allow("sqs:SendMessage", "*"), json!({"Principal": {"CanonicalUser": "79a5"}})));
    // It could only delegate to the account, which has no say without an identity policy.
    ask(&user("a"), "sqs:SendMessage", QUEUE).denied(&organization, "no-grant");
    let denies = queue_for(with(deny("sqs:SendMessage", "*"), json!({"Principal": {"CanonicalUser": "79a5"}})));
    ask(&user("b"), "sqs:SendMessage", QUEUE).unknown(&denies);
}

#[test]
fn w15_not_principal_exempts_the_listed() {
    let statement = |list: Value| with(deny("sqs:*", "*"), json!({"NotPrincipal": {"AWS": list}}));
    let exempt = queue_for(statement(json!([user("b"), format!("arn:aws:iam::{PROD}:root")])));
    ask(&user("b"), "sqs:SendMessage", QUEUE).allowed(&exempt);
    ask(&session("r", "s"), "sqs:SendMessage", QUEUE).denied(&exempt, "explicit-deny");
    let whole = queue_for(statement(json!([
        session("r", "s"),
        role("r"),
        format!("arn:aws:iam::{PROD}:root")
    ])));
    ask(&session("r", "s"), "sqs:SendMessage", QUEUE).allowed(&whole);
    ask(&session("r", "other"), "sqs:SendMessage", QUEUE).denied(&whole, "explicit-deny");
    // Which session asks is not known.
    ask(&role("r"), "sqs:SendMessage", QUEUE).unknown(&whole);
}

#[test]
fn w16_a_variables_value_is_literal() {
    let account = AccountBuilder::new(PROD).user("a", |user| {
        user.tag("team", "b*").inline(
            "p",
            policy(&[allow(
                "ec2:*",
                "arn:aws:ec2:eu-west-1:111111111111:instance/${aws:PrincipalTag/team}",
            )]),
        )
    });
    let organization = organization(vec![account.build()]);
    let instance = |id: &str| format!("arn:aws:ec2:eu-west-1:111111111111:instance/{id}");
    ask(&user("a"), "ec2:StartInstances", &instance("b%2A")).denied(&organization, "no-grant");
    ask(&user("a"), "ec2:StartInstances", &instance("blue")).denied(&organization, "no-grant");
}

#[test]
fn w16_defaults_and_old_versions() {
    let resource = "arn:aws:ec2:eu-west-1:111111111111:instance/${aws:PrincipalTag/team, 'none'}";
    let organization = user_with(&[allow("ec2:*", resource)]);
    ask(&user("a"), "ec2:StartInstances", "arn:aws:ec2:eu-west-1:111111111111:instance/none").allowed(&organization);
    let old = organization_of(json!({"Statement": [allow("ec2:*", "arn:aws:ec2:eu-west-1:111111111111:instance/${aws:username}")]}));
    ask(&user("a"), "ec2:StartInstances", "arn:aws:ec2:eu-west-1:111111111111:instance/a").denied(&old, "no-grant");
    ask(
        &user("a"),
        "ec2:StartInstances",
        "arn:aws:ec2:eu-west-1:111111111111:instance/${aws:username}",
    )
    .allowed(&old);
}

#[test]
fn w16_an_unknown_variable_leaves_the_match_open() {
    let organization = user_with(&[allow("ec2:*", "arn:aws:ec2:eu-west-1:111111111111:instance/${custom:Name}")]);
    ask(&user("a"), "ec2:StartInstances", INSTANCE).conditional(
        &organization,
        &format!("{INSTANCE} matches arn:aws:ec2:eu-west-1:111111111111:instance/${{custom:Name}}"),
    );
    ask(&user("a"), "ec2:StartInstances", INSTANCE)
        .given("custom:Name", "i-1")
        .allowed(&organization);
    ask(&user("a"), "ec2:StartInstances", INSTANCE)
        .given("custom:Name", "i-2")
        .denied(&organization, "no-grant");
    ask(&user("a"), "ec2:StartInstances", QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w17_a_duplicate_key_spoils_its_statement_alone() {
    let organization = user_with_text(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:StartInstances","Action":"ec2:StopInstances","Resource":"*"},
            {"Effect":"Allow","Action":"ec2:RebootInstances","Resource":"*"}]}"#,
    );
    ask(&user("a"), "ec2:StartInstances", INSTANCE).unknown(&organization);
    ask(&user("a"), "ec2:RebootInstances", INSTANCE).allowed(&organization);
    assert_eq!(faults(&organization), ["p Statement[0].Action"]);
}

#[test]
fn w17_effects_by_case() {
    let organization = user_with(&[
        with(deny("ec2:StopInstances", "*"), json!({"Effect": "deny"})),
        with(allow("ec2:StartInstances", "*"), json!({"Effect": "allow"})),
        allow("ec2:StopInstances", "*"),
    ]);
    ask(&user("a"), "ec2:StopInstances", INSTANCE).denied(&organization, "explicit-deny");
    ask(&user("a"), "ec2:StartInstances", INSTANCE).unknown(&organization);
    assert_eq!(faults(&organization), ["p Statement[1].Effect"]);
    assert!(
        organization
            .coverage()
            .iter()
            .any(|entry| entry.place == "p Statement[0].Effect" && entry.reason.contains("read as Deny"))
    );
}

#[test]
fn w17_what_cannot_be_evaluated_has_its_position() {
    let cases = [
        (json!({"Effect": "Maybe", "Action": "*", "Resource": "*"}), "p Statement[0].Effect"),
        (json!({"Action": "*", "Resource": "*"}), "p Statement[0]"),
        (json!({"Effect": "Allow", "Resource": "*"}), "p Statement[0]"),
        (json!({"Effect": "Allow", "Action": "*"}), "p Statement[0]"),
        (with(allow("*", "*"), json!({"NotAction": "s3:*"})), "p Statement[0]"),
        (with(allow("*", "*"), json!({"Recource": "*"})), "p Statement[0].Recource"),
        (with(allow("*", "*"), json!({"Principal": "*"})), "p Statement[0]"),
        (
            json!({"Effect": "Allow", "Action": ["s3:*", "all"], "Resource": "*"}),
            "p Statement[0].Action[1]",
        ),
        (json!({"Effect": "Allow", "Action": 5, "Resource": "*"}), "p Statement[0].Action"),
        (
            with(allow("*", "*"), json!({"Condition": {"StringMatch": {"a": "b"}}})),
            "p Statement[0].Condition.StringMatch",
        ),
        (
            with(
                allow("*", "*"),
                json!({"Condition": {"Bool": {"aws:SecureTransport": ["true", "maybe"]}}}),
            ),
            "p Statement[0].Condition.Bool.aws:SecureTransport[1]",
        ),
        (
            with(
                allow("*", "*"),
                json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}}),
            ),
            "p Statement[0].Condition.IpAddress.aws:SourceIp[0]",
        ),
        (json!("oops"), "p Statement[0]"),
    ];
    for (statement, place) in cases {
        let organization = user_with(std::slice::from_ref(&statement));
        assert_eq!(faults(&organization), [place], "{statement}");
        ask(&user("a"), "ec2:StartInstances", INSTANCE).unknown(&organization);
        // And it takes nothing away for certain: an allow beside it is at most in doubt.
        let beside = user_with(&[allow("ec2:StartInstances", "*"), statement]);
        assert_ne!(
            ask(&user("a"), "ec2:StartInstances", INSTANCE).of(&beside).verdict,
            ciem::model::Verdict::Denied
        );
    }
}

#[test]
fn w17_a_deny_that_cannot_be_evaluated_leaves_no_certain_allow() {
    for condition in [
        json!({"StringMatch": {"a": "b"}}),
        json!("x"),
        json!({"NumericEquals": {"k": "many"}}),
    ] {
        let organization = user_with(&[allow("*", "*"), with(deny("ec2:Start*", "*"), json!({"Condition": condition}))]);
        ask(&user("a"), "ec2:StartInstances", INSTANCE).unknown(&organization);
        ask(&user("a"), "ec2:StopInstances", INSTANCE).allowed(&organization);
        ask(&user("a"), "s3:*", "*").allowed(&organization);
    }
}

#[test]
fn w17_a_document_that_is_no_policy_makes_its_layer_unknown() {
    for text in [
        "not json at all",
        r#"{"Statement": "x"}"#,
        "[]",
        r#"{"Version": "2012-10-17"}"#,
        r#"{"Version": "2099-01-01", "Statement": []}"#,
        "",
    ] {
        let organization = user_with_text(text);
        ask(&user("a"), "ec2:StartInstances", INSTANCE).unknown(&organization);
        assert_eq!(organization.unusable(&user("a")).len(), 1, "{text}");
    }
}
