//! Wildcards in questions (cases-format.md): any match, or every match.

use ciem::model::Verdict;
use serde_json::json;

use super::{PROD, QUEUE, allow, ask, deny, organization, policy, queue, role, user, user_with, with};
use crate::support::builder::{AccountBuilder, trust_aws};

#[test]
fn any_match_takes_the_best_answer() {
    let organization = user_with(&[allow("ec2:*", "*"), deny("ec2:Terminate*", "*")]);
    ask(&user("a"), "ec2:*", "*").allowed(&organization);
    ask(&user("a"), "ec2:Terminate*", "*").denied(&organization, "explicit-deny");
    ask(&user("a"), "*", "*").allowed(&organization);
    ask(&user("a"), "iam:*", "*").denied(&organization, "no-grant");
}

#[test]
fn every_match_takes_the_worst_answer() {
    let organization = user_with(&[allow("ec2:*", "*"), deny("ec2:Terminate*", "*")]);
    ask(&user("a"), "ec2:*", "*").all().denied(&organization, "explicit-deny");
    ask(&user("a"), "ec2:Start*", "*").all().allowed(&organization);
    ask(&user("a"), "*", "*").all().denied(&organization, "no-grant");
}

#[test]
fn one_named_action_inside_the_wildcard_is_found() {
    let organization = user_with(&[allow("sqs:SendMessage", QUEUE)]);
    ask(&user("a"), "sqs:*", "*").allowed(&organization);
    ask(&user("a"), "sqs:Send*", "arn:aws:sqs:*:*:ord*").allowed(&organization);
    ask(&user("a"), "sqs:Send*", "arn:aws:sqs:*:*:other*").denied(&organization, "no-grant");
    ask(&user("a"), "sqs:*", "*").all().denied(&organization, "no-grant");
}

#[test]
fn layers_are_intersected() {
    let account = AccountBuilder::new(PROD)
        .policy("limit", policy(&[allow("*:*Message", "arn:aws:sqs:*:*:*")]))
        .user("a", |user| user.inline("p", policy(&[allow("sqs:Send*", "*")])).boundary("limit"));
    let organization = organization(vec![account.build()]);
    ask(&user("a"), "sqs:*", "*").allowed(&organization);
    ask(&user("a"), "sqs:Receive*", "*").denied(&organization, "no-grant");
    ask(&user("a"), "sqs:SendAll", QUEUE).denied(&organization, "permissions-boundary");
}

#[test]
fn not_action_leaves_out_under_any_and_counts_under_all() {
    let organization = user_with(&[json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})]);
    ask(&user("a"), "*", "*").allowed(&organization);
    ask(&user("a"), "*", "*").all().denied(&organization, "no-grant");
    ask(&user("a"), "iam:Get*", "*").denied(&organization, "no-grant");
    ask(&user("a"), "s3:*", "*").all().allowed(&organization);
}

#[test]
fn roles_that_exist_answer_for_a_wildcard_over_roles() {
    let account = AccountBuilder::new(PROD)
        .user("a", |user| user.inline("p", policy(&[allow("sts:AssumeRole", "*")])))
        .user("b", |user| user)
        .role("open", trust_aws(PROD), |role| role)
        .role("shut", policy(&[]), |role| role);
    let organization = organization(vec![account.build()]);
    ask(&user("a"), "sts:AssumeRole", "arn:aws:iam::111111111111:role/*").allowed(&organization);
    ask(&user("a"), "sts:AssumeRole", &role("sh*")).denied(&organization, "trust-policy");
    assert_ne!(
        ask(&user("b"), "sts:AssumeRole", &role("*")).of(&organization).verdict,
        Verdict::Allowed
    );
}

#[test]
fn grants_of_resource_policies_are_found() {
    let account = AccountBuilder::new(PROD).user("a", |user| user).resource(queue(&[with(
        allow("sqs:SendMessage", "*"),
        json!({"Principal": {"AWS": user("a")}}),
    )]));
    let organization = organization(vec![account.build()]);
    ask(&user("a"), "sqs:*", "arn:aws:sqs:*:*:*").allowed(&organization);
    ask(&user("a"), "sqs:*", "*").allowed(&organization);
    ask(&user("a"), "sqs:Receive*", "*").denied(&organization, "no-grant");
}

#[test]
fn conditional_and_unknown_come_between() {
    let when = |action: &str| with(allow(action, "*"), json!({"Condition": {"StringEquals": {"key:x": "a"}}}));
    let organization = user_with(&[when("ec2:Start*"), with(allow("ec2:Stop*", "*"), json!({"Effect": "allow"}))]);
    assert_eq!(ask(&user("a"), "ec2:*", "*").of(&organization).verdict, Verdict::Conditional);
    assert_eq!(ask(&user("a"), "ec2:Stop*", "*").of(&organization).verdict, Verdict::Unknown);
    assert_eq!(ask(&user("a"), "ec2:Reboot*", "*").of(&organization).verdict, Verdict::Denied);
}

#[test]
fn question_marks_tell_lengths_apart() {
    let instance = "arn:aws:ec2:eu-west-1:111111111111:instance/";
    let long_only = user_with(&[allow("ec2:*", &format!("{instance}??*"))]);
    ask(&user("a"), "ec2:StartInstances", &format!("{instance}*"))
        .all()
        .denied(&long_only, "no-grant");
    ask(&user("a"), "ec2:StartInstances", &format!("{instance}*")).allowed(&long_only);
    let short_only = user_with(&[allow("ec2:*", "*"), deny("ec2:*", &format!("{instance}??*"))]);
    ask(&user("a"), "ec2:StartInstances", &format!("{instance}*")).allowed(&short_only);
    ask(&user("a"), "ec2:StartInstances", &format!("{instance}abc*")).denied(&short_only, "explicit-deny");
}

#[test]
fn control_policies_and_what_denies_leave_out_cut_the_question() {
    let account = AccountBuilder::new(PROD).user("a", |user| {
        user.inline(
            "p",
            policy(&[
                allow("ec2:*", "*"),
                json!({"Effect": "Deny", "NotAction": "ec2:S*", "Resource": "*"}),
            ]),
        )
    });
    let levels = json!([{"account": PROD, "levels": [{"id": "r-1", "policies": [policy(&[allow("*:*Instances", "*")])]}]}]);
    let organization = super::from_input(json!({"accounts": [account.build()], "serviceControlPolicies": levels}));
    ask(&user("a"), "*", "*").allowed(&organization);
    ask(&user("a"), "ec2:R*", "*").denied(&organization, "explicit-deny");
    ask(&user("a"), "ec2:S*Image", "*").denied(&organization, "service-control-policy");
}

#[test]
fn taking_on_a_role_needs_its_trust_under_wildcards_too() {
    let build = |trusted: &str| {
        let account = AccountBuilder::new(PROD).user("a", |user| user.inline("p", policy(&[allow("sts:*", "*")])));
        organization(vec![account.role("r", trust_aws(trusted), |role| role).build()])
    };
    ask(&user("a"), "sts:Assume*", "*").denied(&build("222222222222"), "trust-policy");
    ask(&user("a"), "sts:Assume*", "*").allowed(&build(PROD));
}

#[test]
fn thousands_of_roles_do_not_slow_a_question_down() {
    let account = crate::support::generate::generate(7, 2_000, 20, 200);
    let organization = organization(vec![account]);
    let began = std::time::Instant::now();
    let asked: Vec<Verdict> = ciem::access::Entitlements::identities(&organization)
        .step_by(200)
        .map(|identity| ask(&identity.key.id, "organizations:*", "*").of(&organization).verdict)
        .collect();
    assert!(asked.contains(&Verdict::Denied) && !asked.contains(&Verdict::Unknown), "{asked:?}");
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
