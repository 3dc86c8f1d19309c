use aws_sdk_iam::types::PermissionsBoundaryAttachmentType;
use serde_json::json;

use super::*;

fn time(seconds: i64) -> DateTime {
    DateTime::from_secs(seconds)
}

const CREATED: i64 = 1_574_269_760;

#[test]
fn user_with_everything() {
    let detail = UserDetail::builder()
        .arn("arn:aws:iam::111122223333:user/team/ann")
        .user_name("ann")
        .user_id("AIDAEXAMPLE")
        .path("/team/")
        .create_date(time(CREATED))
        .user_policy_list(
            PolicyDetail::builder()
                .policy_name("own")
                .policy_document("%7B%22Version%22%3A%222012-10-17%22%7D")
                .build(),
        )
        .group_list("ops")
        .attached_managed_policies(
            AttachedPolicy::builder()
                .policy_name("P")
                .policy_arn("arn:aws:iam::aws:policy/P")
                .build(),
        )
        .permissions_boundary(
            AttachedPermissionsBoundary::builder()
                .permissions_boundary_type(PermissionsBoundaryAttachmentType::Policy)
                .permissions_boundary_arn("arn:aws:iam::111122223333:policy/edge")
                .build(),
        )
        .tags(Tag::builder().key("team").value("a/b").build().unwrap())
        .build();
    assert_eq!(
        user(&detail),
        json!({
            "Arn": "arn:aws:iam::111122223333:user/team/ann",
            "UserName": "ann",
            "UserId": "AIDAEXAMPLE",
            "Path": "/team/",
            "CreateDate": "2019-11-20T17:09:20Z",
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": "{\"Version\":\"2012-10-17\"}"}],
            "GroupList": ["ops"],
            "AttachedManagedPolicies": [{"PolicyName": "P", "PolicyArn": "arn:aws:iam::aws:policy/P"}],
            "PermissionsBoundary": {
                "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
                "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/edge"
            },
            "Tags": [{"Key": "team", "Value": "a/b"}]
        })
    );
}

#[test]
fn group_with_everything() {
    let detail = GroupDetail::builder()
        .arn("arn:aws:iam::111122223333:group/ops")
        .group_name("ops")
        .group_id("AGPAEXAMPLE")
        .path("/")
        .create_date(time(CREATED))
        .group_policy_list(PolicyDetail::builder().policy_name("own").policy_document("%7B%7D").build())
        .attached_managed_policies(
            AttachedPolicy::builder()
                .policy_name("P")
                .policy_arn("arn:aws:iam::aws:policy/P")
                .build(),
        )
        .build();
    assert_eq!(
        group(&detail),
        json!({
            "Arn": "arn:aws:iam::111122223333:group/ops",
            "GroupName": "ops",
            "GroupId": "AGPAEXAMPLE",
            "Path": "/",
            "CreateDate": "2019-11-20T17:09:20Z",
            "GroupPolicyList": [{"PolicyName": "own", "PolicyDocument": "{}"}],
            "AttachedManagedPolicies": [{"PolicyName": "P", "PolicyArn": "arn:aws:iam::aws:policy/P"}]
        })
    );
}

#[test]
fn role_with_everything() {
    let carried = Role::builder()
        .arn("arn:aws:iam::111122223333:role/app")
        .role_name("app")
        .role_id("AROAEXAMPLE")
        .path("/")
        .create_date(time(CREATED))
        .assume_role_policy_document("%7B%7D")
        .role_last_used(RoleLastUsed::builder().region("us-east-1").build())
        .build()
        .unwrap();
    let profile = InstanceProfile::builder()
        .arn("arn:aws:iam::111122223333:instance-profile/app")
        .instance_profile_name("app")
        .instance_profile_id("AIPAEXAMPLE")
        .path("/")
        .create_date(time(CREATED))
        .roles(carried)
        .build()
        .unwrap();
    let detail = RoleDetail::builder()
        .arn("arn:aws:iam::111122223333:role/app")
        .role_name("app")
        .role_id("AROAEXAMPLE")
        .path("/")
        .create_date(time(CREATED))
        .assume_role_policy_document("%7B%22Statement%22%3A%5B%5D%7D")
        .role_policy_list(PolicyDetail::builder().policy_name("own").policy_document("%7B%7D").build())
        .attached_managed_policies(
            AttachedPolicy::builder()
                .policy_name("P")
                .policy_arn("arn:aws:iam::aws:policy/P")
                .build(),
        )
        .permissions_boundary(
            AttachedPermissionsBoundary::builder()
                .permissions_boundary_arn("arn:aws:iam::111122223333:policy/edge")
                .build(),
        )
        .tags(Tag::builder().key("k").value("").build().unwrap())
        .instance_profile_list(profile)
        .role_last_used(
            RoleLastUsed::builder()
                .last_used_date(time(CREATED + 1))
                .region("eu-west-1")
                .build(),
        )
        .build();
    assert_eq!(
        role(&detail),
        json!({
            "Arn": "arn:aws:iam::111122223333:role/app",
            "RoleName": "app",
            "RoleId": "AROAEXAMPLE",
            "Path": "/",
            "CreateDate": "2019-11-20T17:09:20Z",
            "AssumeRolePolicyDocument": "{\"Statement\":[]}",
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": "{}"}],
            "AttachedManagedPolicies": [{"PolicyName": "P", "PolicyArn": "arn:aws:iam::aws:policy/P"}],
            "PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/edge"},
            "Tags": [{"Key": "k", "Value": ""}],
            "InstanceProfileList": [{
                "Arn": "arn:aws:iam::111122223333:instance-profile/app",
                "InstanceProfileName": "app",
                "InstanceProfileId": "AIPAEXAMPLE",
                "Path": "/",
                "CreateDate": "2019-11-20T17:09:20Z",
                "Roles": [{
                    "Arn": "arn:aws:iam::111122223333:role/app",
                    "RoleName": "app",
                    "RoleId": "AROAEXAMPLE",
                    "Path": "/",
                    "CreateDate": "2019-11-20T17:09:20Z",
                    "AssumeRolePolicyDocument": "{}"
                }]
            }],
            "RoleLastUsed": {"LastUsedDate": "2019-11-20T17:09:21Z", "Region": "eu-west-1"}
        })
    );
}

#[test]
fn policy_with_everything() {
    let detail = ManagedPolicyDetail::builder()
        .arn("arn:aws:iam::111122223333:policy/P")
        .policy_name("P")
        .policy_id("ANPAEXAMPLE")
        .path("/")
        .description("what it is for")
        .default_version_id("v2")
        .attachment_count(3)
        .permissions_boundary_usage_count(1)
        .is_attachable(true)
        .create_date(time(CREATED))
        .update_date(time(CREATED))
        .policy_version_list(
            PolicyVersion::builder()
                .version_id("v2")
                .is_default_version(true)
                .create_date(time(CREATED))
                .document("%7B%7D")
                .build(),
        )
        .policy_version_list(PolicyVersion::builder().version_id("v1").document("%7B%22a%22%3A1%7D").build())
        .build();
    assert_eq!(
        policy(&detail),
        json!({
            "Arn": "arn:aws:iam::111122223333:policy/P",
            "PolicyName": "P",
            "PolicyId": "ANPAEXAMPLE",
            "Path": "/",
            "Description": "what it is for",
            "DefaultVersionId": "v2",
            "AttachmentCount": 3,
            "PermissionsBoundaryUsageCount": 1,
            "IsAttachable": true,
            "CreateDate": "2019-11-20T17:09:20Z",
            "UpdateDate": "2019-11-20T17:09:20Z",
            "PolicyVersionList": [
                {"VersionId": "v2", "IsDefaultVersion": true, "CreateDate": "2019-11-20T17:09:20Z", "Document": "{}"},
                {"VersionId": "v1", "IsDefaultVersion": false, "Document": "{\"a\":1}"}
            ]
        })
    );
}

#[test]
fn what_an_answer_lacks_is_left_out_and_what_the_form_needs_is_empty() {
    let detail = RoleDetail::builder()
        .arn("arn:aws:iam::111122223333:role/bare")
        .role_policy_list(PolicyDetail::builder().build())
        .attached_managed_policies(AttachedPolicy::builder().build())
        .permissions_boundary(AttachedPermissionsBoundary::builder().build())
        .role_last_used(RoleLastUsed::builder().build())
        .build();
    assert_eq!(
        role(&detail),
        json!({
            "Arn": "arn:aws:iam::111122223333:role/bare",
            "RolePolicyList": [{"PolicyName": ""}],
            "AttachedManagedPolicies": [{"PolicyArn": ""}],
            "PermissionsBoundary": {"PermissionsBoundaryArn": ""},
            "RoleLastUsed": {}
        })
    );
    assert_eq!(user(&UserDetail::builder().build()), json!({}));
}

#[test]
fn documents_are_decoded_once_and_odd_ones_stay_as_they_came() {
    for (given, expected) in [
        (
            "%7B%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aa%2Fb%20c%2B%2525%22%7D",
            r#"{"Resource":"arn:aws:s3:::a/b c+%25"}"#,
        ),
        ("%0A%7B%7D", "\n{}"),
        ("%7B%22name%22%3A%22gr%C3%BC%C3%9F%22%7D", "{\"name\":\"grüß\"}"),
        // `+` is no blank in this encoding.
        ("%7B%22a%22%3A%22b+c%22%7D", r#"{"a":"b+c"}"#),
        // Not encoded: a `%` inside is the policy's own.
        (r#"{"Resource":"a%20b"}"#, r#"{"Resource":"a%20b"}"#),
        // Not UTF-8 once decoded, a broken escape, no JSON at all, nothing.
        ("%7B%FF%7D", "%7B%FF%7D"),
        ("%7B%2", "{%2"),
        ("not a document", "not a document"),
        ("no%20document%3A%20%7B", "no document: {"),
        ("", ""),
    ] {
        let role_detail = RoleDetail::builder().assume_role_policy_document(given).build();
        assert_eq!(role(&role_detail), json!({ "AssumeRolePolicyDocument": expected }), "{given}");
    }
}

#[test]
fn entities_are_sorted_kept_once_and_counted_where_they_have_no_arn() {
    let named = |name: &str| {
        GroupDetail::builder()
            .arn(format!("arn:aws:iam::111122223333:group/{name}"))
            .build()
    };
    let mut entities = Entities::default();
    entities.extend(Some(vec![named("b"), GroupDetail::builder().group_name("lost").build()]), group);
    entities.extend(None, group);
    entities.extend(Some(vec![named("a"), named("b"), GroupDetail::builder().arn("").build()]), group);
    assert_eq!(
        entities.to_list(),
        r#"[{"Arn":"arn:aws:iam::111122223333:group/a"},{"Arn":"arn:aws:iam::111122223333:group/b"}]"#
    );
    assert_eq!(entities.nameless, 2);
    assert_eq!(Entities::default().to_list(), "[]");
}
