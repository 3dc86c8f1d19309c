//! What is refused, where and why; and what is not: a bad policy document in a good account.

use ciem::snapshot::aws::Account;
use ciem::snapshot::{ReadError, read};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::support::builder::{AccountBuilder, allow_statement, document};
use crate::support::demo;

fn refused(bytes: &[u8]) -> ReadError {
    read(bytes, "account.json").unwrap_err()
}

#[rstest]
#[case::empty(b"", "", "the file is empty")]
#[case::blank(b" \n ", "", "the file is empty")]
#[case::null(b"null", "line 1, column 1: ", "expected an object, found null")]
#[case::number(b"5", "line 1, column 1: ", "expected an object, found a number")]
#[case::list(b"[]", "line 1, column 1: ", "the list is empty: expected a snapshot or an account as JSON")]
#[case::foreign_list(
    b"[{\"AccountId\": \"1\"}]",
    "[0] (line 1, column 2): ",
    "a list must hold snapshots that the collector wrote"
)]
#[case::cut(b"[1,2", "line 1, column 4: ", "not JSON: the file ends too early")]
#[case::no_json(b"{\n  nope}", "line 2, column 3: ", "not JSON: key must be a string")]
#[case::two_values(b"{} {}", "line 1, column 4: ", "not JSON: trailing characters")]
#[case::utf16(b"\xff\xfe{", "", "the file is UTF-16: save it as UTF-8")]
#[case::no_utf8(b"{\"a\":\n \"\xc3\x28\"}", "line 2, column 3: ", "the file is not UTF-8 text")]
#[case::mark_and_garbage(b"\xef\xbb\xbfgarbage", "line 1, column 1: ", "not JSON: expected value")]
#[case::torn_zstd(&[0x28, 0xB5, 0x2F, 0xFD, 1, 2], "", "zstd:")]
#[case::gzip(&[0x1f, 0x8b, 8, 0], "line 1, column 2: ", "the file is not UTF-8 text")]
#[case::foreign(br#"{"unrelated": true}"#, "line 1, column 1: ", "no form that ciem reads")]
#[case::nothing(b"{}", "line 1, column 1: ", "found no member")]
#[case::azure(
    br#"{"hierarchy": [], "roleAssignments": []}"#,
    "line 1, column 1: ",
    "snapshots of Azure are not supported yet"
)]
#[case::gcp(
    br#"{"hierarchy": [], "resources": [], "allowPolicies": []}"#,
    "line 1, column 1: ",
    "snapshots of GCP are not supported yet"
)]
#[case::cases(br#"{"format": "ciem-cases/1", "cases": []}"#, "line 1, column 1: ", "run it with `ciem test`")]
#[case::newer(
    br#"{"schema": "ciem.dev/snapshot/v7"}"#,
    "schema (line 1, column 12): ",
    "the schema 'ciem.dev/snapshot/v7' is not known"
)]
#[case::arn(
    b"{\"RoleDetailList\": [\n {\"Arn\": 5}]}",
    "RoleDetailList[0].Arn (line 2, column 10): ",
    "expected text, found a number"
)]
#[case::no_arn(
    br#"{"RoleDetailList": [{"RoleName": "r"}]}"#,
    "RoleDetailList[0] (line 1, column 21): ",
    "the member 'Arn' is missing"
)]
#[case::null_arn(
    br#"{"RoleDetailList": [{"Arn": null}]}"#,
    "RoleDetailList[0] (line 1, column 21): ",
    "the member 'Arn' is missing"
)]
#[case::no_list(
    br#"{"RoleDetailList": {}}"#,
    "RoleDetailList (line 1, column 20): ",
    "expected a list, found an object"
)]
#[case::no_entity(
    br#"{"UserDetailList": ["u"]}"#,
    "UserDetailList[0] (line 1, column 21): ",
    "expected an object, found text"
)]
#[case::member_twice(
    br#"{"UserDetailList": [{"Arn": "a", "Arn": "b"}]}"#,
    "UserDetailList[0] (line 1, column 21): ",
    "the member 'Arn' appears twice"
)]
#[case::tag(
    br#"{"UserDetailList": [{"Arn": "a", "Tags": [{"Key": "k"}, {"Value": "v"}]}]}"#,
    "UserDetailList[0].Tags[1] (line 1, column 57): ",
    "the member 'Key' is missing"
)]
#[case::flag(
    br#"{"Policies": [{"Arn": "a", "PolicyVersionList": [{"IsDefaultVersion": "yes"}]}], "AccountId": "111111111111"}"#,
    "Policies[0].PolicyVersionList[0].IsDefaultVersion (line 1, column 71): ",
    "expected true or false, found text"
)]
#[case::big_number(
    br#"{"AccountId": "111111111111", "UserDetailList": [{"Arn": "a", "x": 12345678901234567890}]}"#,
    "UserDetailList[0].x (line 1, column 68): ",
    "larger than JSON keeps exactly"
)]
#[case::account_number(
    br#"{"AccountId": 111111111111}"#,
    "AccountId (line 1, column 15): ",
    "quote the account's 12 digits"
)]
#[case::account_text(br#"{"AccountId": "prod"}"#, "AccountId (line 1, column 15): ", "'prod' is no AWS account")]
#[case::nameless(
    br#"{"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}"#,
    "line 1, column 1: ",
    "add the member 'AccountId'"
)]
#[case::tie(
    br#"{"UserDetailList": [{"Arn": "arn:aws:iam::111111111111:user/a"}, {"Arn": "arn:aws:iam::222222222222:user/a"}]}"#,
    "line 1, column 1: ",
    "equally many ARNs name 111111111111 and 222222222222"
)]
#[case::paging(
    br#"{"AccountId": "111111111111", "IsTruncated": 1}"#,
    "IsTruncated (line 1, column 46): ",
    "expected true, false or text"
)]
#[case::no_account(br#"{"accounts": []}"#, "accounts (line 1, column 14): ", "there is no account in it")]
#[case::account_twice(
    br#"{"accounts": [{"AccountId": "111111111111"}, {"AccountId": "111111111111"}]}"#,
    "accounts[1] (line 1, column 46): ",
    "account 111111111111 is there already"
)]
#[case::in_input(
    br#"{"accounts": [{"AccountId": "111111111111", "RoleDetailList": [{"Arn": 5}]}]}"#,
    "accounts[0].RoleDetailList[0].Arn (line 1, column 72): ",
    "expected text, found a number"
)]
#[case::levels(
    br#"{"accounts": [{"AccountId": "111111111111"}], "serviceControlPolicies": [{"account": "111111111111"}]}"#,
    "serviceControlPolicies[0] (line 1, column 74): ",
    "the member 'levels' is missing"
)]
#[case::surrogate(
    br#"{"AccountId": "111111111111", "AccountName": "\ud800"}"#,
    "AccountName (line 1, column 46): ",
    "unexpected end of hex escape"
)]
fn refused_with_place_and_reason(#[case] bytes: &[u8], #[case] place: &str, #[case] reason: &str) {
    let error = refused(bytes);
    assert_eq!(error.file, "account.json");
    assert_eq!(error.place.to_string(), place, "{error}");
    assert!(error.reason.contains(reason), "{error}");
}

#[test]
fn deep_nesting_is_refused_and_overflows_no_stack() {
    const DEPTH: usize = 200_000;
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    assert_eq!(refused(open.as_bytes()).reason, "not JSON: the file ends too early");
    assert!(refused(format!("{open}{close}").as_bytes()).reason.contains("found a list"));
    assert!(
        refused(format!("{{\"unrelated\": {open}{close}}}").as_bytes())
            .reason
            .contains("no form that ciem reads")
    );
    assert!(refused("{\"a\":".repeat(DEPTH).as_bytes()).reason.contains("ends too early"));
    let member = refused(format!(r#"{{"AccountId": "111111111111", "AccountName": {open}{close}}}"#).as_bytes());
    assert_eq!(
        (member.place.path.as_str(), member.reason.as_str()),
        ("AccountName", "recursion limit exceeded")
    );
    let list = refused(format!(r#"{{"AccountId": "111111111111", "RoleDetailList": {open}{close}}}"#).as_bytes());
    assert_eq!(
        (list.place.path.as_str(), list.reason.as_str()),
        ("RoleDetailList[0]", "expected an object, found a list")
    );
}

#[test]
fn a_deep_document_is_kept_as_text() {
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let deep = format!("{{\"Statement\":{open}{close}}}");
    let object = format!(
        r#"{{"AccountId": "111111111111", "UserDetailList": [{{"Arn": "arn:aws:iam::111111111111:user/u", "UserPolicyList": [{{"PolicyName": "p", "PolicyDocument": {deep}}}]}}]}}"#
    );
    let text = AccountBuilder::new("111111111111")
        .user("u", |user| user.inline("p", json!(deep)))
        .bytes();
    for file in [object.into_bytes(), text] {
        let snapshot = read(&file, "deep").unwrap().remove(0);
        let (account, _) = Account::decode(&read(&snapshot.write().unwrap(), "again").unwrap()[0]).unwrap();
        assert_eq!(
            account.users.unwrap()[0].user_policy_list[0]
                .policy_document
                .as_ref()
                .unwrap()
                .text(),
            deep
        );
    }
}

#[test]
fn a_document_of_10_megabytes_is_read() {
    let statements: Vec<_> = (0..100_000)
        .map(|number| {
            allow_statement(
                &["s3:GetObject", "s3:PutObject"],
                &[&format!("arn:aws:s3:::some-bucket-{number}/*")],
            )
        })
        .collect();
    let bytes = AccountBuilder::new("111111111111").policy("big", document(&statements)).bytes();
    assert!(bytes.len() > 10_000_000, "{}", bytes.len());
    let (account, _) = Account::decode(&read(&bytes, "big").unwrap()[0]).unwrap();
    assert!(
        account.policies.unwrap()[0].policy_version_list[0]
            .document
            .as_ref()
            .unwrap()
            .text()
            .ends_with("some-bucket-99999/*\"]}],\"Version\":\"2012-10-17\"}")
    );
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let bytes = [b"\xef\xbb\xbf".as_slice(), &AccountBuilder::new("111111111111").bytes()].concat();
    assert_eq!(read(&bytes, "marked").unwrap()[0].scope, "111111111111");
}

#[test]
fn a_changed_snapshot_is_refused() {
    let [account, _] = demo::demo_accounts();
    let json = read(account.to_string().as_bytes(), "demo").unwrap()[0].to_json().unwrap();
    let refused = |changed: &str| {
        assert_ne!(changed, json);
        refused(changed.as_bytes()).to_string()
    };
    let changed = refused(&json.replacen("\"RoleName\":\"ci-deployer\"", "\"RoleName\":\"ci-deplayer\"", 1));
    assert!(
        changed.contains("sections.roles") && changed.contains("changed or damaged"),
        "{changed}"
    );
    let member = refused(&json.replacen("\"collector\"", "\"comment\":1,\"collector\"", 1));
    assert!(
        member.contains("comment (line 1,") && member.contains("no member of 'ciem.dev/snapshot/v1'"),
        "{member}"
    );
    let status = refused(&json.replace("\"status\":\"read\"", "\"status\":\"done\""));
    assert!(status.contains("unknown variant `done`"), "{status}");
    let provider = refused(&json.replacen("\"provider\":\"AWS\"", "\"provider\":\"OVH\"", 1));
    assert!(provider.contains("provider (line 1,"), "{provider}");
    let missing = refused(&json.replacen("\"scope\":\"111111111111\",", "", 1));
    assert!(missing.contains("the member 'scope' is missing"), "{missing}");
}

proptest! {
    /// Whatever the bytes, there is an answer.
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read(&bytes, "bytes"));
    }

    /// A good file with a piece replaced is read or refused, and what is read decodes.
    #[test]
    fn a_damaged_account_is_answered(at in any::<prop::sample::Index>(), length in 0_usize..40, piece in "[ -~]{0,12}") {
        let [account, _] = demo::demo_accounts();
        let mut bytes = account.to_string().into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.into_bytes());
        if let Ok(snapshots) = read(&bytes, "damaged") {
            for snapshot in snapshots {
                prop_assert!(Account::decode(&snapshot).is_ok());
            }
        }
    }

    /// A snapshot file that is cut off or has a changed byte is refused.
    #[test]
    fn a_damaged_snapshot_is_refused(at in any::<prop::sample::Index>(), flip in 1_u8.., cut in any::<bool>()) {
        let snapshot = read(&AccountBuilder::new("111111111111").user("u", |user| user).bytes(), "x").unwrap().remove(0);
        let mut bytes = snapshot.write().unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        match read(&bytes, "damaged") {
            Err(_) => {}
            // Some bits of a frame's header mean nothing.
            Ok(same) => prop_assert_eq!(same[0].to_json().unwrap(), snapshot.to_json().unwrap()),
        }
    }
}
