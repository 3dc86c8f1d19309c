//! STS, KMS, root, service-linked roles, services: W6, W7, W9, W10, W12, W24.

use ciem::access::Entitlements;
use serde_json::{Value, json};

use super::{DEV, PROD, QUEUE, allow, ask, organization, policy, queue, role, session, user, with};
use crate::support::builder::{AccountBuilder, trust_service};

fn trust(principal: Value) -> Value {
    policy(&[json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal})])
}

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

fn roles() -> ciem::access::aws::Organization {
    let assume = || policy(&[allow("sts:AssumeRole", "*")]);
    organization(vec![
        AccountBuilder::new(PROD)
            .user("named", |user| user)
            .user("able", |user| user.inline("p", assume()))
            .role("by-name", trust(json!({"AWS": user("named")})), |role| role)
            .role("by-account", trust(json!({"AWS": root(PROD)})), |role| role)
            .role("for-dev", trust(json!({"AWS": root(DEV)})), |role| role)
            .role("for-lambda", trust_service("lambda.amazonaws.com"), |role| role)
            .build(),
        AccountBuilder::new(DEV)
            .user("x", |user| user.inline("p", assume()))
            .user("y", |user| user)
            .build(),
    ])
}

#[test]
fn w6_the_trust_policy_is_always_required() {
    let organization = roles();
    ask(&user("named"), "sts:AssumeRole", &role("by-name")).allowed(&organization);
    ask(&user("able"), "sts:AssumeRole", &role("by-name")).denied(&organization, "trust-policy");
    ask(&user("able"), "sts:AssumeRole", &role("by-account")).allowed(&organization);
    ask(&user("named"), "sts:AssumeRole", &role("by-account")).denied(&organization, "no-grant");
}

#[test]
fn w6_across_accounts_both_sides() {
    let organization = roles();
    ask("arn:aws:iam::222222222222:user/x", "sts:AssumeRole", &role("for-dev")).allowed(&organization);
    ask("arn:aws:iam::222222222222:user/y", "sts:AssumeRole", &role("for-dev")).denied(&organization, "no-grant");
    ask("arn:aws:iam::222222222222:user/x", "sts:AssumeRole", &role("by-account")).denied(&organization, "trust-policy");
}

#[test]
fn w6_root_and_federation_sessions_assume_nothing() {
    let organization = roles();
    assert_eq!(
        ask(&root(PROD), "sts:AssumeRole", &role("by-account")).to(&organization).0,
        ciem::model::Verdict::Denied
    );
    let federated = format!("arn:aws:sts::{PROD}:federated-user/able");
    assert_eq!(
        ask(&federated, "sts:AssumeRole", &role("by-account")).to(&organization).0,
        ciem::model::Verdict::Denied
    );
}

#[test]
fn w6_a_role_that_does_not_exist_is_unknown() {
    ask(&user("able"), "sts:AssumeRole", &role("gone")).unknown(&roles());
}

#[test]
fn w6_token_holders_need_provider_action_and_claims() {
    let provider = format!("arn:aws:iam::{PROD}:oidc-provider/token.example.com");
    let trust = policy(&[json!({
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider},
        "Condition": {"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}, "StringLike": {"token.example.com:sub": "repo:org/app:*"}}
    })]);
    let account = AccountBuilder::new(PROD)
        .role("ci", trust, |role| role)
        .resource(json!({"arn": provider, "type": "AWS::IAM::OIDCProvider"}));
    let organization = organization(vec![account.build()]);
    let asked = ask(&provider, "sts:AssumeRoleWithWebIdentity", &role("ci"));
    asked.conditional(
        &organization,
        "token.example.com:aud = sts.amazonaws.com and token.example.com:sub like repo:org/app:*",
    );
    let claims = |sub: &str| {
        asked
            .clone()
            .given("token.example.com:aud", "sts.amazonaws.com")
            .given("token.example.com:sub", sub)
    };
    claims("repo:org/app:ref:main").allowed(&organization);
    claims("repo:org/other:ref:main").denied(&organization, "trust-policy");
    ask(&provider, "sts:AssumeRoleWithSAML", &role("ci")).denied(&organization, "trust-policy");
    assert_eq!(
        ask(&format!("{provider}x"), "sts:AssumeRoleWithWebIdentity", &role("ci"))
            .to(&organization)
            .1,
        "principal-not-found"
    );
}

const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1";

fn key(statements: &[Value], grants: Value) -> ciem::access::aws::Organization {
    let account = AccountBuilder::new(PROD)
        .user("able", |user| user.inline("p", policy(&[allow("kms:*", "*")])))
        .user("named", |user| user)
        .role("r", trust_service("ec2.amazonaws.com"), |role| role)
        .resource(json!({"arn": KEY, "policy": policy(statements), "grants": grants}));
    organization(vec![
        account.build(),
        AccountBuilder::new(DEV)
            .user("x", |user| user.inline("p", policy(&[allow("kms:*", "*")])))
            .build(),
    ])
}

#[test]
fn w7_the_key_policy_names_the_principal_or_delegates() {
    let named = key(
        &[with(allow("kms:Decrypt", "*"), json!({"Principal": {"AWS": user("named")}}))],
        json!([]),
    );
    ask(&user("named"), "kms:Decrypt", KEY).allowed(&named);
    ask(&user("able"), "kms:Decrypt", KEY).denied(&named, "no-grant");
    ask(&root(PROD), "kms:Decrypt", KEY).denied(&named, "no-grant");
    let delegated = key(&[with(allow("kms:*", "*"), json!({"Principal": {"AWS": root(PROD)}}))], json!([]));
    ask(&user("able"), "kms:Decrypt", KEY).allowed(&delegated);
    ask(&user("named"), "kms:Decrypt", KEY).denied(&delegated, "no-grant");
    ask(&user("able"), "kms:ListKeys", "*").allowed(&named);
}

#[test]
fn w7_a_grant_adds_its_operations_for_its_grantee() {
    let grant =
        json!([{"GranteePrincipal": role("r"), "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"dept": "it"}}}]);
    let organization = key(&[with(allow("kms:*", "*"), json!({"Principal": {"AWS": root(PROD)}}))], grant);
    ask(&role("r"), "kms:Decrypt", KEY).conditional(&organization, "kms:EncryptionContext:dept = it");
    ask(&session("r", "s"), "kms:Decrypt", KEY)
        .given("kms:EncryptionContext:dept", "it")
        .allowed(&organization);
    ask(&role("r"), "kms:Decrypt", KEY)
        .given("kms:EncryptionContext:dept", "hr")
        .denied(&organization, "no-grant");
    ask(&role("r"), "kms:Encrypt", KEY).denied(&organization, "no-grant");
}

#[test]
fn w7_some_operations_never_cross_accounts() {
    let organization = key(&[with(allow("kms:*", "*"), json!({"Principal": {"AWS": root(DEV)}}))], json!([]));
    ask("arn:aws:iam::222222222222:user/x", "kms:Decrypt", KEY).allowed(&organization);
    ask("arn:aws:iam::222222222222:user/x", "kms:ScheduleKeyDeletion", KEY).denied(&organization, "no-grant");
}

#[test]
fn w8_what_outsiders_get_under_an_acl_or_restrict_public_buckets_is_not_guessed() {
    let bucket = |more: Value| {
        with(
            json!({"arn": "arn:aws:s3:::b", "policy": policy(&[with(allow("s3:*", "*"), json!({"Principal": "*"}))])}),
            more,
        )
    };
    let build = |more: Value| {
        organization(vec![
            AccountBuilder::new(PROD)
                .user("a", |user| user.inline("p", policy(&[allow("s3:*", "*")])))
                .resource(bucket(more))
                .build(),
            AccountBuilder::new(DEV)
                .user("x", |user| user.inline("p", policy(&[allow("s3:*", "*")])))
                .build(),
        ])
    };
    let outsider = ask("arn:aws:iam::222222222222:user/x", "s3:GetObject", "arn:aws:s3:::b/x");
    outsider.allowed(&build(json!({})));
    let closed = build(json!({"public_access_block": {"restrict_public_buckets": true}}));
    outsider.unknown(&closed);
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::b/x").allowed(&closed);
    let everybody =
        json!({"acl": {"Grants": [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]}});
    ask("anonymous", "s3:ListBucket", "arn:aws:s3:::b").unknown(&build(everybody));
}

#[test]
fn w9_two_actions_need_no_permission() {
    let organization = super::user_with(&[super::deny("*", "*")]);
    ask(&user("a"), "sts:GetCallerIdentity", "*").allowed(&organization);
    ask(&user("a"), "sts:GetSessionToken", "*").allowed(&organization);
    ask(&user("a"), "sts:GetFederationToken", "*").denied(&organization, "explicit-deny");
}

#[test]
fn w9_root_is_not_limited_by_identity_policies_but_by_resource_denies() {
    let account = AccountBuilder::new(PROD).resource(queue(&[with(super::deny("sqs:DeleteQueue", "*"), json!({"Principal": "*"}))]));
    let organization = organization(vec![account.build()]);
    ask(&root(PROD), "sqs:SendMessage", QUEUE).allowed(&organization);
    ask(PROD, "sqs:SendMessage", QUEUE).allowed(&organization);
    ask(&root(PROD), "sqs:DeleteQueue", QUEUE).denied(&organization, "explicit-deny");
}

#[test]
fn w9_federation_sessions_need_a_session_policy_and_call_no_iam() {
    let organization = super::user_with(&[allow("*", "*")]);
    let federated = format!("arn:aws:sts::{PROD}:federated-user/a");
    let all = json!([policy(&[allow("*", "*")])]);
    ask(&federated, "sqs:SendMessage", QUEUE)
        .with("sessionPolicies", all.clone())
        .allowed(&organization);
    ask(&federated, "sqs:SendMessage", QUEUE).denied(&organization, "no-grant");
    ask(&federated, "iam:ListUsers", "*")
        .with("sessionPolicies", all)
        .denied(&organization, "no-grant");
}

#[test]
fn w10_service_linked_and_reserved_roles_are_not_actionable() {
    let account = AccountBuilder::new(PROD)
        .role_at(
            "/aws-service-role/x.amazonaws.com/",
            "Linked",
            trust_service("x.amazonaws.com"),
            |role| role,
        )
        .role_at(
            "/aws-reserved/sso.amazonaws.com/",
            "AWSReservedSSO_Admin_1",
            trust(json!("*")),
            |role| role,
        )
        .role("own", trust_service("ec2.amazonaws.com"), |role| role);
    let organization = organization(vec![account.build()]);
    let marked: Vec<(String, bool)> = organization
        .identities()
        .map(|identity| (identity.key.name, identity.not_actionable.is_some()))
        .collect();
    assert_eq!(
        marked,
        [
            ("AWSReservedSSO_Admin_1".into(), true),
            ("Linked".into(), true),
            ("own".into(), false)
        ]
    );
}

#[test]
fn w10_a_resource_policy_still_binds_a_service_linked_role() {
    let account = AccountBuilder::new(PROD)
        .role_at(
            "/aws-service-role/x.amazonaws.com/",
            "Linked",
            trust_service("x.amazonaws.com"),
            |role| role.inline("p", policy(&[allow("sqs:*", "*")])),
        )
        .resource(queue(&[with(super::deny("sqs:DeleteQueue", "*"), json!({"Principal": "*"}))]));
    let organization = organization(vec![account.build()]);
    let linked = format!("arn:aws:iam::{PROD}:role/aws-service-role/x.amazonaws.com/Linked");
    ask(&linked, "sqs:SendMessage", QUEUE).allowed(&organization);
    ask(&linked, "sqs:DeleteQueue", QUEUE).denied(&organization, "explicit-deny");
    ask(&user("nobody"), "sts:AssumeRole", &linked).unknown(&organization);
}

#[test]
fn w12_pass_role_is_checked_on_the_roles_arn() {
    let organization = super::user_with(&[allow("iam:PassRole", "arn:aws:iam::111111111111:role/web-*")]);
    ask(&user("a"), "iam:PassRole", &role("web-1")).allowed(&organization);
    ask(&user("a"), "iam:PassRole", &role("admin")).denied(&organization, "no-grant");
    ask(&user("a"), "iam:PassRole", &role("team/web-1")).denied(&organization, "no-grant");
}

#[test]
fn w12_nobody_passes_a_role_of_another_account() {
    let organization = organization(vec![
        AccountBuilder::new(PROD)
            .role("r", trust_service("ec2.amazonaws.com"), |role| role)
            .build(),
        AccountBuilder::new(DEV)
            .user("x", |user| user.inline("p", policy(&[allow("*", "*")])))
            .build(),
    ]);
    ask("arn:aws:iam::222222222222:user/x", "iam:PassRole", &role("r")).denied(&organization, "no-grant");
}

#[test]
fn w24_services_and_anonymous_callers_have_the_resource_policy_alone() {
    let account = AccountBuilder::new(PROD).resource(queue(&[
        with(
            allow("sqs:SendMessage", "*"),
            json!({"Principal": {"Service": "sns.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": PROD}}}),
        ),
        with(allow("sqs:ReceiveMessage", "*"), json!({"Principal": "*"})),
    ]));
    let organization = organization(vec![account.build()]);
    ask("sns.amazonaws.com", "sqs:SendMessage", QUEUE).conditional(&organization, "aws:SourceAccount = 111111111111");
    ask("sns.amazonaws.com", "sqs:SendMessage", QUEUE)
        .given("aws:SourceAccount", PROD)
        .allowed(&organization);
    ask("events.amazonaws.com", "sqs:SendMessage", QUEUE).denied(&organization, "no-grant");
    ask("anonymous", "sqs:ReceiveMessage", QUEUE).allowed(&organization);
    ask("anonymous", "sqs:SendMessage", QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w24_services_assume_roles_by_the_trust_policy() {
    let organization = roles();
    ask("lambda.amazonaws.com", "sts:AssumeRole", &role("for-lambda")).allowed(&organization);
    ask("ec2.amazonaws.com", "sts:AssumeRole", &role("for-lambda")).denied(&organization, "trust-policy");
}
