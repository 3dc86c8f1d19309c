//! SDK answers → JSON in the member names of the IAM API, documents as plain text. Pure.
//!
//! The texts are what `aws iam get-account-authorization-details` prints; `snapshot` brings both into the same canonical form, so that
//! an account has one digest whichever way it was read. A member that the answer lacks is left out, unless the form needs it: then it
//! is empty, which evaluation reports as something it can't resolve. An entity without an ARN can't be named and is counted.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, GroupDetail, InstanceProfile, ManagedPolicyDetail, PermissionsBoundaryAttachmentType,
    PolicyDetail, PolicyVersion, Role, RoleDetail, RoleLastUsed, Tag, UserDetail,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

/// Entities of one kind, as read until now.
#[derive(Debug, Default)]
pub(super) struct Entities {
    /// JSON text by ARN. An entity that moved from one page to the next while pages were read is here once.
    pub by_arn: BTreeMap<String, String>,
    /// Entities without an ARN.
    pub nameless: usize,
}

impl Entities {
    /// Adds a page.
    pub fn extend<T>(&mut self, page: Option<Vec<T>>, decode: impl Fn(&T) -> Value) {
        for entity in page.into_iter().flatten() {
            let value = decode(&entity);
            match value.get("Arn").and_then(Value::as_str).filter(|arn| !arn.is_empty()) {
                Some(arn) => {
                    self.by_arn.insert(arn.to_owned(), value.to_string());
                }
                None => self.nameless += 1,
            }
        }
    }

    /// All of them as a JSON list.
    pub fn to_list(&self) -> String {
        let mut text = String::with_capacity(2 + self.by_arn.values().map(|entity| entity.len() + 1).sum::<usize>());
        text.push('[');
        for (index, entity) in self.by_arn.values().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(entity);
        }
        text.push(']');
        text
    }
}

/// A user.
pub(super) fn user(user: &UserDetail) -> Value {
    object([
        ("Arn", text(user.arn())),
        ("UserName", text(user.user_name())),
        ("UserId", text(user.user_id())),
        ("Path", text(user.path())),
        ("CreateDate", date(user.create_date())),
        ("UserPolicyList", list(user.user_policy_list.as_ref(), inline)),
        ("GroupList", list(user.group_list.as_ref(), |name| Value::String(name.clone()))),
        ("AttachedManagedPolicies", list(user.attached_managed_policies.as_ref(), attached)),
        ("PermissionsBoundary", optional(user.permissions_boundary(), boundary)),
        ("Tags", list(user.tags.as_ref(), tag)),
    ])
}

/// A group.
pub(super) fn group(group: &GroupDetail) -> Value {
    object([
        ("Arn", text(group.arn())),
        ("GroupName", text(group.group_name())),
        ("GroupId", text(group.group_id())),
        ("Path", text(group.path())),
        ("CreateDate", date(group.create_date())),
        ("GroupPolicyList", list(group.group_policy_list.as_ref(), inline)),
        ("AttachedManagedPolicies", list(group.attached_managed_policies.as_ref(), attached)),
    ])
}

/// A role.
pub(super) fn role(role: &RoleDetail) -> Value {
    object([
        ("Arn", text(role.arn())),
        ("RoleName", text(role.role_name())),
        ("RoleId", text(role.role_id())),
        ("Path", text(role.path())),
        ("CreateDate", date(role.create_date())),
        ("AssumeRolePolicyDocument", document(role.assume_role_policy_document())),
        ("RolePolicyList", list(role.role_policy_list.as_ref(), inline)),
        ("AttachedManagedPolicies", list(role.attached_managed_policies.as_ref(), attached)),
        ("PermissionsBoundary", optional(role.permissions_boundary(), boundary)),
        ("Tags", list(role.tags.as_ref(), tag)),
        ("InstanceProfileList", list(role.instance_profile_list.as_ref(), instance_profile)),
        ("RoleLastUsed", optional(role.role_last_used(), last_used)),
    ])
}

/// A managed policy.
pub(super) fn policy(policy: &ManagedPolicyDetail) -> Value {
    object([
        ("Arn", text(policy.arn())),
        ("PolicyName", text(policy.policy_name())),
        ("PolicyId", text(policy.policy_id())),
        ("Path", text(policy.path())),
        ("Description", text(policy.description())),
        ("DefaultVersionId", text(policy.default_version_id())),
        (
            "AttachmentCount",
            optional(policy.attachment_count.as_ref(), |count| Value::from(*count)),
        ),
        (
            "PermissionsBoundaryUsageCount",
            optional(policy.permissions_boundary_usage_count.as_ref(), |count| Value::from(*count)),
        ),
        ("IsAttachable", Value::Bool(policy.is_attachable)),
        ("CreateDate", date(policy.create_date())),
        ("UpdateDate", date(policy.update_date())),
        ("PolicyVersionList", list(policy.policy_version_list.as_ref(), version)),
    ])
}

fn version(version: &PolicyVersion) -> Value {
    object([
        ("VersionId", text(version.version_id())),
        ("IsDefaultVersion", Value::Bool(version.is_default_version)),
        ("CreateDate", date(version.create_date())),
        ("Document", document(version.document())),
    ])
}

fn inline(policy: &PolicyDetail) -> Value {
    object([
        ("PolicyName", needed(policy.policy_name())),
        ("PolicyDocument", document(policy.policy_document())),
    ])
}

fn attached(policy: &AttachedPolicy) -> Value {
    object([
        ("PolicyName", text(policy.policy_name())),
        ("PolicyArn", needed(policy.policy_arn())),
    ])
}

fn boundary(boundary: &AttachedPermissionsBoundary) -> Value {
    object([
        (
            "PermissionsBoundaryType",
            text(boundary.permissions_boundary_type().map(PermissionsBoundaryAttachmentType::as_str)),
        ),
        ("PermissionsBoundaryArn", needed(boundary.permissions_boundary_arn())),
    ])
}

fn tag(tag: &Tag) -> Value {
    object([("Key", needed(Some(tag.key()))), ("Value", needed(Some(tag.value())))])
}

fn last_used(usage: &RoleLastUsed) -> Value {
    object([("LastUsedDate", date(usage.last_used_date())), ("Region", text(usage.region()))])
}

fn instance_profile(profile: &InstanceProfile) -> Value {
    object([
        ("Arn", needed(Some(profile.arn()))),
        ("InstanceProfileName", text(Some(profile.instance_profile_name()))),
        ("InstanceProfileId", text(Some(profile.instance_profile_id()))),
        ("Path", text(Some(profile.path()))),
        ("CreateDate", date(Some(profile.create_date()))),
        ("Roles", Value::Array(profile.roles().iter().map(role_of_profile).collect())),
        ("Tags", list(profile.tags.as_ref(), tag)),
    ])
}

/// The role that an instance profile carries. Its last use is told by the role itself.
fn role_of_profile(role: &Role) -> Value {
    object([
        ("Arn", needed(Some(role.arn()))),
        ("RoleName", text(Some(role.role_name()))),
        ("RoleId", text(Some(role.role_id()))),
        ("Path", text(Some(role.path()))),
        ("CreateDate", date(Some(role.create_date()))),
        ("AssumeRolePolicyDocument", document(role.assume_role_policy_document())),
    ])
}

/// An object without the members that are null.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn optional<T>(value: Option<&T>, decode: impl Fn(&T) -> Value) -> Value {
    value.map_or(Value::Null, decode)
}

fn list<T>(items: Option<&Vec<T>>, decode: impl Fn(&T) -> Value) -> Value {
    optional(items, |items| Value::Array(items.iter().map(&decode).collect()))
}

fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

fn needed(text: Option<&str>) -> Value {
    Value::from(text.unwrap_or_default())
}

/// RFC 3339. A time that the SDK can't write (beyond the year 9999) is left out.
fn date(time: Option<&DateTime>) -> Value {
    text(time.and_then(|time| time.fmt(Format::DateTime).ok()).as_deref())
}

/// IAM sends documents URL-encoded (RFC 3986). Text that is no encoding, or not of UTF-8, stays as it came, for the parser to report.
fn document(encoded: Option<&str>) -> Value {
    let Some(encoded) = encoded else { return Value::Null };
    // A document begins with `%7B`; what is none (IAM refuses it today) is an encoding if nothing in it would have had to be encoded.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    let is_encoded = encoded.starts_with('%') || encoded.bytes().all(is_plain);
    match percent_encoding::percent_decode_str(encoded).decode_utf8() {
        Ok(plain) if is_encoded => Value::from(plain),
        _ => Value::from(encoded),
    }
}

#[cfg(test)]
mod tests;
