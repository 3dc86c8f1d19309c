//! One finding of every rule, whole, and ids that must never change.

use serde_json::{Value, json};

use super::*;

/// An account with one finding of every rule.
pub fn account() -> Value {
    let administrator = {
        let statements = json!([allow(json!("*"), json!("*")), allow(json!("s3:*"), json!("*"))]);
        let trusted = json!([trust(json!({"AWS": "arn:aws:iam::111122223333:root"}))]);
        let mut role = role_at(
            "/break-glass/",
            "administrator",
            &trusted,
            &[("everything", document(statements))],
            &[],
        );
        role["Tags"] = json!([{"Key": "purpose", "Value": "emergency"}]);
        role
    };
    let condition = json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}});
    super::account(json!({
        "UserDetailList": [user("alice", &[("own", document(json!([allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*"))])))], &[], &[])],
        "RoleDetailList": [
            administrator,
            role("queue", &[("queues", document(json!([allow(json!("sqs:*"), json!("*"))])))], &[]),
            role("power", &[("most", document(json!([{"Sid": "Most", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}])))], &[]),
            trusting("partner", &json!([trust(json!({"AWS": "arn:aws:iam::444455556666:role/scanner"}))])),
            trusting("public", &json!([when(trust(json!("*")), json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))])),
            trusting("pipeline", &json!([federated("token.actions.githubusercontent.com", condition)])),
        ],
    }))
}

#[test]
fn findings_read_as_they_did() {
    let outcome = audit_of(&account());
    let mut findings = outcome.findings;
    findings.sort_by(|one, other| one.rule.cmp(&other.rule));
    assert_eq!(findings.len(), 7);
    insta::assert_json_snapshot!(findings);
}

/// Ids are written in reports, exemptions of SIEMs and tickets: a change of the encoding would make every finding a new one.
#[test]
fn ids_never_change() {
    let id = |scope, rule, identity, resource, discriminator| {
        Key {
            provider: Provider::Aws,
            scope,
            rule,
            identity,
            resource,
            discriminator,
        }
        .id()
        .to_string()
    };
    let arn = Some("arn:aws:iam::111122223333:role/worker");
    assert_eq!(id(ACCOUNT, "AWS-EXC-01", arn, None, ""), "6cd6b93ee090a255bc27eada774570b1");
    assert_eq!(id(ACCOUNT, "AWS-EXC-02", arn, None, "s3"), "16029f29622684f19ce9b69a6f74bf3c");
    assert_eq!(
        id(ACCOUNT, "AWS-MAP-05", None, Some("arn:aws:s3:::b"), ""),
        "3116691b3d0646f8de0e2275a712bad0"
    );
}

/// Lengths keep members apart, and what is absent is not what is empty.
#[test]
fn ids_differ_where_anything_differs() {
    let key = Key {
        provider: Provider::Aws,
        scope: "ab",
        rule: "c",
        identity: Some("d"),
        resource: None,
        discriminator: "",
    };
    let all = [
        key,
        Key {
            provider: Provider::Azure,
            ..key
        },
        Key {
            scope: "a",
            rule: "bc",
            ..key
        },
        Key {
            identity: None,
            resource: Some("d"),
            ..key
        },
        Key { identity: None, ..key },
        Key { identity: Some(""), ..key },
        Key { resource: Some(""), ..key },
        Key {
            discriminator: "d",
            identity: None,
            ..key
        },
        Key { discriminator: "e", ..key },
    ];
    let ids: BTreeSet<_> = all.iter().map(Key::id).collect();
    assert_eq!(ids.len(), all.len());
    assert!(
        ids.iter()
            .all(|id| id.0.len() == 32 && id.0.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
}
