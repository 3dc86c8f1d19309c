//! What rules read: grants, attachments, trusts, sources, coverage.

use ciem::access::{Breadth, Entitlements, Grant, Trusted};
use ciem::model::{IdentityKind, Verdict};
use serde_json::{Value, json};

use super::{DEV, PROD, allow, deny, organization, policy, role, user, user_with, with};
use crate::support::builder::{AccountBuilder, document, trust_service};

fn grants(statements: &[Value]) -> Vec<Grant> {
    user_with(statements).grants(&user("a")).collect()
}

#[test]
fn identities_are_sorted_with_kind_and_scope() {
    let organization = organization(vec![
        AccountBuilder::new(DEV).user("z", |user| user).build(),
        AccountBuilder::new(PROD)
            .user("a", |user| user.tag("team", "x"))
            .group("g", |group| group)
            .role("r", trust_service("ec2.amazonaws.com"), |role| role)
            .build(),
    ]);
    let listed: Vec<(String, IdentityKind)> = organization
        .identities()
        .map(|identity| (identity.key.id, identity.key.kind))
        .collect();
    assert_eq!(
        listed,
        [
            (format!("arn:aws:iam::{PROD}:group/g"), IdentityKind::Group),
            (role("r"), IdentityKind::Role),
            (user("a"), IdentityKind::User),
            (format!("arn:aws:iam::{DEV}:user/z"), IdentityKind::User),
        ]
    );
    assert_eq!(organization.scopes(), [PROD, DEV]);
    assert!(
        organization
            .identities()
            .all(|identity| identity.key.id.contains(&identity.key.scope))
    );
}

#[test]
fn breadths_say_how_wide_a_grant_is() {
    let all = grants(&[
        allow("*", "*"),
        json!({"Effect": "Allow", "Action": ["s3:*", "ec2:Get*", "*:*"], "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::b/*", "arn:*"]}),
        json!({"Effect": "Allow", "NotAction": ["iam:*"], "NotResource": "arn:aws:s3:::b"}),
        deny("*", "*"),
    ]);
    // A service that is named whole is a grant of its own: other layers may take it away and leave the rest.
    assert_eq!(all.len(), 4);
    assert_eq!(
        (&all[0].actions[..], &all[0].resources[..]),
        (&[Breadth::Everything][..], &[Breadth::Everything][..])
    );
    assert_eq!(all[1].actions[..], [Breadth::Service("s3".into())]);
    assert_eq!(all[2].actions[..], [Breadth::Some("ec2:Get*".into()), Breadth::Everything]);
    let resources = [
        Breadth::Service("s3".into()),
        Breadth::Some("arn:aws:s3:::b/*".into()),
        Breadth::Everything,
    ];
    assert!(all[1].resources[..] == resources && all[2].resources[..] == resources);
    assert_eq!(all[3].actions[..], [Breadth::AllBut(vec!["iam:*".into()])]);
    assert_eq!(all[3].resources[..], [Breadth::AllBut(vec!["arn:aws:s3:::b".into()])]);
}

#[test]
fn a_grant_is_worth_what_other_layers_leave() {
    let effective = |statements: &[Value]| grants(statements)[0].effective;
    assert_eq!(effective(&[allow("*", "*")]), Verdict::Allowed);
    assert_eq!(effective(&[allow("*", "*"), deny("iam:*", "*")]), Verdict::Allowed);
    assert_eq!(effective(&[allow("*", "*"), deny("*", "*")]), Verdict::Denied);
    assert_eq!(
        effective(&[allow("*", "*"), json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"})]),
        Verdict::Denied
    );
    assert_eq!(effective(&[allow("s3:*", "*"), deny("s3:*", "*")]), Verdict::Denied);
    assert_eq!(
        effective(&[
            allow("s3:*", "*"),
            with(deny("s3:*", "*"), json!({"Condition": {"Odd": {"a": "b"}}}))
        ]),
        Verdict::Unknown
    );
    // It is about this statement, not about what others give.
    let two = grants(&[
        with(allow("s3:*", "*"), json!({"Condition": {"StringEquals": {"key:x": "a"}}})),
        allow("*", "*"),
    ]);
    assert_eq!((two[0].effective, two[1].effective), (Verdict::Conditional, Verdict::Allowed));
    assert_eq!(ciem::access::describe(two[0].residual.as_ref().unwrap()), "key:x = a");
    assert_eq!(two[1].residual, None);
}

#[test]
fn a_boundary_takes_breadth_away() {
    let build = |boundary: Value| {
        let account = AccountBuilder::new(PROD)
            .policy("limit", policy(&[boundary]))
            .user("a", |user| user.inline("p", policy(&[allow("*", "*")])).boundary("limit"));
        organization(vec![account.build()]).grants(&user("a")).next().unwrap().effective
    };
    assert_eq!(build(allow("s3:*", "*")), Verdict::Denied);
    assert_eq!(build(allow("*", "*")), Verdict::Allowed);
}

#[test]
fn grants_through_groups_are_not_direct() {
    let account = AccountBuilder::new(PROD)
        .group("g", |group| {
            group.inline("gp", policy(&[with(allow("s3:*", "*"), json!({"Sid": "S"}))]))
        })
        .policy("m", policy(&[allow("ec2:*", "*")]))
        .user("a", |user| user.member_of("g").attach("m"));
    let organization = organization(vec![account.build()]);
    let all: Vec<Grant> = organization.grants(&user("a")).collect();
    let group = format!("arn:aws:iam::{PROD}:group/g");
    assert_eq!(all.iter().map(|grant| grant.direct).collect::<Vec<_>>(), [true, false]);
    assert_eq!(all[0].statement.policy, format!("arn:aws:iam::{PROD}:policy/m"));
    assert_eq!(
        (all[1].statement.policy.as_str(), all[1].statement.via.as_deref()),
        (format!("{group}#gp").as_str(), Some(group.as_str()))
    );
    assert_eq!(all[1].statement.sid.as_deref(), Some("S"));
    let attached: Vec<(String, &str, Option<String>)> = organization
        .attachments(&user("a"))
        .map(|one| (one.policy, one.form, one.via))
        .collect();
    assert_eq!(
        attached,
        [
            (format!("arn:aws:iam::{PROD}:policy/m"), "managed", None),
            (format!("{group}#gp"), "inline", Some(group.clone()))
        ]
    );
    assert_eq!(organization.grants(&group).count(), 1);
    assert_eq!(organization.grants("arn:aws:iam::111111111111:user/nobody").count(), 0);
}

#[test]
fn an_exact_resource_of_another_account_that_was_not_read_is_unknown() {
    assert_eq!(
        grants(&[allow("sqs:*", "arn:aws:sqs:eu-west-1:999999999999:q")])[0].effective,
        Verdict::Unknown
    );
    assert_eq!(grants(&[allow("s3:*", "arn:aws:s3:::some-bucket")])[0].effective, Verdict::Allowed);
}

fn trusts(document: Value) -> Vec<(Trusted, Option<String>)> {
    let account = AccountBuilder::new(PROD).role("r", document, |role| role);
    let organization = organization(vec![account.build()]);
    organization
        .trusts(&role("r"))
        .map(|trust| (trust.from, trust.residual.as_ref().map(ciem::access::describe)))
        .collect()
}

fn trust(principal: Value, more: Value) -> Value {
    with(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}), more)
}

#[test]
fn trusts_name_every_kind_of_principal() {
    let external = "arn:aws:iam::222222222222:role/x";
    let listed = trusts(policy(&[
        trust(
            json!({"AWS": [PROD, user("a"), external, DEV, "*", "AROAXXXXXXXXXXXXXXXXX"], "Service": "ec2.amazonaws.com"}),
            json!({}),
        ),
        trust(
            json!({"Federated": ["arn:aws:iam::111111111111:oidc-provider/token.example.com/org", "accounts.google.com", "arn:aws:iam::111111111111:saml-provider/corp"]}),
            json!({"Action": ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"]}),
        ),
        trust(json!({"AWS": PROD}), json!({"Action": "sts:TagSession"})),
    ]));
    let from: Vec<Trusted> = listed.into_iter().map(|(from, _)| from).collect();
    let federated = |provider: &str, issuer: Option<&str>| Trusted::Federated {
        provider: provider.into(),
        issuer: issuer.map(Into::into),
    };
    assert_eq!(
        from,
        [
            Trusted::OwnScope,
            Trusted::Internal(user("a")),
            Trusted::External {
                scope: DEV.into(),
                principal: external.into()
            },
            Trusted::External {
                scope: DEV.into(),
                principal: DEV.into()
            },
            Trusted::Everyone,
            Trusted::Unresolved("AROAXXXXXXXXXXXXXXXXX".into()),
            Trusted::Service("ec2.amazonaws.com".into()),
            federated(
                "arn:aws:iam::111111111111:oidc-provider/token.example.com/org",
                Some("token.example.com/org")
            ),
            federated("accounts.google.com", Some("accounts.google.com")),
            federated("arn:aws:iam::111111111111:saml-provider/corp", None),
        ]
    );
}

#[test]
fn trusts_keep_their_condition_and_the_denies_that_stand_against_all() {
    let condition = json!({"Condition": {"StringEquals": {"sts:ExternalId": "42"}}});
    assert_eq!(
        trusts(policy(&[trust(json!("*"), condition.clone())])),
        [(Trusted::Everyone, Some("sts:ExternalId = 42".into()))]
    );
    let guarded = policy(&[
        trust(json!("*"), json!({})),
        trust(
            json!("*"),
            json!({"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}),
        ),
    ]);
    assert_eq!(trusts(guarded), [(Trusted::Everyone, Some("aws:PrincipalOrgID = o-1".into()))]);
    assert_eq!(
        trusts(policy(&[
            trust(json!("*"), json!({})),
            trust(json!("*"), json!({"Effect": "Deny"}))
        ])),
        []
    );
}

#[test]
fn a_trust_that_cannot_be_evaluated_is_not_unconditional() {
    let odd = trusts(policy(&[trust(json!("*"), json!({"Condition": {"Odd": {"a": "b"}}}))]));
    assert_eq!(odd, [(Trusted::Everyone, Some("something that cannot be evaluated".into()))]);
}

#[test]
fn sources_and_faults_are_told_by_scope_and_identity() {
    let account = AccountBuilder::new(PROD)
        .policy("bad", json!("not json"))
        .user("a", |user| user.attach("bad"))
        .user("b", |user| user.inline("p", policy(&[allow("s3:*", "*")])))
        .without("GroupDetailList");
    let organization = organization(vec![account.build()]);
    assert_eq!(organization.source(PROD, "users"), Ok(()));
    assert!(organization.source(PROD, "groups").is_err());
    assert!(organization.source(PROD, "credentialReport").is_err());
    assert!(organization.source(DEV, "users").is_err());
    let [fault] = &organization.unusable(&user("a"))[..] else {
        panic!("one fault")
    };
    assert_eq!(
        (fault.source.as_str(), fault.entity.as_str()),
        ("policies", "arn:aws:iam::111111111111:policy/bad")
    );
    assert_eq!(organization.unusable(&user("b")), []);
    let coverage = organization.coverage();
    assert!(coverage.is_sorted() && coverage.contains(fault));
}

/// An explicit Deny of the trusted wins, one of somebody else changes nothing (W1, W15).
#[test]
fn w15_a_deny_of_the_trusted_takes_the_trust_away() {
    let other = "222222222222";
    let statement = |effect: &str, member: &str, principal: Value, condition: Value| {
        let mut statement = json!({"Effect": effect, "Action": "sts:AssumeRole"});
        statement[member] = principal;
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        statement
    };
    let aws = |name: &str| json!({"AWS": name});
    let allow = |principal: Value| statement("Allow", "Principal", principal, Value::Null);
    let deny = |member: &str, principal: Value| statement("Deny", member, principal, Value::Null);
    let user = format!("arn:aws:iam::{other}:user/u");
    let account = json!({"AWS": other});
    assert!(trusts(policy(&[allow(account.clone()), deny("Principal", account.clone())])).is_empty());
    assert!(trusts(policy(&[allow(aws(&user)), deny("Principal", aws(other))])).is_empty());
    assert_eq!(
        trusts(policy(&[allow(account.clone()), deny("Principal", aws(&user))])).len(),
        1,
        "one of many"
    );
    let own_root = aws(&format!("arn:aws:iam::{PROD}:root"));
    assert!(trusts(policy(&[allow(account.clone()), deny("NotPrincipal", own_root.clone())])).is_empty());
    assert_eq!(
        trusts(policy(&[allow(json!("*")), deny("NotPrincipal", own_root)])),
        [(Trusted::OwnScope, None)]
    );
    let condition = json!({"StringNotEquals": {"sts:ExternalId": "abc"}});
    let guarded = policy(&[allow(account.clone()), statement("Deny", "Principal", account, condition)]);
    assert_eq!(trusts(guarded)[0].1.as_deref(), Some("sts:ExternalId = abc"));
}

/// An identity that stands twice in a file has two states: nothing is known of it, and nothing is lost.
#[test]
fn an_identity_that_is_read_twice_is_not_judged() {
    let role = |policy: Option<Value>| {
        let built = AccountBuilder::new(PROD).role("a", trust_service("ec2.amazonaws.com"), |role| match &policy {
            Some(policy) => role.inline("p", policy.clone()),
            None => role,
        });
        built.build()["RoleDetailList"][0].clone()
    };
    let admin = role(Some(document(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})])));
    for roles in [[admin.clone(), role(None)], [role(None), admin]] {
        let mut account = AccountBuilder::new(PROD).build();
        account["RoleDetailList"] = json!(roles);
        let snapshots = ciem::snapshot::read(account.to_string().as_bytes(), "account").unwrap();
        let universe = ciem::graph::Universe::build(&snapshots);
        let question = ciem::access::Question {
            principal: format!("arn:aws:iam::{PROD}:role/a"),
            action: "s3:GetObject".into(),
            resource: "arn:aws:s3:::b/k".into(),
            ..ciem::access::Question::default()
        };
        assert_eq!(universe.decide(&question).verdict, Verdict::Unknown);
        let member = universe.members().next().unwrap();
        assert!(!member.unusable(&question.principal).is_empty());
        assert_eq!(member.identities().count(), 1);
    }
}

/// A Deny of one way to become a role leaves the others open, and nobody comes in by a way that is not theirs (W6).
#[test]
fn w6_a_denied_way_leaves_the_others_open() {
    let oidc = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    let web = json!({"Effect": "Allow", "Principal": {"Federated": oidc}, "Action": "sts:AssumeRoleWithWebIdentity"});
    let everybody = |action: &str| json!({"Effect": "Deny", "Principal": "*", "Action": action});
    let trusts = |statements: Vec<serde_json::Value>| {
        let account = AccountBuilder::new("111111111111")
            .role("deploy", document(&statements), |role| role)
            .build();
        let snapshots = ciem::snapshot::read(account.to_string().as_bytes(), "account").unwrap();
        let universe = ciem::graph::Universe::build(&snapshots);
        let member = universe.members().next().unwrap();
        member.trusts("arn:aws:iam::111111111111:role/deploy").count()
    };
    assert_eq!(trusts(vec![web.clone()]), 1);
    assert_eq!(trusts(vec![web.clone(), everybody("sts:AssumeRole")]), 1);
    assert_eq!(trusts(vec![web.clone(), everybody("sts:AssumeRoleWithWebIdentity")]), 0);
    assert_eq!(trusts(vec![web, everybody("sts:*")]), 0);
    let wrong_way = json!({"Effect": "Allow", "Principal": {"Federated": oidc}, "Action": "sts:AssumeRole"});
    assert_eq!(trusts(vec![wrong_way]), 0);
}

/// What is no resource and no action has no answer.
#[test]
fn a_mistyped_resource_or_action_has_no_answer() {
    let account = AccountBuilder::new(PROD).role(
        "a",
        document(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]),
        |role| role.inline("p", document(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})])),
    );
    let organization = organization(vec![account.build()]);
    let ask = |action: &str, resource: &str| {
        let question = ciem::access::Question {
            principal: role("a"),
            action: action.into(),
            resource: resource.into(),
            ..ciem::access::Question::default()
        };
        organization.decide(&question).verdict
    };
    for resource in ["b/x", "", "arn", "arn:aws:s3", "arn:aws:iam::999:role/x"] {
        assert_eq!(ask("s3:GetObject", resource), Verdict::Unknown, "{resource}");
    }
    assert_eq!(ask("s3:Get Object", "*"), Verdict::Unknown);
    for resource in [
        "*",
        "arn:aws:ec2:*",
        "arn:aws:ec2:eu-west-1:111111111111:instance/i-0",
        "arn:aws:iam::aws:policy/X",
    ] {
        assert_eq!(ask("ec2:StartInstances", resource), Verdict::Allowed, "{resource}");
    }
}
