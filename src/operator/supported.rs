//! What the schema accepts and this version does not do yet. Such an object is `Stalled` with reason `NotSupported`; it is never half done,
//! because an audit that ignores a guardrail would be a false assurance.

use crate::model::{AccountProvider, AuditPolicySpec, AwsAuthType, CloudAccountSpec, ExecutionType};

/// The fields of a CloudAccount that are not built yet, as paths; empty where all is.
pub fn account(spec: &CloudAccountSpec) -> Vec<String> {
    let mut found = Vec::new();
    match spec.provider {
        AccountProvider::Aws | AccountProvider::Snapshot => {}
        other => found.push(format!("spec.provider: {}", other.as_str())),
    }
    if let Some(aws) = &spec.aws {
        if aws.auth.kind == AwsAuthType::WebIdentity {
            found.push("spec.aws.auth.type: WebIdentity".to_owned());
        }
        if !aws.auth.assume_role_chain.is_empty() {
            found.push("spec.aws.auth.assumeRoleChain".to_owned());
        }
    }
    let optional = [
        ("spec.organization", spec.organization.is_some()),
        ("spec.usage", spec.usage.is_some()),
        ("spec.changeFeed", spec.change_feed.is_some()),
        (
            "spec.execution.type: Job",
            spec.execution
                .as_ref()
                .is_some_and(|execution| execution.kind == ExecutionType::Job),
        ),
    ];
    found.extend(optional.into_iter().filter(|(_, used)| *used).map(|(path, _)| path.to_owned()));
    found
}

/// The fields of an AuditPolicy that are not built yet, as paths; empty where all is.
pub fn policy(spec: &AuditPolicySpec) -> Vec<String> {
    crate::run::unsupported(spec)
}

/// The sentence for the condition.
pub fn message(fields: &[String]) -> String {
    format!(
        "this version does not do {} yet: remove it, or wait for a version that does",
        fields.join(", ")
    )
}
