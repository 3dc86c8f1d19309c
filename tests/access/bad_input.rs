//! Hostile documents: a clear outcome, in time, without a panic.

use std::time::Instant;

use ciem::access::Entitlements;
use serde_json::json;

use super::{PROD, allow, ask, organization, policy, user, user_with, with};
use crate::support::builder::AccountBuilder;

fn with_text(text: &str) -> ciem::access::aws::Organization {
    organization(vec![
        AccountBuilder::new(PROD).user("a", |user| user.inline("p", json!(text))).build(),
    ])
}

#[test]
fn deep_nesting_is_refused_at_its_place() {
    let organization = with_text(&"[".repeat(200_000));
    ask(&user("a"), "s3:*", "*").unknown(&organization);
    let deep = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}1{}}}]}}"#,
        r#"{"a":"#.repeat(50_000),
        "}".repeat(50_000)
    );
    ask(&user("a"), "s3:*", "*").unknown(&with_text(&deep));
}

#[test]
fn ten_megabytes_of_policy_are_read() {
    let statements: Vec<serde_json::Value> = (0..80_000)
        .map(|at| {
            allow(
                &format!("svc{}:Action{at}", at % 7),
                &format!("arn:aws:svc:eu-west-1:111111111111:thing/{at}-some-longer-name/*"),
            )
        })
        .collect();
    let text = policy(&statements).to_string();
    assert!(text.len() > 10_000_000);
    let began = Instant::now();
    let organization = with_text(&text);
    ask(
        &user("a"),
        "svc4:Action79999",
        "arn:aws:svc:eu-west-1:111111111111:thing/79999-some-longer-name/x",
    )
    .denied(&organization, "no-grant");
    ask(
        &user("a"),
        "svc3:Action3",
        "arn:aws:svc:eu-west-1:111111111111:thing/3-some-longer-name/x",
    )
    .allowed(&organization);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn patterns_that_make_backtracking_matchers_explode_are_fast() {
    let instances = |tail: &str| format!("arn:aws:ec2:eu-west-1:111111111111:instance/{tail}");
    let stars = |letter: &str| instances(&format!("{}b", format!("*{letter}").repeat(200)));
    let organization = user_with(&[allow("ec2:*", &stars("a"))]);
    let began = Instant::now();
    ask(&user("a"), "ec2:StartInstances", &instances(&"a".repeat(5_000))).denied(&organization, "no-grant");
    // Counting out all regions of two such patterns is given up, and said so.
    ask(&user("a"), "ec2:StartInstances", &stars("d")).unknown(&organization);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn odd_members_and_texts_do_no_harm() {
    for text in [
        r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":[]}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"${${}}${aws:username"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"${${}}${aws:username"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"é:ü*","Resource":"arn:::::${, 'x'}"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":":","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"a":[]}}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{}}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateEquals":{"a":"-99999999999999999999"}}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a":1e999}}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":"arn:aws:iam:::"}}]}"#,
    ] {
        let organization = with_text(text);
        for (action, resource) in [
            ("s3:GetObject", "arn:aws:s3:::b/x"),
            ("*", "*"),
            ("é:ü?", "arn:::::"),
            ("", ""),
            (":", "::::::"),
            ("s3:*", "?"),
        ] {
            let _ = ask(&user("a"), action, resource).of(&organization);
            let _ = ask(&user("a"), action, resource).all().of(&organization);
        }
        let _ = organization.grants(&user("a")).count();
        let _ = organization.coverage();
    }
}

#[test]
fn an_empty_account_has_nobody() {
    let organization = organization(vec![AccountBuilder::new(PROD).build()]);
    assert_eq!(organization.identities().count(), 0);
    assert_eq!(ask(&user("a"), "s3:*", "*").to(&organization).1, "principal-not-found");
    ask(PROD, "s3:ListAllMyBuckets", "*").allowed(&organization);
}

#[test]
fn conditions_with_thousands_of_values_are_simplified_in_time() {
    for operator in ["StringEquals", "StringLike", "StringNotEquals"] {
        let statements: Vec<serde_json::Value> = (0..60)
            .map(|at| {
                let values: Vec<String> = (0..1_000).map(|value| format!("v{value}-{at}")).collect();
                with(allow("s3:*", "*"), json!({"Condition": {operator: {"key:x": values}}}))
            })
            .collect();
        let organization = user_with(&statements);
        let began = Instant::now();
        let verdict = ask(&user("a"), "s3:GetObject", "arn:aws:s3:::b/x").of(&organization).verdict;
        // Not one of a thousand, or not one of another thousand: always.
        let expected = if operator == "StringNotEquals" {
            ciem::model::Verdict::Allowed
        } else {
            ciem::model::Verdict::Conditional
        };
        assert_eq!(verdict, expected);
        assert!(began.elapsed().as_secs() < 20, "{operator}: {:?}", began.elapsed());
    }
}
