//! Equal accounts have equal digests, however a file writes them; use never changes the entitlements digest.

use std::fmt::Write as _;

use ciem::snapshot::{Snapshot, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::builder::{AccountBuilder, allow, trust_service};
use crate::support::generate;

/// Writes JSON anew: members and set-like lists in any order, blanks anywhere, documents as object, text or URL-encoded text.
struct Scrambler(u64);

impl Scrambler {
    const SETS: [&str; 12] = [
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
        "resources",
        "Tags",
        "GroupList",
        "AttachedManagedPolicies",
        "UserPolicyList",
        "GroupPolicyList",
        "RolePolicyList",
        "PolicyVersionList",
    ];

    fn number(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.number(index + 1));
        }
    }

    fn blank(&mut self, out: &mut String) {
        out.push_str([" ", "", "\n\t", ""][self.number(4)]);
    }

    fn write(&mut self, name: &str, value: &Value, out: &mut String) {
        self.blank(out);
        match value {
            Value::Object(_) if name.ends_with("Document") && self.number(3) > 0 => {
                let mut text = String::new();
                self.write("", value, &mut text);
                let text = if self.number(2) == 0 { text } else { encoded(text.trim_start()) };
                write!(out, "{}", Value::from(text)).unwrap();
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                self.shuffle(&mut members);
                out.push('{');
                for (index, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    write!(out, "{}:", Value::from(name.as_str())).unwrap();
                    self.write(name, value, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                let mut items: Vec<_> = items.iter().collect();
                if Self::SETS.contains(&name) {
                    self.shuffle(&mut items);
                }
                out.push('[');
                for (index, value) in items.into_iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    self.write("", value, out);
                }
                out.push(']');
            }
            scalar => write!(out, "{scalar}").unwrap(),
        }
        self.blank(out);
    }
}

fn encoded(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if kept(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn snapshot(value: &Value) -> Snapshot {
    read(value.to_string().as_bytes(), "x").unwrap().remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_form_never_matter(seed in any::<u64>(), scramble in any::<u64>()) {
        let account = generate::generate(seed, 8, 4, 6);
        let mut text = String::new();
        Scrambler(scramble).write("", &account, &mut text);
        let scrambled = read(text.as_bytes(), "x").unwrap().remove(0);
        prop_assert_eq!(scrambled.to_json().unwrap(), snapshot(&account).to_json().unwrap());
    }

    #[test]
    fn reading_what_was_written_changes_nothing(seed in any::<u64>()) {
        let first = snapshot(&generate::generate(seed, 6, 3, 5));
        let again = read(&first.write().unwrap(), "x").unwrap().remove(0);
        prop_assert_eq!(again.to_json().unwrap(), first.to_json().unwrap());
        // The lists of a snapshot, read as an account again, are canonical already.
        let list = |name: &str| first.sections[name].content.get().to_owned();
        let text = format!(r#"{{"AccountId":"{}","UserDetailList":{},"RoleDetailList":{},"Policies":{}}}"#, first.scope, list("users"), list("roles"), list("policies"));
        let lists = read(text.as_bytes(), "x").unwrap().remove(0);
        for name in ["users", "roles", "policies"] {
            prop_assert_eq!(&lists.sections[name].digest, &first.sections[name].digest);
        }
    }
}

fn base() -> AccountBuilder {
    AccountBuilder::new("111111111111")
        .policy("p", allow(&["s3:GetObject"], &["*"]))
        .user("u", |user| user.attach("p"))
        .role("r", trust_service("ec2.amazonaws.com"), |role| {
            role.inline("i", allow(&["ec2:*"], &["*"]))
        })
        .resource(json!({"arn": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}))
}

#[test]
fn use_changes_the_usage_digest_alone() {
    let before = snapshot(&base().build()).reference();
    let mut used = base().build();
    used["RoleDetailList"][0]["RoleLastUsed"] = json!({"LastUsedDate": "2025-11-01T00:00:00Z", "Region": "eu-west-1"});
    let mut logged_in = base().build();
    logged_in["UserDetailList"][0]["PasswordLastUsed"] = json!("2025-11-01T00:00:00Z");
    let key = base()
        .resource(json!({"arn": "arn:aws:iam::111111111111:user/u", "type": "AWS::IAM::AccessKey"}))
        .build();
    let mut comment = base().build();
    comment["generatedAt"] = json!("2025-11-01");
    for file in [used, logged_in, key, comment] {
        let after = snapshot(&file).reference();
        assert_eq!(after.entitlements_digest, before.entitlements_digest, "{file}");
        assert_ne!(after.usage_digest, before.usage_digest, "{file}");
    }
}

#[test]
fn each_change_of_rights_changes_the_entitlements_digest() {
    let before = snapshot(&base().build()).reference();
    type Change = fn(&mut Value);
    let changes: [Change; 8] = [
        |file| file["UserDetailList"][0]["Tags"] = json!([{"Key": "a", "Value": "b"}]),
        |file| file["UserDetailList"][0]["GroupList"] = json!(["g"]),
        |file| file["UserDetailList"][0]["AttachedManagedPolicies"] = json!([]),
        |file| file["RoleDetailList"][0]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] = json!({"AWS": "*"}),
        |file| file["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Effect"] = json!("Deny"),
        |file| file["Policies"][0]["PolicyVersionList"][0]["Document"]["Statement"] = json!([]),
        |file| file["resources"] = json!([]),
        |file| drop(file.as_object_mut().unwrap().remove("GroupDetailList")),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut file = base().build();
        change(&mut file);
        let after = snapshot(&file).reference();
        assert_ne!(after.entitlements_digest, before.entitlements_digest, "change {index}");
        assert_eq!(after.usage_digest, before.usage_digest, "change {index}");
    }
}

#[test]
fn the_digests_of_one_account_stay_what_they_are() {
    // A change here changes every stored digest: it needs a new schema version.
    let reference = snapshot(&base().build()).reference();
    assert_eq!(
        reference.entitlements_digest,
        "59a69f45162979462affff447cec55398614d8e16c467f1e024fad6ef236bd98"
    );
    assert_eq!(
        reference.usage_digest,
        "02bfc06de47634200d9a5ccefd5fe76d8926b63bf31d3e8b376ba630e3f10b53"
    );
}
