//! What is read beside the entitlements, and where the work is done: usage evidence, change events, execution.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Duration, cel, form};

/// How usage evidence is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// How far back usage counts, from `24h` to `9600h`. Absent: `2160h`, 90 days. A permission without use in this time is unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = cel::duration_between("24h", "9600h")))]
    pub lookback: Option<Duration>,
    /// A log of single calls, which tells unused actions; without one, the provider's summaries tell unused services at best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<UsageTrail>,
}

impl Usage {
    /// How far back usage counts where `lookback` is absent: 90 days.
    pub const DEFAULT_LOOKBACK: std::time::Duration = std::time::Duration::from_hours(90 * 24);
}

/// Where the log of single calls is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = trail_rules()))]
pub struct UsageTrail {
    /// Which log. `EventHistory`: the provider's own history of management events (CloudTrail event history, Azure activity log, Google
    /// admin activity log), which needs nothing more; the others name the member that says where the log is.
    #[serde(rename = "type")]
    pub kind: UsageTrailType,
    /// CloudTrail log files in a bucket; with type `S3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Logs>,
    /// An Athena table over CloudTrail log files; with type `Athena`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub athena: Option<Athena>,
    /// A workspace that receives activity and sign-in logs; with type `LogAnalytics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_analytics: Option<LogAnalytics>,
    /// A view of a log bucket; with type `CloudLogging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_logging: Option<CloudLogging>,
    /// A table that receives audit logs; with type `BigQuery`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub big_query: Option<BigQuery>,
}

/// Logs of single calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsageTrailType {
    /// The provider's own history of management events.
    EventHistory,
    /// CloudTrail log files in a bucket.
    S3,
    /// An Athena table over CloudTrail log files.
    Athena,
    /// A Log Analytics workspace.
    LogAnalytics,
    /// A view of a Google log bucket.
    CloudLogging,
    /// A BigQuery table of audit logs.
    BigQuery,
}

/// CloudTrail log files in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Logs {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    pub bucket: String,
    /// Prefix before `AWSLogs/`, without slashes around it. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$"))]
    pub prefix: Option<String>,
    /// Region of the bucket.
    #[schemars(length(max = 32), regex(pattern = form::REGION))]
    pub region: String,
}

/// An Athena table over CloudTrail log files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Athena {
    /// Region of the table.
    #[schemars(length(max = 32), regex(pattern = form::REGION))]
    pub region: String,
    /// Database of the table.
    #[schemars(length(max = 255), regex(pattern = r"^[A-Za-z0-9_]+$"))]
    pub database: String,
    /// Name of the table.
    #[schemars(length(max = 255), regex(pattern = r"^[A-Za-z0-9_]+$"))]
    pub table: String,
    /// The workgroup that queries run in; it bounds their cost. Absent: `primary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub workgroup: Option<String>,
}

/// A Log Analytics workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogAnalytics {
    /// Id of the workspace, a GUID in lower case.
    #[schemars(length(max = 36), regex(pattern = form::GUID))]
    pub workspace_id: String,
}

/// A view of a Google log bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudLogging {
    /// Resource name: `projects/PROJECT/locations/LOCATION/buckets/BUCKET/views/VIEW`; also of a folder or organization.
    #[schemars(
        length(max = 512),
        regex(
            pattern = r"^(projects|folders|organizations)/[a-z0-9.:-]+/locations/[a-z0-9-]+/buckets/[A-Za-z0-9_.-]+/views/[A-Za-z0-9_.-]+$"
        )
    )]
    pub view: String,
}

/// A BigQuery table of audit logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BigQuery {
    /// The table as `PROJECT.DATASET.TABLE`; `*` at its end for tables sharded by date.
    #[schemars(length(max = 1400), regex(pattern = r"^[a-z0-9.:-]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_-]+\*?$"))]
    pub table: String,
}

/// A queue of change events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = feed_rules()))]
pub struct ChangeFeed {
    /// Kind of the queue; it names the member that says where it is. `SQS` goes with provider AWS, `PubSub` with GCP, `StorageQueue` with Azure.
    #[serde(rename = "type")]
    pub kind: ChangeFeedType,
    /// An SQS queue that receives CloudTrail events from EventBridge; with type `SQS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<Sqs>,
    /// A Pub/Sub subscription that receives audit logs from a sink; with type `PubSub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pub_sub: Option<PubSub>,
    /// A storage queue that receives activity log events from Event Grid; with type `StorageQueue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_queue: Option<StorageQueue>,
}

/// Kinds of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChangeFeedType {
    /// Amazon SQS.
    #[serde(rename = "SQS")]
    Sqs,
    /// Google Pub/Sub.
    PubSub,
    /// Azure Queue Storage.
    StorageQueue,
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sqs {
    /// URL of the queue: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`. Only AWS's own endpoints are accepted.
    #[schemars(
        length(max = 256),
        regex(
            pattern = r"^https://sqs(-fips)?\.[a-z0-9-]+\.(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$"
        )
    )]
    pub queue_url: String,
}

/// A Pub/Sub subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PubSub {
    /// Resource name of the subscription: `projects/PROJECT/subscriptions/NAME`.
    #[schemars(
        length(max = 400),
        regex(pattern = r"^projects/[a-z0-9.:-]+/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$")
    )]
    pub subscription: String,
}

/// A queue of Azure Queue Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageQueue {
    /// URL of the queue: `https://ACCOUNT.queue.core.windows.net/NAME`. Only Azure's own endpoints are accepted.
    #[schemars(
        length(max = 160),
        regex(
            pattern = r"^https://[a-z0-9]{3,24}\.queue\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)/[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"
        )
    )]
    pub queue_url: String,
}

/// Where collection and audit run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = execution_rules()))]
pub struct Execution {
    /// `InProcess`: in the operator. `Job`: each run as a Kubernetes Job in the CloudAccount's namespace; it needs a store that both share.
    #[serde(rename = "type")]
    pub kind: ExecutionType,
    /// The ServiceAccount that the Job runs as; with type `Job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(pattern = form::OBJECT_NAME)
    )]
    pub service_account_name: Option<String>,
}

/// Where a run is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionType {
    /// In the operator's process.
    InProcess,
    /// As a Kubernetes Job.
    Job,
}

fn trail_rules() -> Vec<Value> {
    cel::union(
        "type",
        &[
            ("S3", "s3"),
            ("Athena", "athena"),
            ("LogAnalytics", "logAnalytics"),
            ("CloudLogging", "cloudLogging"),
            ("BigQuery", "bigQuery"),
        ],
    )
}

fn feed_rules() -> Vec<Value> {
    cel::union("type", &[("SQS", "sqs"), ("PubSub", "pubSub"), ("StorageQueue", "storageQueue")])
}

fn execution_rules() -> Vec<Value> {
    cel::union("type", &[("Job", "serviceAccountName")])
}

/// Rules of CloudAccount that join its provider with these members.
pub(super) fn rules() -> Vec<Value> {
    vec![
        cel::rule(
            "!has(self.usage) || self.provider != 'Snapshot'",
            "a recorded snapshot holds the usage that was recorded: remove usage",
            ".usage",
        ),
        cel::rule(
            "!has(self.usage) || !has(self.usage.trail) || \
             (self.usage.trail.type == 'EventHistory' && self.provider in ['AWS', 'Azure', 'GCP']) || \
             (self.usage.trail.type in ['S3', 'Athena'] && self.provider == 'AWS') || \
             (self.usage.trail.type == 'LogAnalytics' && self.provider == 'Azure') || \
             (self.usage.trail.type in ['CloudLogging', 'BigQuery'] && self.provider == 'GCP')",
            "this provider has no such trail: S3 and Athena go with AWS, LogAnalytics with Azure, CloudLogging and BigQuery with GCP",
            ".usage.trail.type",
        ),
        cel::rule(
            "!has(self.changeFeed) || (self.changeFeed.type == 'SQS' && self.provider == 'AWS') || \
             (self.changeFeed.type == 'StorageQueue' && self.provider == 'Azure') || \
             (self.changeFeed.type == 'PubSub' && self.provider == 'GCP')",
            "this provider has no such change feed: SQS goes with AWS, StorageQueue with Azure, PubSub with GCP",
            ".changeFeed.type",
        ),
    ]
}
