//! The members that are known of each AWS object: their type, and what has no order. Data, so that a new member is one line.
//! A member that is not here is kept as it is.

use super::section;

/// What a value is and how it becomes canonical.
#[derive(Debug)]
pub(super) enum Shape {
    /// Text.
    Text,
    /// A time: RFC 3339 where it can be parsed, else as written.
    Time,
    /// True or false.
    Flag,
    /// A policy document.
    Document,
    /// An object with known members.
    Object(&'static [Member]),
    /// A list whose order means something.
    List(&'static Shape),
    /// A list without order: sorted by this member of its items (none: by the items themselves), so that collecting in another order
    /// gives the same digest.
    Set(&'static Shape, Option<&'static str>),
    /// Not an entitlement: goes to this usage section, by the ARN of the object that holds it.
    Usage(&'static str, &'static Shape),
}

/// One known member.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name.
    pub name: &'static str,
    /// Its shape.
    pub shape: Shape,
    /// Whether an object without it is malformed.
    pub required: bool,
}

const fn member(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: false,
    }
}

const fn required(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: true,
    }
}

const TAG: Shape = Shape::Object(&[required("Key", Shape::Text), member("Value", Shape::Text)]);
const INLINE: Shape = Shape::Object(&[required("PolicyName", Shape::Text), member("PolicyDocument", Shape::Document)]);
const ATTACHED: Shape = Shape::Object(&[required("PolicyArn", Shape::Text), member("PolicyName", Shape::Text)]);
const BOUNDARY: Shape = Shape::Object(&[
    required("PermissionsBoundaryArn", Shape::Text),
    member("PermissionsBoundaryType", Shape::Text),
]);
const VERSION: Shape = Shape::Object(&[
    member("VersionId", Shape::Text),
    member("IsDefaultVersion", Shape::Flag),
    member("CreateDate", Shape::Time),
    member("Document", Shape::Document),
]);
const LAST_USED: Shape = Shape::Object(&[member("LastUsedDate", Shape::Time), member("Region", Shape::Text)]);
const PROFILE: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("InstanceProfileName", Shape::Text),
    member("CreateDate", Shape::Time),
    member("Roles", Shape::Set(&PROFILE_ROLE, Some("Arn"))),
]);
const PROFILE_ROLE: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("CreateDate", Shape::Time),
    member("AssumeRolePolicyDocument", Shape::Document),
    member("RoleLastUsed", Shape::Usage(section::ROLE_LAST_USED, &LAST_USED)),
]);

const USER: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("UserName", Shape::Text),
    member("UserId", Shape::Text),
    member("Path", Shape::Text),
    member("CreateDate", Shape::Time),
    member("UserPolicyList", Shape::Set(&INLINE, Some("PolicyName"))),
    member("GroupList", Shape::Set(&Shape::Text, None)),
    member("AttachedManagedPolicies", Shape::Set(&ATTACHED, Some("PolicyArn"))),
    member("PermissionsBoundary", BOUNDARY),
    member("Tags", Shape::Set(&TAG, Some("Key"))),
    member("PasswordLastUsed", Shape::Usage(section::PASSWORD_LAST_USED, &Shape::Time)),
]);

const GROUP: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("GroupName", Shape::Text),
    member("GroupId", Shape::Text),
    member("Path", Shape::Text),
    member("CreateDate", Shape::Time),
    member("GroupPolicyList", Shape::Set(&INLINE, Some("PolicyName"))),
    member("AttachedManagedPolicies", Shape::Set(&ATTACHED, Some("PolicyArn"))),
]);

const ROLE: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("RoleName", Shape::Text),
    member("RoleId", Shape::Text),
    member("Path", Shape::Text),
    member("CreateDate", Shape::Time),
    member("AssumeRolePolicyDocument", Shape::Document),
    member("RolePolicyList", Shape::Set(&INLINE, Some("PolicyName"))),
    member("AttachedManagedPolicies", Shape::Set(&ATTACHED, Some("PolicyArn"))),
    member("PermissionsBoundary", BOUNDARY),
    member("Tags", Shape::Set(&TAG, Some("Key"))),
    member("InstanceProfileList", Shape::Set(&PROFILE, Some("Arn"))),
    member("RoleLastUsed", Shape::Usage(section::ROLE_LAST_USED, &LAST_USED)),
]);

const POLICY: Shape = Shape::Object(&[
    required("Arn", Shape::Text),
    member("PolicyName", Shape::Text),
    member("PolicyId", Shape::Text),
    member("Path", Shape::Text),
    member("DefaultVersionId", Shape::Text),
    member("CreateDate", Shape::Time),
    member("UpdateDate", Shape::Time),
    member("PolicyVersionList", Shape::Set(&VERSION, Some("VersionId"))),
    member("Tags", Shape::Set(&TAG, Some("Key"))),
]);

const RESOURCE: Shape = Shape::Object(&[
    required("arn", Shape::Text),
    member("type", Shape::Text),
    member("name", Shape::Text),
    member("tags", Shape::Set(&TAG, Some("Key"))),
    member("policy", Shape::Document),
]);

const LEVEL: Shape = Shape::Object(&[member("id", Shape::Text), required("policies", Shape::Set(&Shape::Document, None))]);

/// `levels` of a service or resource control policy list: from the root down to the account.
pub(super) const LEVELS: Shape = Shape::List(&LEVEL);

const ORGANIZATION_ACCOUNT: Shape = Shape::Object(&[required("id", Shape::Text), member("path", Shape::Text)]);

/// `organization` of an input object.
pub(super) const ORGANIZATION: Shape = Shape::Object(&[
    required("id", Shape::Text),
    member("managementAccount", Shape::Text),
    member("accounts", Shape::Set(&ORGANIZATION_ACCOUNT, Some("id"))),
]);

/// What a list of an account file holds and where it goes.
#[derive(Debug)]
pub(super) struct List {
    /// The file's member.
    pub member: &'static str,
    /// The snapshot's section.
    pub section: &'static str,
    /// Member that holds an item's ARN.
    pub arn: &'static str,
    /// Shape of an item.
    pub item: Shape,
}

/// The lists of GetAccountAuthorizationDetails.
pub(super) const DETAILS: [List; 4] = [
    List {
        member: "UserDetailList",
        section: section::USERS,
        arn: "Arn",
        item: USER,
    },
    List {
        member: "GroupDetailList",
        section: section::GROUPS,
        arn: "Arn",
        item: GROUP,
    },
    List {
        member: "RoleDetailList",
        section: section::ROLES,
        arn: "Arn",
        item: ROLE,
    },
    List {
        member: "Policies",
        section: section::POLICIES,
        arn: "Arn",
        item: POLICY,
    },
];

/// What the account owns.
pub(super) const RESOURCES: List = List {
    member: "resources",
    section: section::RESOURCES,
    arn: "arn",
    item: RESOURCE,
};

/// Types of `resources[]` that are credentials of a user, under the user's ARN: usage, not something that policies speak about.
pub(super) const CREDENTIAL_TYPES: [&str; 2] = ["AWS::IAM::AccessKey", "AWS::IAM::LoginProfile"];

/// Members of an account file that are settings of the account.
pub(super) const SETTINGS: [&str; 3] = ["AccountName", "AccountAlias", "public_access_block"];

/// Members of an answer of the API that say that more pages follow.
pub(super) const PAGING: [&str; 3] = ["IsTruncated", "Marker", "NextToken"];
