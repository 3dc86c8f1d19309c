//! Each form of cases-format.md, and what the typed account says of it.

use ciem::model::Provider;
use ciem::snapshot::aws::{Account, section};
use ciem::snapshot::{SectionKind, SectionStatus, Snapshot, read};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::builder::{AccountBuilder, allow, trust_service};
use crate::support::{demo, generate};

fn one(value: &Value) -> Snapshot {
    let mut snapshots = read(value.to_string().as_bytes(), "file.json").unwrap();
    assert_eq!(snapshots.len(), 1);
    snapshots.remove(0)
}

fn decode(value: &Value) -> (Account, Vec<String>) {
    let (account, coverage) = Account::decode(&one(value)).unwrap();
    (
        account,
        coverage
            .into_iter()
            .map(|entry| format!("{} {} {} {}", entry.source, entry.entity, entry.place, entry.reason))
            .collect(),
    )
}

fn small() -> AccountBuilder {
    AccountBuilder::new("111111111111")
        .policy_versions("p", &[allow(&["s3:*"], &["*"]), allow(&["s3:GetObject"], &["*"])])
        .group("g", |group| group.inline("in-g", allow(&["sqs:*"], &["*"])))
        .user("u", |user| {
            user.member_of("g")
                .attach("p")
                .boundary("p")
                .tag("b", "2")
                .tag("a", "1")
                .created("2020-01-01 10:00:00+01:00")
        })
        .role("r", trust_service("ec2.amazonaws.com"), |role| {
            role.inline("in-r", allow(&["ec2:*"], &["*"]))
                .instance_profile("r")
                .last_used("2025-01-01T00:00:00Z", "eu-west-1")
        })
}

#[test]
fn an_account_file_is_decoded() {
    let (account, coverage) = decode(
        &small()
            .resource(json!({"arn": "arn:aws:s3:::b", "type": "AWS::S3::Bucket", "policy": allow(&["s3:*"], &["*"])}))
            .build(),
    );
    assert_eq!(account.id, "111111111111");
    let user = &account.users.unwrap()[0];
    assert_eq!(
        (user.arn.as_str(), user.user_name.as_str(), user.path.as_str()),
        ("arn:aws:iam::111111111111:user/u", "u", "/")
    );
    assert_eq!(user.create_date.unwrap().to_string(), "2020-01-01T09:00:00Z");
    assert_eq!(user.group_list, ["g"]);
    assert_eq!(user.attached_managed_policies[0].policy_arn, "arn:aws:iam::111111111111:policy/p");
    assert_eq!(
        user.permissions_boundary.as_ref().unwrap().permissions_boundary_arn,
        "arn:aws:iam::111111111111:policy/p"
    );
    assert_eq!(user.tags.iter().map(|tag| tag.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let role = &account.roles.unwrap()[0];
    assert_eq!(role.instance_profile_list[0].instance_profile_name, "r");
    assert!(
        role.assume_role_policy_document
            .as_ref()
            .unwrap()
            .text()
            .contains("ec2.amazonaws.com")
    );
    assert!(role.role_policy_list[0].policy_document.as_ref().unwrap().text().contains("ec2:*"));
    let policy = &account.policies.unwrap()[0];
    assert_eq!((policy.default_version_id.as_str(), policy.policy_version_list.len()), ("v2", 2));
    assert!(policy.policy_version_list[1].is_default_version && !policy.policy_version_list[0].is_default_version);
    assert_eq!(account.groups.unwrap()[0].group_policy_list[0].policy_name, "in-g");
    assert!(account.resources.unwrap()[0].policy.is_some());
    // What the file cannot say, and only that, is in the coverage.
    let unread: Vec<&str> = coverage.iter().filter_map(|entry| entry.split(' ').next()).collect();
    assert_eq!(
        unread,
        [
            "account",
            "credentialReport",
            "organization",
            "resourceControlPolicies",
            "serviceControlPolicies"
        ]
    );
}

#[test]
fn a_list_that_is_missing_is_not_an_empty_list() {
    let snapshot = one(&small().without("RoleDetailList").build());
    assert_eq!(snapshot.sections[section::ROLES].status, SectionStatus::NotAttempted);
    assert_eq!(snapshot.sections[section::ROLES].content.get(), "null");
    assert_eq!(snapshot.sections[section::RESOURCES].status, SectionStatus::NotAttempted);
    assert_eq!(snapshot.sections[section::USERS].status, SectionStatus::Read);
    let (account, coverage) = Account::decode(&snapshot).unwrap();
    assert!(account.roles.is_none() && account.resources.is_none() && account.users.is_some());
    assert!(
        coverage
            .iter()
            .any(|entry| entry.source == "roles" && entry.reason == "not read: the file has no member 'RoleDetailList'")
    );
    // `null` is as good as absent; an empty list was read.
    let (account, _) = decode(&json!({"AccountId": "111111111111", "RoleDetailList": null, "UserDetailList": []}));
    assert!(account.roles.is_none());
    assert_eq!(account.users.map(|users| users.len()), Some(0));
}

#[rstest]
#[case(json!({"IsTruncated": true}), SectionStatus::Partial)]
#[case(json!({"Marker": "AAAA"}), SectionStatus::Partial)]
#[case(json!({"NextToken": "AAAA"}), SectionStatus::Partial)]
#[case(json!({"IsTruncated": false, "Marker": null}), SectionStatus::Read)]
fn one_page_of_several_is_a_part(#[case] members: Value, #[case] status: SectionStatus) {
    let mut account = small().build();
    account.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let snapshot = one(&account);
    assert_eq!(snapshot.sections[section::ROLES].status, status);
    assert_eq!(snapshot.sections[section::ROLES].reason.is_some(), status == SectionStatus::Partial);
    let (account, _) = Account::decode(&snapshot).unwrap();
    assert_eq!(account.roles.unwrap().len(), 1);
}

#[test]
fn without_account_id_it_is_the_account_that_most_arns_name() {
    let mut file = small().build();
    file.as_object_mut().unwrap().remove("AccountId");
    let foreign = json!({"Arn": "arn:aws:iam::222222222222:role/other", "RoleName": "other"});
    file["RoleDetailList"].as_array_mut().unwrap().push(foreign);
    let snapshot = one(&file);
    assert_eq!(snapshot.scope, "111111111111");
    assert_eq!(snapshot.collector, "aws iam get-account-authorization-details");
    let (account, coverage) = Account::decode(&snapshot).unwrap();
    // Entities of another account are kept and named.
    assert_eq!(account.roles.unwrap().len(), 2);
    let entry = coverage
        .iter()
        .find(|entry| entry.entity == "arn:aws:iam::222222222222:role/other")
        .unwrap();
    assert_eq!(
        (entry.source.as_str(), entry.reason.as_str()),
        ("roles", "belongs to account 222222222222, not to 111111111111: kept as read")
    );
}

#[test]
fn entities_that_appear_twice_are_kept_and_named() {
    let mut file = small().build();
    let twice = file["UserDetailList"][0].clone();
    file["UserDetailList"].as_array_mut().unwrap().push(twice);
    let (account, coverage) = decode(&file);
    assert_eq!(account.users.unwrap().len(), 2);
    assert!(
        coverage
            .iter()
            .any(|entry| entry == "users arn:aws:iam::111111111111:user/u  appears more than once in what was read: all are kept"),
        "{coverage:?}"
    );
}

#[test]
fn an_empty_account_is_an_account() {
    let (account, _) = decode(&AccountBuilder::new("111111111111").build());
    assert_eq!((account.users.unwrap().len(), account.roles.unwrap().len()), (0, 0));
    let (account, coverage) = decode(&json!({"AccountId": "111111111111"}));
    assert!(account.users.is_none() && account.roles.is_none());
    assert!(coverage.iter().any(|entry| entry.starts_with("users 111111111111  not read")));
}

#[test]
fn names_that_a_file_leaves_out_are_the_last_part_of_the_arn() {
    let arn = |kind: &str| format!("arn:aws:iam::111111111111:{kind}/team/name");
    let (account, _) = decode(&json!({
        "UserDetailList": [{"Arn": arn("user")}], "RoleDetailList": [{"Arn": arn("role")}], "GroupDetailList": [{"Arn": arn("group")}],
        "Policies": [{"Arn": arn("policy"), "PolicyVersionList": [{"Document": {}, "IsDefaultVersion": true}]}],
    }));
    assert_eq!(account.users.unwrap()[0].user_name, "name");
    assert_eq!(account.roles.unwrap()[0].role_name, "name");
    assert_eq!(account.groups.unwrap()[0].group_name, "name");
    assert_eq!(account.policies.unwrap()[0].policy_name, "name");
}

#[rstest]
#[case::object(json!({"Statement": [], "Version": "2012-10-17"}), r#"{"Statement":[],"Version":"2012-10-17"}"#)]
#[case::text(json!(" { \"Version\": \"2012-10-17\", \"Statement\": [] } "), r#"{"Statement":[],"Version":"2012-10-17"}"#)]
#[case::url_encoded(json!("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D"), r#"{"Statement":[],"Version":"2012-10-17"}"#)]
#[case::member_twice(json!("{\"Action\":\"a\",\"Action\":\"b\"}"), r#"{"Action":"a","Action":"b"}"#)]
#[case::url_encoded_member_twice(json!("%7B%22a%22%3A1%2C%22a%22%3A2%7D"), r#"{"a":1,"a":2}"#)]
#[case::no_json(json!("not json at all"), "not json at all")]
#[case::no_object(json!("[1, 2]"), "[1, 2]")]
#[case::number(json!(5), "5")]
#[case::number_beyond_doubles(json!("{\"a\": 123456789012345678901}"), r#"{"a": 123456789012345678901}"#)]
#[case::spelling_of_a_number(json!("{\"a\": 1.0}"), r#"{"a": 1.0}"#)]
#[case::encoded_twice(json!("%257B%257D"), "%7B%7D")]
#[case::encoded_badly(json!("%FF%FE"), "%FF%FE")]
fn documents_lose_nothing(#[case] document: Value, #[case] text: &str) {
    let file = AccountBuilder::new("111111111111")
        .user("u", |user| user.inline("p", document))
        .build();
    let snapshot = one(&file);
    let again = read(&snapshot.write().unwrap(), "again").unwrap().remove(0);
    for snapshot in [snapshot, again] {
        let (account, _) = Account::decode(&snapshot).unwrap();
        assert_eq!(
            account.users.unwrap()[0].user_policy_list[0]
                .policy_document
                .as_ref()
                .unwrap()
                .text(),
            text
        );
    }
}

#[test]
fn a_document_object_with_a_member_twice_keeps_its_text() {
    let text = r#"{"AccountId":"111111111111","UserDetailList":[{"Arn":"arn:aws:iam::111111111111:user/u","UserPolicyList":[
        {"PolicyName":"p","PolicyDocument":{"Statement":{"Effect":"Allow","Action":"a","Action":"b"}}}]}]}"#;
    let (account, _) = Account::decode(&read(text.as_bytes(), "x").unwrap()[0]).unwrap();
    let document = account.users.unwrap()[0].user_policy_list[0].policy_document.clone().unwrap();
    assert_eq!(document.text(), r#"{"Statement":{"Effect":"Allow","Action":"a","Action":"b"}}"#);
}

#[rstest]
#[case("2024-03-01T08:00:00Z", Some("2024-03-01T08:00:00Z"))]
#[case("2024-03-01T09:00:00+01:00", Some("2024-03-01T08:00:00Z"))]
#[case("2024-03-01 08:00:00+00:00", Some("2024-03-01T08:00:00Z"))]
#[case("2024-03-01T08:00:00", Some("2024-03-01T08:00:00Z"))]
#[case("yesterday", None)]
fn times_have_one_form(#[case] text: &str, #[case] time: Option<&str>) {
    let snapshot = one(&AccountBuilder::new("111111111111").user("u", |user| user.created(text)).build());
    let kept: Value = serde_json::from_str(snapshot.sections[section::USERS].content.get()).unwrap();
    assert_eq!(kept[0]["CreateDate"], time.unwrap_or(text));
    let (account, _) = Account::decode(&snapshot).unwrap();
    assert_eq!(account.users.unwrap()[0].create_date.map(|time| time.to_string()).as_deref(), time);
}

#[test]
fn last_use_and_credentials_are_usage() {
    let snapshot = one(&small()
        .resource(json!({"arn": "arn:aws:iam::111111111111:user/u", "type": "AWS::IAM::AccessKey", "id": "AKIA"}))
        .resource(json!({"arn": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}))
        .user("v", |user| user.with("PasswordLastUsed", json!("2025-02-02T00:00:00+00:00")))
        .build());
    let usage: Vec<(&str, &str)> = snapshot
        .sections
        .iter()
        .filter(|(_, section)| section.kind == SectionKind::Usage)
        .map(|(name, section)| (name.as_str(), section.content.get()))
        .collect();
    assert_eq!(
        usage,
        [
            (
                "credentials",
                r#"[{"arn":"arn:aws:iam::111111111111:user/u","id":"AKIA","type":"AWS::IAM::AccessKey"}]"#
            ),
            ("passwordLastUsed", r#"{"arn:aws:iam::111111111111:user/v":"2025-02-02T00:00:00Z"}"#),
            (
                "roleLastUsed",
                r#"{"arn:aws:iam::111111111111:role/r":{"LastUsedDate":"2025-01-01T00:00:00Z","Region":"eu-west-1"}}"#
            ),
        ]
    );
    let (account, _) = Account::decode(&snapshot).unwrap();
    assert_eq!((account.resources.unwrap().len(), account.credentials.unwrap().len()), (1, 1));
}

#[test]
fn a_role_that_does_not_say_its_last_use_is_not_unused() {
    let mut file = small().role("s", trust_service("ec2.amazonaws.com"), |role| role).build();
    assert_eq!(one(&file).sections[section::ROLE_LAST_USED].status, SectionStatus::Read);
    file["RoleDetailList"][0].as_object_mut().unwrap().remove("RoleLastUsed");
    let section = one(&file).sections.remove(section::ROLE_LAST_USED).unwrap();
    assert_eq!(
        (section.status, section.reason.as_deref()),
        (SectionStatus::Partial, Some("1 roles have no member 'RoleLastUsed'"))
    );
    file["RoleDetailList"][1].as_object_mut().unwrap().remove("RoleLastUsed");
    assert_eq!(one(&file).sections[section::ROLE_LAST_USED].status, SectionStatus::NotAttempted);
}

#[test]
fn settings_are_kept_and_unknown_members_named() {
    let mut file = small().named("shop").build();
    file["public_access_block"] = json!({"block_public_acls": true});
    file["RoleDetialList"] = json!([]);
    let snapshot = one(&file);
    assert_eq!(
        snapshot.sections[section::ACCOUNT].content.get(),
        r#"{"AccountName":"shop","public_access_block":{"block_public_acls":true}}"#
    );
    let (_, coverage) = Account::decode(&snapshot).unwrap();
    assert!(
        coverage
            .iter()
            .any(|entry| entry.source == "unused" && entry.place == "RoleDetialList"),
        "{coverage:?}"
    );
}

#[test]
fn an_input_gives_a_snapshot_for_each_account() {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let input = json!({
        "accounts": [AccountBuilder::new("222222222222").build(), small().build()],
        "serviceControlPolicies": [
            {"account": "111111111111", "levels": [{"id": "r-1", "policies": [policy]}, {"id": "111111111111", "policies": []}]},
            {"account": "333333333333", "levels": []},
        ],
        "resourceControlPolicies": [],
        "organization": {"id": "o-1", "managementAccount": "222222222222", "accounts": [{"id": "111111111111", "path": "o-1/r-1/"}]},
    });
    let snapshots = read(input.to_string().as_bytes(), "input.json").unwrap();
    assert_eq!(
        snapshots.iter().map(|snapshot| snapshot.scope.as_str()).collect::<Vec<_>>(),
        ["111111111111", "222222222222"]
    );
    let (member, coverage) = Account::decode(&snapshots[0]).unwrap();
    let levels = member.service_control_policies.unwrap().levels;
    assert_eq!(
        levels
            .iter()
            .map(|level| (level.id.as_str(), level.policies.len()))
            .collect::<Vec<_>>(),
        [("r-1", 1), ("111111111111", 0)]
    );
    // A list that is present and does not name the account: no such layer.
    assert_eq!(member.resource_control_policies.map(|policies| policies.levels.len()), Some(0));
    assert_eq!(member.organization.unwrap().accounts[0].path, "o-1/r-1/");
    // What concerns an account that is not there is named, not dropped.
    assert!(
        coverage
            .iter()
            .any(|entry| entry.place == "serviceControlPolicies of account 333333333333"),
        "{coverage:?}"
    );
    let (management, _) = Account::decode(&snapshots[1]).unwrap();
    assert_eq!(management.service_control_policies.map(|policies| policies.levels.len()), Some(0));
    assert_eq!(management.organization.unwrap().management_account, "222222222222");
}

#[test]
fn an_input_without_a_layer_did_not_read_it() {
    let snapshots = read(
        json!({"accounts": [small().build()], "serviceControlPolicies": null})
            .to_string()
            .as_bytes(),
        "input.json",
    )
    .unwrap();
    let (account, coverage) = Account::decode(&snapshots[0]).unwrap();
    assert!(account.service_control_policies.is_none() && account.organization.is_none());
    assert!(
        coverage
            .iter()
            .any(|entry| entry.source == "serviceControlPolicies" && entry.reason == "not read")
    );
}

#[test]
fn a_written_snapshot_is_read_back() {
    let accounts = [small().build(), generate::generate(3, 40, 10, 20)]
        .into_iter()
        .chain(demo::demo_accounts());
    for account in accounts {
        let snapshot = one(&account);
        let bytes = snapshot.write().unwrap();
        assert_eq!(bytes, snapshot.write().unwrap());
        let again = read(&bytes, "snapshot").unwrap().remove(0);
        assert_eq!(again.to_json().unwrap(), snapshot.to_json().unwrap());
        assert_eq!(again.reference(), snapshot.reference());
        // Also not packed, and laid out anew by a tool.
        let json: Value = serde_json::from_str(&snapshot.to_json().unwrap()).unwrap();
        let pretty = read(serde_json::to_string_pretty(&json).unwrap().as_bytes(), "snapshot")
            .unwrap()
            .remove(0);
        assert_eq!(pretty.write().unwrap(), bytes);
    }
}

#[test]
fn the_demo_accounts_hold_what_is_planted() {
    let identities: Vec<(String, Vec<String>)> = demo::demo_accounts()
        .iter()
        .map(|account| {
            let (account, _) = decode(account);
            let users = account.users.into_iter().flatten().map(|user| user.user_name);
            let groups = account.groups.into_iter().flatten().map(|group| group.group_name);
            (
                account.id,
                users
                    .chain(groups)
                    .chain(account.roles.into_iter().flatten().map(|role| role.role_name))
                    .collect(),
            )
        })
        .collect();
    for (account, name, rule) in demo::PLANTED {
        assert!(
            identities
                .iter()
                .any(|(id, names)| id == account && names.iter().any(|own| own == name)),
            "{account} {name} {rule}"
        );
    }
    assert!(demo::PLANTED.is_sorted());
}

#[test]
fn a_snapshot_of_another_provider_is_no_aws_account() {
    let mut snapshot = one(&small().build());
    snapshot.provider = Provider::Gcp;
    let error = Account::decode(&snapshot).unwrap_err();
    assert!(error.to_string().contains("it is of GCP, not of AWS"), "{error}");
}

#[test]
fn an_account_of_5000_roles_is_read_whole() {
    let bytes = generate::generate(1, 5_000, 100, 500).to_string().into_bytes();
    assert_eq!(bytes, generate::generate(1, 5_000, 100, 500).to_string().into_bytes());
    let (account, _) = Account::decode(&read(&bytes, "generated").unwrap()[0]).unwrap();
    let roles = account.roles.unwrap();
    assert_eq!(
        (roles.len(), account.users.unwrap().len(), account.policies.unwrap().len()),
        (5_000, 100, 501)
    );
    assert!(roles.is_sorted_by(|left, right| left.arn < right.arn));
}

#[test]
fn bytes_of_a_builder_are_its_account() {
    assert_eq!(serde_json::from_slice::<Value>(&small().bytes()).unwrap(), small().build());
}
