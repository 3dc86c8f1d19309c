//! AWS-EXC-01, 02, 03 and 13: what is granted, and how it hangs.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// A role with one inline policy of these statements.
fn role_with(statements: Value) -> Value {
    roles(vec![role("worker", &[("wide", document(statements))], &[])])
}

#[rstest]
#[case::plain(json!([allow(json!("*"), json!("*"))]), true)]
#[case::service_and_name(json!([allow(json!("*:*"), json!("*"))]), true)]
#[case::among_others(json!([allow(json!(["s3:Get*", "*"]), json!(["arn:aws:s3:::b", "*"]))]), true)]
#[case::deny_of_one_service_leaves_the_rest(json!([allow(json!("*"), json!("*")), deny(json!("iam:*"), json!("*"))]), true)]
#[case::deny_of_some_resources_leaves_the_rest(json!([allow(json!("*"), json!("*")), deny(json!("*"), json!("arn:aws:s3:::b/*"))]), true)]
#[case::whole_account(json!([allow(json!("*"), json!("arn:aws:*:*:111122223333:*"))]), true)]
#[case::another_account(json!([allow(json!("*"), json!("arn:aws:*:*:444455556666:*"))]), false)]
#[case::one_resource(json!([allow(json!("*"), json!("arn:aws:s3:::b"))]), false)]
#[case::one_service(json!([allow(json!("s3:*"), json!("*"))]), false)]
#[case::taken_away(json!([allow(json!("*"), json!("*")), deny(json!("*"), json!("*"))]), false)]
#[case::denied_only(json!([deny(json!("*"), json!("*"))]), false)]
fn everything_is_found_where_it_holds(#[case] statements: Value, #[case] expected: bool) {
    let outcome = audit_of(&role_with(statements));
    assert_eq!(found(&outcome, "AWS-EXC-01").len(), usize::from(expected));
    assert!(outcome.not_evaluated.is_empty(), "{:?}", outcome.not_evaluated);
}

/// Known wrong answer 4: what else is allowed or denied on something else takes no finding away.
#[test]
fn an_unrelated_statement_changes_nothing() {
    let outcome = audit_of(&role_with(json!([
        allow(json!("*"), json!("*")),
        allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*"))
    ])));
    assert_eq!(the(&outcome, "AWS-EXC-01").evidence.statements.len(), 1);
}

#[test]
fn one_problem_through_two_policies_is_one_finding_that_names_both() {
    let everything = document(json!([allow(json!("*"), json!("*"))]));
    let outcome = audit_of(&account(json!({
        "UserDetailList": [user("alice", &[("own", everything.clone())], &[&managed_policy("admin")], &["admins"])],
        "GroupDetailList": [group("admins", &[("shared", everything.clone())], &[])],
        "Policies": [managed("admin", everything)],
    })));
    let finding = the(&outcome, "AWS-EXC-01");
    let policies: Vec<&str> = finding
        .evidence
        .statements
        .iter()
        .map(|statement| statement.policy.as_str())
        .collect();
    assert_eq!(
        policies,
        [
            "arn:aws:iam::111122223333:group/admins#shared",
            "arn:aws:iam::111122223333:policy/admin",
            "arn:aws:iam::111122223333:user/alice#own"
        ]
    );
    assert_eq!(
        finding.evidence.summary,
        "user alice is granted every action on every resource by `admin`, `own` and `shared` through group `admins`"
    );
    assert_eq!(finding.identity.as_ref().unwrap().kind, IdentityKind::User);
}

/// The group acts through its members: it has no finding of its own.
#[test]
fn a_group_is_judged_through_its_members() {
    let everything = document(json!([allow(json!("*"), json!("*"))]));
    let with = |users: Value| {
        audit_of(&account(
            json!({"UserDetailList": users, "GroupDetailList": [group("admins", &[("all", everything.clone())], &[])]}),
        ))
    };
    assert!(found(&with(json!([])), "AWS-EXC-01").is_empty());
    let outcome = with(json!([
        user("alice", &[], &[], &["admins"]),
        user("bob", &[], &[], &["admins"]),
        user("carol", &[], &[], &[])
    ]));
    assert_eq!(
        found(&outcome, "AWS-EXC-01"),
        [("alice".to_owned(), String::new()), ("bob".to_owned(), String::new())]
    );
    assert_eq!(outcome.groups.len(), 1);
    let group = &outcome.groups[0];
    assert_eq!(
        (group.rule.as_str(), group.cause.as_str()),
        ("AWS-EXC-01", "arn:aws:iam::111122223333:group/admins#all")
    );
    assert_eq!(
        group.findings,
        outcome.findings.iter().map(|finding| finding.id.clone()).collect::<Vec<_>>()
    );
}

#[test]
fn a_condition_is_part_of_the_finding_unless_something_holds_without() {
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let conditional = when(allow(json!("*"), json!("*")), mfa);
    let outcome = audit_of(&role_with(json!([conditional.clone()])));
    let condition = the(&outcome, "AWS-EXC-01").conditions.clone().unwrap();
    assert!(serde_json::to_string(&condition).unwrap().contains("aws:MultiFactorAuthPresent"));
    let outcome = audit_of(&role_with(json!([conditional, allow(json!("*"), json!("*"))])));
    assert_eq!(the(&outcome, "AWS-EXC-01").conditions, None);
}

#[test]
fn a_boundary_takes_the_breadth_away() {
    let everything = document(json!([allow(json!("*"), json!("*"))]));
    let worker = bounded(role("worker", &[("wide", everything.clone())], &[]), "limit");
    let with = |boundary: Value| {
        audit_of(&account(
            json!({"RoleDetailList": [worker.clone()], "Policies": [managed("limit", boundary)]}),
        ))
    };
    assert!(passes(&with(document(json!([allow(json!("s3:*"), json!("*"))]))), "AWS-EXC-01"));
    assert_eq!(found(&with(everything), "AWS-EXC-01").len(), 1);
}

/// W11: a boundary that was not found in what was read is unknown; the identity has not passed.
#[test]
fn an_unread_boundary_leaves_the_identity_without_verdict() {
    let everything = document(json!([allow(json!("*"), json!("*"))]));
    let worker = bounded(role("worker", &[("wide", everything)], &[]), "lost");
    let outcome = audit_of(&roles(vec![worker, role("other", &[], &[])]));
    assert!(found(&outcome, "AWS-EXC-01").is_empty());
    assert_eq!(
        not_evaluated(&outcome, "AWS-EXC-01"),
        ["one identity could not be judged: see the coverage"]
    );
    let said: Vec<&CoverageEntry> = outcome
        .coverage
        .iter()
        .filter(|entry| entry.entity.ends_with("role/worker"))
        .collect();
    assert!(
        said.iter().any(|entry| entry.reason.starts_with("AWS-EXC-01 could not be judged")),
        "{said:?}"
    );
    assert!(said.iter().any(|entry| entry.reason.contains("boundary was not read")), "{said:?}");
    // Its trust policy was read and judged.
    assert!(passes(&outcome, "AWS-MAP-02"));
}

#[rstest]
#[case::malformed(json!("{\"Version\": \"2012-10-17\", \"Statement\": [}"))]
#[case::unknown_element(json!([{"Effect": "Allow", "Actions": "*", "Resource": "*"}]))]
fn a_policy_that_cannot_be_used_is_no_pass(#[case] statements: Value) {
    let document = if statements.is_string() { statements } else { document(statements) };
    let outcome = audit_of(&roles(vec![role("worker", &[("broken", document)], &[])]));
    for rule in ["AWS-EXC-01", "AWS-EXC-02", "AWS-EXC-03"] {
        assert_eq!(
            not_evaluated(&outcome, rule),
            ["one identity could not be judged: see the coverage"],
            "{rule}"
        );
    }
    assert!(passes(&outcome, "AWS-MAP-01"));
}

#[test]
fn an_attached_policy_that_was_not_read_is_no_pass() {
    let outcome = audit_of(&roles(vec![role("worker", &[], &["arn:aws:iam::aws:policy/SomethingNew"])]));
    assert_eq!(
        not_evaluated(&outcome, "AWS-EXC-01"),
        ["one identity could not be judged: see the coverage"]
    );
}

#[test]
fn whole_services_are_one_finding_each() {
    let outcome = audit_of(&role_with(json!([
        allow(json!(["s3:*", "ec2:*", "sqs:Send*"]), json!("*")),
        allow(json!("S3:*"), json!("arn:aws:s3:::*")),
        allow(json!("dynamodb:*"), json!("arn:aws:dynamodb:*:*:table/orders")),
    ])));
    let of = |service: &str| ("worker".to_owned(), service.to_owned());
    assert_eq!(found(&outcome, "AWS-EXC-02"), [of("ec2"), of("s3")]);
    let s3 = outcome.findings.iter().find(|finding| finding.discriminator == "s3").unwrap();
    assert_eq!(s3.evidence.statements.len(), 2);
    assert_eq!(
        s3.evidence.summary,
        "role worker is granted every action of s3 on every resource by `wide`"
    );
}

/// `arn:aws:s3:::*` names all buckets and objects, so it is as wide as `*`; one region, one type or another account is less.
#[rstest]
#[case("s3:*", "arn:aws:s3:::*", true)]
#[case("*", "arn:aws:s3:::*", true)]
#[case("*", "arn:aws:iam::111122223333:*", true)]
#[case("*", "arn:aws:s3:::logs-*", false)]
#[case("dynamodb:*", "arn:aws:dynamodb:*:*:*", true)]
#[case("iam:*", "arn:aws:iam::111122223333:*", true)]
#[case("s3:*", "arn:aws:s3:::*/*", false)]
#[case("s3:*", "arn:aws:s3:::logs-*", false)]
#[case("dynamodb:*", "arn:aws:dynamodb:eu-west-1:*:*", false)]
#[case("iam:*", "arn:aws:iam::444455556666:*", false)]
#[case("iam:*", "arn:aws:iam::111122223333:role/*", false)]
#[case("ec2:*", "arn:aws:s3:::*", false)]
fn all_resources_of_a_service_count_as_all(#[case] action: &str, #[case] resource: &str, #[case] expected: bool) {
    let outcome = audit_of(&role_with(json!([allow(json!(action), json!(resource))])));
    assert_eq!(found(&outcome, "AWS-EXC-02").len(), usize::from(expected));
}

/// A deny that takes one service away leaves the other of the same statement.
#[test]
fn each_service_of_a_statement_is_asked_for_by_itself() {
    for (denied, left) in [("s3:*", "ec2"), ("ec2:*", "s3")] {
        let outcome = audit_of(&role_with(json!([
            allow(json!(["s3:*", "ec2:*"]), json!("*")),
            deny(json!(denied), json!("*"))
        ])));
        assert_eq!(found(&outcome, "AWS-EXC-02"), [("worker".to_owned(), left.to_owned())], "{denied}");
    }
}

#[test]
fn a_service_adds_nothing_to_everything() {
    let outcome = audit_of(&role_with(json!([allow(json!("*"), json!("*")), allow(json!("s3:*"), json!("*"))])));
    assert!(passes(&outcome, "AWS-EXC-02"));
    // But it does where everything needs a condition that the service does not.
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let outcome = audit_of(&role_with(json!([
        when(allow(json!("*"), json!("*")), mfa.clone()),
        allow(json!("s3:*"), json!("*"))
    ])));
    assert_eq!(the(&outcome, "AWS-EXC-02").discriminator, "s3");
    let both = json!([
        when(allow(json!("*"), json!("*")), mfa.clone()),
        when(allow(json!("s3:*"), json!("*")), mfa)
    ]);
    assert!(passes(&audit_of(&role_with(both)), "AWS-EXC-02"));
}

#[rstest]
#[case::not_action(json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]), &["NotAction"])]
#[case::not_resource(json!([{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::secret/*"}]), &["NotResource"])]
#[case::both(json!([{"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}]), &["NotResource"])]
#[case::two_statements(
    json!([
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "NotResource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]},
    ]),
    &["NotAction", "NotResource"]
)]
#[case::on_a_whole_service(json!([{"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "arn:aws:s3:::*"}]), &["NotAction"])]
#[case::on_one_resource(json!([{"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "arn:aws:s3:::one/*"}]), &[])]
#[case::a_deny(json!([{"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}]), &[])]
#[case::taken_away(
    json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*"}]),
    &[]
)]
fn grants_by_exception_are_found(#[case] statements: Value, #[case] expected: &[&str]) {
    let outcome = audit_of(&role_with(statements));
    let forms: Vec<String> = found(&outcome, "AWS-EXC-03").into_iter().map(|(_, form)| form).collect();
    assert_eq!(forms, expected);
}

/// W10: nobody can change these, so nothing of theirs is an excess.
#[rstest]
#[case("/aws-service-role/config.amazonaws.com/")]
#[case("/aws-reserved/sso.amazonaws.com/")]
fn what_nobody_can_change_is_no_excess(#[case] path: &str) {
    let everything = document(json!([allow(json!("*"), json!("*")), allow(json!("s3:*"), json!("*"))]));
    let trusted = json!([trust(json!({"Service": "config.amazonaws.com"}))]);
    let linked = role_at(path, "linked", &trusted, &[("all", everything.clone())], &[]);
    // A customer's role on a path that only looks alike is judged.
    let own = role_at("/service-role/", "own", &trusted, &[("all", everything)], &[]);
    let outcome = audit_of(&roles(vec![linked, own]));
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(found(&outcome, "AWS-EXC-01"), [("own".to_owned(), String::new())]);
    assert_eq!(outcome.identities, BTreeMap::from([("Role".to_owned(), 2)]));
}

#[test]
fn policies_of_users_are_one_finding_for_each_user() {
    let read = document(json!([allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*"))]));
    let outcome = audit_of(&account(json!({
        "UserDetailList": [
            user("inline", &[("own", read.clone())], &[], &[]),
            user("managed", &[], &[&managed_policy("read")], &[]),
            user("both", &[("own", read.clone())], &[&managed_policy("read")], &["readers"]),
            user("by-group", &[], &[], &["readers"]),
            bounded(user("bounded", &[], &[], &[]), "read"),
        ],
        "GroupDetailList": [group("readers", &[("shared", read.clone())], &[&managed_policy("read")])],
        "RoleDetailList": [role("worker", &[("own", read.clone())], &[])],
        "Policies": [managed("read", read)],
    })));
    let names: Vec<String> = found(&outcome, "AWS-EXC-13").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["both", "inline", "managed"]);
    let both = outcome
        .findings
        .iter()
        .find(|finding| finding.evidence.summary.starts_with("user both"))
        .unwrap();
    assert_eq!(both.evidence.summary, "user both has policies of its own: `own` and `read`");
    let group = outcome.groups.iter().find(|group| group.rule == "AWS-EXC-13").unwrap();
    assert_eq!(
        (group.cause.as_str(), group.findings.len()),
        ("arn:aws:iam::111122223333:policy/read", 2)
    );
}

/// What a policy says does not matter for where it hangs.
#[test]
fn a_policy_that_cannot_be_used_still_hangs_on_its_user() {
    let outcome = audit_of(&users(vec![user("alice", &[("broken", json!("{"))], &[], &[])]));
    assert_eq!(found(&outcome, "AWS-EXC-13").len(), 1);
    assert!(not_evaluated(&outcome, "AWS-EXC-13").is_empty());
}

#[test]
fn names_in_a_sentence_are_counted_past_the_first_few() {
    let read = document(json!([allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*"))]));
    let names = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let policies: Vec<(&str, Value)> = names.iter().map(|name| (*name, read.clone())).collect();
    let outcome = audit_of(&users(vec![user("alice", &policies, &[], &[])]));
    assert_eq!(
        the(&outcome, "AWS-EXC-13").evidence.summary,
        "user alice has policies of its own: `p1`, `p2`, `p3`, `p4`, `p5` and 2 more"
    );
}
