//! Reading and writing of CloudAccount specs. What the schema refuses is shown against a real API server (`e2e/manifests.rs`).

use super::*;

fn read(text: &str) -> CloudAccountSpec {
    serde_json::from_str(text).unwrap()
}

#[test]
fn absent_members_have_their_defaults() {
    let spec = read(r#"{"provider": "AWS", "aws": {"accountId": "111122223333", "auth": {"type": "Ambient"}}}"#);
    let aws = spec.aws.as_ref().unwrap();
    assert_eq!((spec.interval.as_str(), aws.partition.as_str()), ("6h", "aws"));
    assert!(!spec.suspend && aws.regions.is_empty() && aws.auth.assume_role_chain.is_empty());
    assert_eq!(spec.scope(), Some("111122223333"));
}

#[test]
fn what_is_absent_is_not_written() {
    let text = r#"{"provider":"Snapshot","snapshot":{"type":"StoreRef","storeRef":{"path":"a/b.json"}},"interval":"6h"}"#;
    let spec = read(text);
    assert_eq!(serde_json::to_string(&spec).unwrap(), text);
    assert_eq!((spec.scope(), spec.provider.provider(), spec.member()), (None, None, "snapshot"));
}

#[test]
fn secret_keys_have_default_names() {
    let plain: AwsSecretRef = serde_json::from_str(r#"{"name": "keys", "type": "AwsKeys"}"#).unwrap();
    assert_eq!(
        (plain.access_key_id(), plain.secret_access_key()),
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    );
    assert_eq!(plain.session_token(), ("AWS_SESSION_TOKEN", false));
    let named: AwsSecretRef =
        serde_json::from_str(r#"{"name": "keys", "type": "AwsKeys", "keys": {"accessKeyId": "id", "sessionToken": "token"}}"#).unwrap();
    assert_eq!((named.access_key_id(), named.secret_access_key()), ("id", "AWS_SECRET_ACCESS_KEY"));
    assert_eq!(named.session_token(), ("token", true));
}
