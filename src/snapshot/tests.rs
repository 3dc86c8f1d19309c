//! What is not visible from outside: the canonical form, the constructors of sections, the schema.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::aws::section;
use super::*;

/// RFC 8785 §3.2.3: the example for sorting.
#[test]
fn members_are_sorted_by_utf16() {
    let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
    let canonical = canonical::of_text(text).unwrap();
    let order: Vec<usize> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
        .iter()
        .map(|word| canonical.find(word).unwrap())
        .collect();
    assert!(order.is_sorted(), "{canonical}");
}

/// RFC 8785 §3.2.2 and appendix B.
#[rstest]
#[case(r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
    r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#)]
#[case("-0", "0")]
#[case("9007199254740991", "9007199254740991")]
#[case("[ ]", "[]")]
#[case("{ }", "{}")]
fn canonical_form(#[case] text: &str, #[case] canonical: &str) {
    assert_eq!(canonical::of_text(text).unwrap(), canonical);
}

#[rstest]
#[case(r#"{"a":1,"\u0061":2}"#, "the member 'a' appears twice")]
#[case("9007199254740992", "the number 9007199254740992 is larger")]
#[case("-9007199254740992", "the number -9007199254740992 is larger")]
#[case("1e999", "number out of range")]
#[case(r#""\ud800""#, "unexpected end of hex escape")]
fn what_would_be_lost_is_refused(#[case] text: &str, #[case] reason: &str) {
    let error = canonical::of_text(text).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Both ways of writing are those of the library for RFC 8785, and the canonical form of a canonical form is itself.
    #[test]
    fn the_canonical_form_is_that_of_the_library(value in any_json()) {
        let expected = serde_json_canonicalizer::to_string(&value).unwrap();
        let canonical = canonical::of_text(&value.to_string()).unwrap();
        prop_assert_eq!(&canonical, &expected);
        prop_assert_eq!(&canonical::of_text(&canonical).unwrap(), &canonical);
        if let Value::Object(members) = &value {
            let members = members.iter().map(|(name, value)| (name.as_str().into(), canonical::of_text(&value.to_string()).unwrap())).collect();
            prop_assert_eq!(&canonical::object(members).unwrap(), &expected);
        }
    }
}

#[test]
fn sections_of_the_collector() {
    let section = Section::read(
        "iam:ListAccountAliases",
        None,
        SectionKind::Entitlements,
        &json!({"b": 1, "a": ["x"]}),
    )
    .unwrap();
    assert_eq!(
        (section.content.get(), section.status),
        (r#"{"a":["x"],"b":1}"#, SectionStatus::Read)
    );
    assert_eq!(section.digest, sha256(br#"{"a":["x"],"b":1}"#));
    assert!(Section::read("x", None, SectionKind::Usage, &json!(u64::MAX)).is_err());
    let denied = Section::unread("iam:GetCredentialReport", SectionStatus::Denied, "AccessDenied", SectionKind::Usage);
    assert_eq!((denied.content.get(), denied.reason.as_deref()), ("null", Some("AccessDenied")));
}

fn snapshot(sections: impl IntoIterator<Item = (&'static str, Section)>) -> Snapshot {
    Snapshot {
        collected_at: Some("2025-11-25T06:00:00Z".parse().unwrap()),
        collector: "ciem 0.1.0".to_owned(),
        provider: Provider::Aws,
        schema: SCHEMA.to_owned(),
        scope: "111111111111".to_owned(),
        sections: sections.into_iter().map(|(name, section)| (name.to_owned(), section)).collect(),
    }
}

#[test]
fn what_was_not_asked_for_changes_no_digest() {
    let read = || {
        (
            section::USERS,
            Section::read("x", None, SectionKind::Entitlements, &json!([])).unwrap(),
        )
    };
    let unread = |status| (section::ROLES, Section::unread("x", status, "why", SectionKind::Entitlements));
    let digest = |sections: Vec<(&'static str, Section)>| snapshot(sections).digest(SectionKind::Entitlements);
    assert_eq!(digest(vec![read()]), digest(vec![read(), unread(SectionStatus::NotAttempted)]));
    assert_ne!(digest(vec![read()]), digest(vec![read(), unread(SectionStatus::Denied)]));
}

#[test]
fn the_file_is_canonical() {
    let at = Some("2025-11-25T06:00:01Z".parse().unwrap());
    let read = Section::read("x", at, SectionKind::Entitlements, &json!([])).unwrap();
    let snapshot = snapshot([
        (section::USERS, read),
        (
            section::ROLES,
            Section::unread("y", SectionStatus::Denied, "no", SectionKind::Entitlements),
        ),
    ]);
    let json = snapshot.to_json().unwrap();
    assert_eq!(json, serde_json_canonicalizer::pipe(&json).unwrap());
    assert_eq!(super::read(&snapshot.write().unwrap(), "x").unwrap()[0].to_json().unwrap(), json);
}

#[test]
fn denied_sections_are_in_the_coverage() {
    let snapshot = snapshot([(
        section::ROLES,
        Section::unread("iam", SectionStatus::Denied, "AccessDenied", SectionKind::Entitlements),
    )]);
    let (account, coverage) = aws::Account::decode(&snapshot).unwrap();
    assert!(account.roles.is_none());
    let entry = coverage.iter().find(|entry| entry.source == "roles").unwrap();
    assert_eq!(entry.reason, "not read: access was denied: AccessDenied");
    assert_eq!(coverage.len(), section::ALL.len());
}

#[test]
fn content_of_the_wrong_type_is_an_error_of_decoding() {
    let snapshot = snapshot([(
        section::ROLES,
        Section::read("iam", None, SectionKind::Entitlements, &json!([{"Arn": 5}])).unwrap(),
    )]);
    let error = aws::Account::decode(&snapshot).unwrap_err();
    assert_eq!((error.scope.as_str(), error.section.as_str()), ("111111111111", "roles"));
}

#[test]
fn the_schema_names_version_and_sections() {
    let schema = schema();
    assert_eq!(schema["properties"]["schema"]["const"], SCHEMA);
    assert_eq!(schema["$id"], format!("https://{SCHEMA}"));
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(required, ["collector", "provider", "schema", "scope", "sections"]);
    let sections = &schema["allOf"][0]["then"]["properties"]["sections"]["properties"];
    assert_eq!(
        sections[section::ROLES]["properties"]["content"]["anyOf"][0]["items"]["$ref"],
        "#/$defs/Role"
    );
    assert!(schema["$defs"]["Role"]["properties"]["AssumeRolePolicyDocument"].is_object());
}

#[test]
fn accounts_of_arns() {
    assert_eq!(aws::account_of_arn("arn:aws-cn:iam::111111111111:role/r"), Some("111111111111"));
    for arn in [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:s3:::bucket",
        "arn:aws",
        "",
        "111111111111",
    ] {
        assert_eq!(aws::account_of_arn(arn), None, "{arn}");
    }
}
