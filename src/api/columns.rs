//! What `kubectl get` prints of each kind. A table, since an attribute for each column would hide the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

/// Name, type, path, whether it is printed with `-o wide` only, and what it says.
type Column = (&'static str, &'static str, &'static str, bool, &'static str);

const READY: Column = (
    "Ready",
    "string",
    r#".status.conditions[?(@.type=="Ready")].status"#,
    false,
    "Whether the last collection or audit succeeded",
);
const REASON: Column = (
    "Reason",
    "string",
    r#".status.conditions[?(@.type=="Ready")].reason"#,
    false,
    "Why it is ready or not",
);
const MESSAGE: Column = (
    "Message",
    "string",
    r#".status.conditions[?(@.type=="Ready")].message"#,
    true,
    "What is the matter, in words",
);
const SUSPENDED: Column = ("Suspended", "boolean", ".spec.suspend", true, "Whether it is stopped");
const LAST_RUN: Column = ("Last run", "date", ".status.lastRunTime", false, "When the last audit was started");
const AGE: Column = ("Age", "date", ".metadata.creationTimestamp", false, "Since when the object exists");

const CLOUD_ACCOUNT: &[Column] = &[
    ("Provider", "string", ".spec.provider", false, "The cloud, or Snapshot"),
    (
        "Account",
        "string",
        ".status.account",
        false,
        "The account, subscription, project or cluster",
    ),
    READY,
    REASON,
    (
        "Collected",
        "date",
        ".status.lastCollection.time",
        false,
        "When it was last collected",
    ),
    ("Interval", "string", ".spec.interval", true, "How often it is collected"),
    SUSPENDED,
    MESSAGE,
    AGE,
];

const AUDIT_POLICY: &[Column] = &[
    (
        "Accounts",
        "integer",
        ".status.selectedAccounts",
        false,
        "How many CloudAccounts are selected",
    ),
    (
        "Schedule",
        "string",
        ".spec.schedule.cron",
        false,
        "Fixed times; empty: after each collection",
    ),
    READY,
    REASON,
    LAST_RUN,
    ("Next run", "string", ".status.nextRunTime", true, "When the next audit is due"),
    SUSPENDED,
    MESSAGE,
    AGE,
];

const AUDIT_REPORT: &[Column] = &[
    ("Policy", "string", ".spec.policyRef.name", false, "The AuditPolicy"),
    ("Account", "string", ".spec.accountRef.name", false, "The CloudAccount"),
    (
        "Critical",
        "integer",
        ".status.counts.open.critical",
        false,
        "Open critical findings",
    ),
    ("High", "integer", ".status.counts.open.high", false, "Open high findings"),
    ("Medium", "integer", ".status.counts.open.medium", false, "Open medium findings"),
    ("Low", "integer", ".status.counts.open.low", false, "Open low findings"),
    LAST_RUN,
    READY,
    (
        "Stale",
        "string",
        r#".status.conditions[?(@.type=="Stale")].status"#,
        false,
        "Whether the last audit is older than it should be",
    ),
    (
        "Scope",
        "string",
        ".status.scope",
        true,
        "The account, subscription, project or cluster",
    ),
    (
        "Complete",
        "boolean",
        ".status.coverage.complete",
        true,
        "Whether everything that the rules need was read",
    ),
    (
        "Truncated",
        "string",
        r#".status.conditions[?(@.type=="Truncated")].status"#,
        true,
        "Whether something was left out to stay within the size bounds",
    ),
    MESSAGE,
    AGE,
];

const AUDIT_REPORT_CHUNK: &[Column] = &[
    ("Report", "string", ".spec.reportRef.name", false, "The AuditReport"),
    ("Bucket", "integer", ".spec.bucket", false, "Which part of the identities"),
    ("Encoding", "string", ".spec.encoding", false, "How the findings are written"),
    AGE,
];

/// The columns of a kind.
pub(super) fn columns(kind: &str) -> Vec<CustomResourceColumnDefinition> {
    let columns = match kind {
        "CloudAccount" => CLOUD_ACCOUNT,
        "AuditPolicy" => AUDIT_POLICY,
        "AuditReport" => AUDIT_REPORT,
        "AuditReportChunk" => AUDIT_REPORT_CHUNK,
        _ => &[],
    };
    columns
        .iter()
        .map(|(name, type_, path, wide, description)| CustomResourceColumnDefinition {
            name: (*name).to_owned(),
            type_: (*type_).to_owned(),
            json_path: (*path).to_owned(),
            priority: wide.then_some(1),
            description: Some((*description).to_owned()),
            format: None,
        })
        .collect()
}
