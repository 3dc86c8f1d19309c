//! Layers and how they combine: W1–W5, W11.

use serde_json::json;

use super::{DEV, PROD, QUEUE, allow, ask, deny, from_input, organization, policy, queue, role, session, user, user_with, with};
use crate::support::builder::{AccountBuilder, trust_service};

const SEND: &str = "sqs:SendMessage";

#[test]
fn w1_an_explicit_deny_wins_over_any_allow() {
    let organization = user_with(&[allow("*", "*"), deny("s3:DeleteObject", "arn:aws:s3:::b/*")]);
    ask(&user("a"), "s3:DeleteObject", "arn:aws:s3:::b/x").denied(&organization, "explicit-deny");
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::b/x").allowed(&organization);
}

#[test]
fn w1_a_deny_names_layer_policy_and_statement() {
    let organization = user_with(&[allow("*", "*"), with(deny("s3:*", "*"), json!({"Sid": "NoStorage"}))]);
    let decision = ask(&user("a"), "s3:GetObject", "arn:aws:s3:::b/x").of(&organization);
    let stop = decision
        .layers
        .iter()
        .find(|answer| answer.verdict == ciem::model::Verdict::Denied)
        .unwrap();
    assert_eq!(
        (stop.layer.as_str(), stop.statement, stop.sid.as_deref()),
        ("identity", Some(1), Some("NoStorage"))
    );
    assert_eq!(stop.policy.as_deref(), Some("arn:aws:iam::111111111111:user/a#p"));
}

#[test]
fn w1_the_owners_root_keeps_the_bucket_policy() {
    let bucket = json!({"arn": "arn:aws:s3:::b", "policy": policy(&[with(deny("s3:*", "*"), json!({"Principal": "*"}))])});
    let organization = organization(vec![AccountBuilder::new(PROD).resource(bucket).build()]);
    let root = format!("arn:aws:iam::{PROD}:root");
    ask(&root, "s3:PutBucketPolicy", "arn:aws:s3:::b").allowed(&organization);
    ask(&root, "s3:PutBucketAcl", "arn:aws:s3:::b").denied(&organization, "explicit-deny");
}

#[test]
fn w1_an_endpoint_policy_must_allow_and_never_grants() {
    let organization = user_with(&[allow("sqs:*", "*")]);
    let endpoint = |action: &str| json!([policy(&[with(allow(action, "*"), json!({"Principal": "*"}))])]);
    ask(&user("a"), SEND, QUEUE)
        .with("vpcEndpointPolicies", endpoint("sqs:*"))
        .allowed(&organization);
    ask(&user("a"), SEND, QUEUE)
        .with("vpcEndpointPolicies", endpoint("s3:*"))
        .denied(&organization, "vpc-endpoint-policy");
    ask(&user("a"), "sns:Publish", "arn:aws:sns:eu-west-1:111111111111:t")
        .with("vpcEndpointPolicies", endpoint("*"))
        .denied(&organization, "no-grant");
}

#[test]
fn a_layer_that_allows_nothing_says_so() {
    let organization = bounded(&[allow("s3:*", "*")], &[allow("sqs:*", "*")], &[]);
    let answers = |action: &str| {
        let layers = ask(&user("a"), action, "*").of(&organization).layers;
        layers
            .into_iter()
            .map(|answer| (answer.layer, answer.verdict, answer.statement))
            .collect::<Vec<_>>()
    };
    use ciem::model::Verdict::{Allowed, Denied};
    assert_eq!(
        answers("s3:ListAllMyBuckets"),
        [("identity".into(), Allowed, Some(0)), ("boundary".into(), Denied, None)]
    );
    assert_eq!(
        answers("ec2:StartInstances"),
        [("identity".into(), Denied, None), ("boundary".into(), Denied, None)]
    );
}

#[test]
fn what_is_unknown_has_its_reason() {
    let account = AccountBuilder::new(PROD)
        .user("boundary", |user| user.inline("p", policy(&[allow("*", "*")])).boundary("gone"))
        .user("policy", |user| user.attach("gone"))
        .user("group", |user| user.member_of("gone"))
        .user("statement", |user| user.inline("p", policy(&[json!("oops")])))
        .user("document", |user| user.inline("p", json!("oops")));
    let organization = organization(vec![account.build()]);
    for (name, code) in [
        ("boundary", "boundary-not-read"),
        ("policy", "policy-not-read"),
        ("group", "group-not-read"),
        ("statement", "statement-not-evaluable"),
        ("document", "policy-not-evaluable"),
    ] {
        assert_eq!(
            ask(&user(name), SEND, QUEUE).to(&organization),
            (ciem::model::Verdict::Unknown, code.to_owned())
        );
    }
}

fn under_scp(levels: serde_json::Value) -> ciem::access::aws::Organization {
    let account = AccountBuilder::new(PROD)
        .user("a", |user| user.inline("p", policy(&[allow("*", "*")])))
        .role_at(
            "/aws-service-role/x.amazonaws.com/",
            "Linked",
            trust_service("x.amazonaws.com"),
            |role| role.inline("p", policy(&[allow("*", "*")])),
        )
        .build();
    from_input(json!({"accounts": [account], "serviceControlPolicies": [{"account": PROD, "levels": levels}]}))
}

#[test]
fn w2_an_allow_is_needed_at_every_level() {
    let full = policy(&[allow("*", "*")]);
    let organization = under_scp(json!([{"id": "r-1", "policies": [full]}, {"id": "ou-1", "policies": [policy(&[allow("sqs:*", "*")])]}]));
    ask(&user("a"), SEND, QUEUE).allowed(&organization);
    ask(&user("a"), "sns:Publish", "arn:aws:sns:eu-west-1:111111111111:t").denied(&organization, "service-control-policy");
}

#[test]
fn w2_a_deny_at_any_level_counts_but_not_for_service_linked_roles() {
    let full = policy(&[allow("*", "*")]);
    let organization = under_scp(json!([{"id": "r-1", "policies": [full, policy(&[deny("sqs:*", "*")])]}]));
    ask(&user("a"), SEND, QUEUE).denied(&organization, "explicit-deny");
    ask(
        &format!("arn:aws:iam::{PROD}:role/aws-service-role/x.amazonaws.com/Linked"),
        SEND,
        QUEUE,
    )
    .allowed(&organization);
}

#[test]
fn w3_a_resource_control_policy_denies_and_its_missing_allow_does_not() {
    let account = AccountBuilder::new(PROD)
        .user("a", |user| user.inline("p", policy(&[allow("*", "*")])))
        .resource(queue(&[]))
        .build();
    let guard = policy(&[with(deny(SEND, "*"), json!({"Principal": "*"}))]);
    let organization = from_input(
        json!({"accounts": [account], "resourceControlPolicies": [{"account": PROD, "levels": [{"id": "r-1", "policies": [guard]}]}]}),
    );
    ask(&user("a"), SEND, QUEUE).denied(&organization, "explicit-deny");
    ask(&user("a"), "sqs:ReceiveMessage", QUEUE).allowed(&organization);
    // EC2 is no service whose resources they bind.
    ask(&user("a"), "ec2:StartInstances", "arn:aws:ec2:eu-west-1:111111111111:instance/i-1").allowed(&organization);
}

fn bounded(
    grants: &[serde_json::Value],
    boundary: &[serde_json::Value],
    resource: &[serde_json::Value],
) -> ciem::access::aws::Organization {
    let account = AccountBuilder::new(PROD)
        .policy("limit", policy(boundary))
        .user("a", |user| user.inline("p", policy(grants)).boundary("limit"))
        .role("r", trust_service("ec2.amazonaws.com"), |role| {
            role.inline("p", policy(grants)).boundary("limit")
        })
        .resource(queue(resource));
    organization(vec![account.build()])
}

#[test]
fn w4_a_boundary_limits_identity_policies_and_grants_nothing() {
    let organization = bounded(&[allow(SEND, "*"), allow("s3:*", "*")], &[allow("sqs:*", "*")], &[]);
    ask(&user("a"), SEND, QUEUE).allowed(&organization);
    ask(&user("a"), "s3:ListAllMyBuckets", "*").denied(&organization, "permissions-boundary");
    ask(&user("a"), "sqs:DeleteMessage", QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w4_a_deny_in_a_boundary_is_explicit() {
    let organization = bounded(&[allow("*", "*")], &[allow("*", "*"), deny(SEND, "*")], &[]);
    ask(&user("a"), SEND, QUEUE).denied(&organization, "explicit-deny");
    ask(&user("a"), "sqs:DeleteMessage", QUEUE).allowed(&organization);
}

#[test]
fn w4_a_resource_policy_passes_the_boundary_for_a_user_and_a_session_but_not_for_a_role() {
    let names = |principal: &str| with(allow(SEND, "*"), json!({"Principal": {"AWS": principal}}));
    let past = bounded(&[], &[allow("s3:*", "*")], &[names(&user("a")), names(&session("r", "s1"))]);
    ask(&user("a"), SEND, QUEUE).allowed(&past);
    ask(&session("r", "s1"), SEND, QUEUE).allowed(&past);
    ask(&session("r", "s2"), SEND, QUEUE).denied(&past, "no-grant");
    let limited = bounded(&[], &[allow("s3:*", "*")], &[names(&role("r"))]);
    ask(&session("r", "s1"), SEND, QUEUE).denied(&limited, "permissions-boundary");
    ask(&role("r"), SEND, QUEUE).denied(&limited, "permissions-boundary");
}

#[test]
fn w4_naming_the_account_only_delegates() {
    let organization = organization(vec![
        AccountBuilder::new(PROD)
            .user("a", |user| user.inline("p", policy(&[allow(SEND, "*")])))
            .user("b", |user| user)
            .resource(queue(&[with(
                allow(SEND, "*"),
                json!({"Principal": {"AWS": format!("arn:aws:iam::{PROD}:root")}}),
            )]))
            .build(),
    ]);
    ask(&user("a"), SEND, QUEUE).allowed(&organization);
    ask(&user("b"), SEND, QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w4_session_policies_limit_and_everyone_passes_them() {
    let organization = bounded(
        &[allow("sqs:*", "*")],
        &[allow("*", "*")],
        &[with(allow("sqs:DeleteMessage", "*"), json!({"Principal": "*"}))],
    );
    let reads = json!([policy(&[allow("sqs:ReceiveMessage", "*")])]);
    ask(&session("r", "s"), "sqs:ReceiveMessage", QUEUE)
        .with("sessionPolicies", reads.clone())
        .allowed(&organization);
    ask(&session("r", "s"), SEND, QUEUE)
        .with("sessionPolicies", reads.clone())
        .denied(&organization, "session-policy");
    ask(&session("r", "s"), "sqs:DeleteMessage", QUEUE)
        .with("sessionPolicies", reads)
        .allowed(&organization);
}

fn two_accounts(resource: &[serde_json::Value]) -> ciem::access::aws::Organization {
    organization(vec![
        AccountBuilder::new(PROD).resource(queue(resource)).build(),
        AccountBuilder::new(DEV)
            .user("x", |user| user.inline("p", policy(&[allow(SEND, "*")])))
            .user("y", |user| user)
            .build(),
    ])
}

#[test]
fn w5_across_accounts_both_sides_must_allow() {
    let named = two_accounts(&[with(allow(SEND, "*"), json!({"Principal": {"AWS": DEV}}))]);
    ask("arn:aws:iam::222222222222:user/x", SEND, QUEUE).allowed(&named);
    ask("arn:aws:iam::222222222222:user/y", SEND, QUEUE).denied(&named, "no-grant");
    let unnamed = two_accounts(&[with(allow(SEND, "*"), json!({"Principal": {"AWS": PROD}}))]);
    ask("arn:aws:iam::222222222222:user/x", SEND, QUEUE).denied(&unnamed, "no-grant");
}

#[test]
fn w5_everyone_still_needs_the_callers_side() {
    let organization = two_accounts(&[with(allow(SEND, "*"), json!({"Principal": "*"}))]);
    ask("arn:aws:iam::222222222222:user/x", SEND, QUEUE).allowed(&organization);
    ask("arn:aws:iam::222222222222:user/y", SEND, QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w5_an_unread_resource_policy_of_another_account_is_unknown() {
    let organization = organization(vec![
        AccountBuilder::new(PROD).build(),
        AccountBuilder::new(DEV)
            .user("x", |user| user.inline("p", policy(&[allow(SEND, "*")])))
            .user("y", |user| user)
            .build(),
    ]);
    ask("arn:aws:iam::222222222222:user/x", SEND, QUEUE).unknown(&organization);
    ask("arn:aws:iam::222222222222:user/y", SEND, QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w5_an_account_or_principal_that_was_not_read_is_unknown() {
    let organization = user_with(&[allow("*", "*")]);
    let code = |principal: &str, resource: &str| ask(principal, SEND, resource).to(&organization).1;
    assert_eq!(
        code(&user("a"), "arn:aws:sqs:eu-west-1:999999999999:q"),
        "resource-account-not-read"
    );
    assert_eq!(code(&user("nobody"), QUEUE), "principal-not-found");
    assert_eq!(code("arn:aws:iam::999999999999:root", QUEUE), "principal-not-found");
    assert_eq!(code(&session("nobody", "s"), QUEUE), "principal-not-found");
}

#[test]
fn w5_a_bucket_belongs_to_the_account_that_lists_it() {
    let build = |resources: bool| {
        let account = AccountBuilder::new(PROD).user("a", |user| user.inline("p", policy(&[allow("s3:*", "*")])));
        organization(vec![if resources {
            account.resource(json!({"arn": "arn:aws:s3:::mine"})).build()
        } else {
            account.build()
        }])
    };
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::mine/x").allowed(&build(true));
    assert_eq!(
        ask(&user("a"), "s3:GetObject", "arn:aws:s3:::other/x").to(&build(true)).1,
        "resource-account-not-read"
    );
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::other/x")
        .with("resourceAccount", json!(PROD))
        .allowed(&build(true));
    // Where nobody read what the account owns, the bucket is taken for its own and the layer is listed.
    let decision = ask(&user("a"), "s3:GetObject", "arn:aws:s3:::other/x").of(&build(false));
    assert!(decision.unread_layers.contains(&"resource".to_owned()));
    ask(&user("a"), "s3:GetObject", "arn:aws:s3:::other/x")
        .strict()
        .unknown(&build(false));
}

#[test]
fn w11_a_boundary_that_was_not_found_is_unknown() {
    let organization = organization(vec![
        AccountBuilder::new(PROD)
            .user("a", |user| {
                user.inline("p", policy(&[allow(SEND, "*"), deny("sqs:DeleteQueue", "*")]))
                    .boundary("gone")
            })
            .build(),
    ]);
    ask(&user("a"), SEND, QUEUE).unknown(&organization);
    ask(&user("a"), "sqs:DeleteQueue", QUEUE).denied(&organization, "explicit-deny");
    ask(&user("a"), "sqs:ReceiveMessage", QUEUE).denied(&organization, "no-grant");
}

#[test]
fn w11_an_attached_policy_that_was_not_read_is_unknown_in_both_directions() {
    let organization = organization(vec![
        AccountBuilder::new(PROD)
            .user("a", |user| {
                user.inline("p", policy(&[allow(SEND, "*"), deny("sqs:DeleteQueue", "*")]))
                    .attach("gone")
            })
            .user("b", |user| user.member_of("gone"))
            .build(),
    ]);
    ask(&user("a"), SEND, QUEUE).unknown(&organization);
    ask(&user("a"), "sqs:ReceiveMessage", QUEUE).unknown(&organization);
    ask(&user("a"), "sqs:DeleteQueue", QUEUE).denied(&organization, "explicit-deny");
    ask(&user("b"), SEND, QUEUE).unknown(&organization);
}

#[test]
fn strict_answers_hold_only_where_all_layers_were_read() {
    let account = AccountBuilder::new(PROD)
        .user("a", |user| user.inline("p", policy(&[allow(SEND, "*")])))
        .resource(queue(&[]))
        .build();
    let full = json!([{"id": "r-1", "policies": [policy(&[allow("*", "*")])]}]);
    let open = organization(vec![account.clone()]);
    ask(&user("a"), SEND, QUEUE).allowed(&open);
    assert_eq!(
        ask(&user("a"), SEND, QUEUE).of(&open).unread_layers,
        ["resource-control-policies", "service-control-policies"]
    );
    ask(&user("a"), SEND, QUEUE).strict().unknown(&open);
    // Nothing that was not read can grant.
    ask(&user("a"), "sqs:DeleteQueue", QUEUE).strict().denied(&open, "no-grant");
    let read = from_input(json!({
        "accounts": [account],
        "serviceControlPolicies": [{"account": PROD, "levels": full}],
        "resourceControlPolicies": [{"account": PROD, "levels": []}],
    }));
    ask(&user("a"), SEND, QUEUE).strict().allowed(&read);
    assert!(ask(&user("a"), SEND, QUEUE).of(&read).unread_layers.is_empty());
}
