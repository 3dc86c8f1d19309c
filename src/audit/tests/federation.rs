//! AWS-MAP-04: tokens of `OpenID` Connect issuers. The forms themselves are tested with the catalogue.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const GITHUB: &str = "token.actions.githubusercontent.com";
const EKS: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";

fn trusted(issuer: &str, condition: Value) -> AuditOutcome {
    audit_of(&roles(vec![trusting("pipeline", &json!([federated(issuer, condition)]))]))
}

fn on(claim: &str, operator: &str, value: Value) -> Value {
    json!({operator: {claim: value}})
}

#[rstest]
#[case::nothing(json!({}))]
#[case::audience_only(json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}))]
#[case::everything(on("token.actions.githubusercontent.com:sub", "StringLike", json!("repo:*")))]
#[case::whole_owner(on("token.actions.githubusercontent.com:sub", "StringLike", json!("repo:acme/*")))]
#[case::owner_by_prefix(on("token.actions.githubusercontent.com:sub", "StringLike", json!("repo:acme*")))]
#[case::one_of_two(on("token.actions.githubusercontent.com:sub", "StringLike", json!(["repo:acme/shop:*", "repo:*/shop:*"])))]
#[case::negated(on("token.actions.githubusercontent.com:sub", "StringNotLike", json!("repo:evil/*")))]
#[case::all_values(on("token.actions.githubusercontent.com:sub", "ForAllValues:StringLike", json!("repo:acme/shop:*")))]
#[case::present(on("token.actions.githubusercontent.com:sub", "Null", json!("false")))]
#[case::anybodys_environment(on("token.actions.githubusercontent.com:sub", "StringEquals", json!("environment:production")))]
#[case::misspelt(on("token.actions.githubusercontent.com:subject", "StringLike", json!("repo:acme/shop:*")))]
#[case::another_issuers_claim(on("gitlab.com:sub", "StringLike", json!("repo:acme/shop:*")))]
#[case::no_issuer(on("sub", "StringLike", json!("repo:acme/shop:*")))]
#[case::who_started_it(on("token.actions.githubusercontent.com:actor", "StringEquals", json!("alice")))]
fn an_open_trust_in_github_is_found(#[case] condition: Value) {
    let outcome = trusted(GITHUB, condition);
    let finding = the(&outcome, "AWS-MAP-04");
    assert_eq!(
        (finding.discriminator.as_str(), finding.severity),
        (GITHUB, crate::model::Severity::Critical)
    );
    assert_eq!(
        finding.evidence.summary,
        "role pipeline accepts tokens of token.actions.githubusercontent.com without fixing whose they are"
    );
}

#[rstest]
#[case::repository(on("token.actions.githubusercontent.com:sub", "StringLike", json!("repo:acme/shop:*")))]
#[case::branch(on("token.actions.githubusercontent.com:sub", "StringEquals", json!("repo:acme/shop:ref:refs/heads/main")))]
#[case::case_of_the_key(on("Token.Actions.GitHubUserContent.com:SUB", "StringLike", json!("repo:acme/shop:*")))]
#[case::several(on("token.actions.githubusercontent.com:sub", "StringLike", json!(["repo:acme/shop:*", "repo:acme/web:*"])))]
#[case::any_value(on("token.actions.githubusercontent.com:sub", "ForAnyValue:StringLike", json!("repo:acme/shop:*")))]
// Every token has a subject: the tolerated case never comes.
#[case::if_exists(on("token.actions.githubusercontent.com:sub", "StringLikeIfExists", json!("repo:acme/shop:*")))]
#[case::literal_asterisk(on("token.actions.githubusercontent.com:sub", "StringEquals", json!("repo:acme/*")))]
#[case::by_repository_claim(on("token.actions.githubusercontent.com:repository", "StringEquals", json!("acme/shop")))]
#[case::by_repository_id(on("token.actions.githubusercontent.com:repository_id", "StringEquals", json!("17")))]
fn a_fixed_repository_is_not_found(#[case] condition: Value) {
    assert!(passes(&trusted(GITHUB, condition), "AWS-MAP-04"));
}

#[rstest]
#[case::audience_only(json!({"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF:aud": "sts.amazonaws.com"}}), true)]
#[case::any_namespace(on("oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF:sub", "StringLike", json!("system:serviceaccount:*:web")), true)]
#[case::another_cluster(on("oidc.eks.eu-west-1.amazonaws.com/id/OTHER:sub", "StringEquals", json!("system:serviceaccount:a:b")), true)]
#[case::one_namespace(on("oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF:sub", "StringLike", json!("system:serviceaccount:shop:*")), false)]
#[case::one_account(on("oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF:sub", "StringEquals", json!("system:serviceaccount:a:b")), false)]
fn a_cluster_needs_a_namespace(#[case] condition: Value, #[case] expected: bool) {
    assert_eq!(!passes(&trusted(EKS, condition), "AWS-MAP-04"), expected);
}

/// A deny of tokens from elsewhere, as resource control policies are written, fixes the owner as well.
#[test]
fn a_deny_of_all_others_counts() {
    let denied = json!({
        "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringNotLikeIfExists": {"token.actions.githubusercontent.com:sub": "repo:acme/shop:*"},
            "Null": {"token.actions.githubusercontent.com:sub": "false"},
        },
    });
    let outcome = audit_of(&roles(vec![trusting("pipeline", &json!([federated(GITHUB, json!({})), denied]))]));
    assert!(passes(&outcome, "AWS-MAP-04"));
}

#[test]
fn each_issuer_is_a_finding_of_its_own() {
    let statements = json!([
        federated(GITHUB, json!({})),
        federated(EKS, json!({})),
        federated(GITHUB, on("x", "StringEquals", json!("y")))
    ]);
    let outcome = audit_of(&roles(vec![trusting("pipeline", &statements)]));
    let of = |issuer: &str| ("pipeline".to_owned(), issuer.to_owned());
    assert_eq!(found(&outcome, "AWS-MAP-04"), [of(EKS), of(GITHUB)]);
}

#[test]
fn saml_providers_are_not_meant() {
    let statement = json!({
        "Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}, "Action": "sts:AssumeRoleWithSAML",
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    });
    assert!(passes(
        &audit_of(&roles(vec![trusting("staff", &json!([statement]))])),
        "AWS-MAP-04"
    ));
}

/// Identity pools of Cognito: the audience is the pool; any pool is anybody's.
#[rstest]
#[case(json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:17"}}), false)]
#[case(json!({"ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "unauthenticated"}}), true)]
fn a_built_in_provider_needs_its_application(#[case] condition: Value, #[case] expected: bool) {
    let statement = json!({
        "Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    });
    let outcome = audit_of(&roles(vec![trusting("app", &json!([statement]))]));
    assert_eq!(!passes(&outcome, "AWS-MAP-04"), expected);
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_neither_finding_nor_pass() {
    let outcome = trusted(
        GITHUB,
        on(
            "token.actions.githubusercontent.com:sub",
            "StringMatches",
            json!("repo:acme/shop:.*"),
        ),
    );
    assert!(found(&outcome, "AWS-MAP-04").is_empty());
    assert_eq!(
        not_evaluated(&outcome, "AWS-MAP-04"),
        ["one identity could not be judged: see the coverage"]
    );
}
