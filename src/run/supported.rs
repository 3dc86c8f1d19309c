//! What the schema of AuditPolicy accepts and this version does not do yet. An audit that ignores a guardrail would be a false assurance, so
//! that such a policy is refused whole.

use crate::model::AuditPolicySpec;

/// The fields of an AuditPolicy that are not built yet, as paths; empty where all is.
pub fn unsupported(policy: &AuditPolicySpec) -> Vec<String> {
    let optional = [
        ("spec.guardrails", !policy.guardrails.is_empty()),
        ("spec.sensitive", !policy.sensitive.is_empty()),
        ("spec.scoring.tables", !policy.scoring.tables.is_empty()),
        ("spec.report.openReports", policy.report.open_reports.is_some()),
        ("spec.report.formats", !policy.report.formats.is_empty()),
    ];
    optional
        .into_iter()
        .filter(|(_, used)| *used)
        .map(|(path, _)| path.to_owned())
        .collect()
}
