//! Account files, built piece by piece.

use serde_json::{Value, json};

use super::ACCOUNT;

/// Statements as a policy document.
pub fn document(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub fn allow(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

pub fn deny(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Deny", "Action": actions, "Resource": resources})
}

/// A statement with a condition.
pub fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

/// A trust statement.
pub fn trust(principal: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

/// A trust statement for tokens of an OIDC issuer that is registered in the account.
pub fn federated(issuer: &str, condition: Value) -> Value {
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}");
    json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition})
}

fn inline(policies: &[(&str, Value)]) -> Value {
    policies
        .iter()
        .map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document}))
        .collect()
}

fn attached(arns: &[&str]) -> Value {
    arns.iter()
        .map(|arn| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()}))
        .collect()
}

pub fn role_at(path: &str, name: &str, trusted: &Value, policies: &[(&str, Value)], managed: &[&str]) -> Value {
    json!({
        "Arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"), "RoleName": name, "RoleId": format!("AROA{name}"), "Path": path,
        "AssumeRolePolicyDocument": document(trusted.clone()), "RolePolicyList": inline(policies),
        "AttachedManagedPolicies": attached(managed), "InstanceProfileList": [], "Tags": [],
    })
}

/// A role that a service assumes.
pub fn role(name: &str, policies: &[(&str, Value)], managed: &[&str]) -> Value {
    role_at(
        "/",
        name,
        &json!([trust(json!({"Service": "ec2.amazonaws.com"}))]),
        policies,
        managed,
    )
}

/// A role without rights.
pub fn trusting(name: &str, trusted: &Value) -> Value {
    role_at("/", name, trusted, &[], &[])
}

pub fn user(name: &str, policies: &[(&str, Value)], managed: &[&str], groups: &[&str]) -> Value {
    json!({
        "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "UserName": name, "UserId": format!("AIDA{name}"), "Path": "/",
        "UserPolicyList": inline(policies), "AttachedManagedPolicies": attached(managed), "GroupList": groups, "Tags": [],
    })
}

pub fn group(name: &str, policies: &[(&str, Value)], managed: &[&str]) -> Value {
    json!({
        "Arn": format!("arn:aws:iam::{ACCOUNT}:group/{name}"), "GroupName": name, "GroupId": format!("AGPA{name}"), "Path": "/",
        "GroupPolicyList": inline(policies), "AttachedManagedPolicies": attached(managed),
    })
}

pub fn managed_policy(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

pub fn managed(name: &str, document: Value) -> Value {
    json!({
        "Arn": managed_policy(name), "PolicyName": name, "PolicyId": format!("ANPA{name}"), "Path": "/", "DefaultVersionId": "v1",
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": document}],
    })
}

/// An account of the parts; what is not named is empty, and was read.
pub fn account(parts: Value) -> Value {
    let mut whole = json!({
        "AccountId": ACCOUNT, "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], "resources": [],
    });
    whole.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    whole
}

pub fn roles(roles: Vec<Value>) -> Value {
    account(json!({"RoleDetailList": roles}))
}

pub fn users(users: Vec<Value>) -> Value {
    account(json!({"UserDetailList": users}))
}

/// The account with a boundary on one of its roles or users.
pub fn bounded(mut identity: Value, boundary: &str) -> Value {
    identity["PermissionsBoundary"] = json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": managed_policy(boundary)});
    identity
}
