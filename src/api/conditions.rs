//! Conditions: their names, their reasons and the one way to set them (operator-conventions §1, rows 1–5; design §3.6).

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Usable: the last collection (CloudAccount) or audit (AuditPolicy, AuditReport) succeeded. Findings never make it false.
pub const READY: &str = "Ready";
/// Work is under way or will be retried. There only while True.
pub const RECONCILING: &str = "Reconciling";
/// Somebody has to act before anything can go on. There only while True.
pub const STALLED: &str = "Stalled";
/// CloudAccount: the cloud accepted the credentials and named the declared account.
pub const CREDENTIALS_VALID: &str = "CredentialsValid";
/// CloudAccount: nothing that the collector reads was refused.
pub const PERMISSIONS_SUFFICIENT: &str = "PermissionsSufficient";
/// CloudAccount: change events arrive.
pub const CHANGE_FEED_CONNECTED: &str = "ChangeFeedConnected";
/// CloudAccount: credentials are long-lived keys in a Secret.
pub const STATIC_CREDENTIALS: &str = "StaticCredentials";
/// CloudAccount, AuditPolicy: snapshots and findings outlive the operator's pod.
pub const HISTORY_KEPT: &str = "HistoryKept";
/// AuditPolicy: at least one CloudAccount is selected.
pub const ACCOUNTS_SELECTED: &str = "AccountsSelected";
/// AuditReport: the last audit is older than it should be.
pub const STALE: &str = "Stale";
/// AuditReport: something was left out to stay within the size bounds.
pub const TRUNCATED: &str = "Truncated";

/// Reasons: stable words for programs, in `reason` of conditions and Events.
pub mod reason {
    /// Nothing of the kind is configured.
    pub const NOT_CONFIGURED: &str = "NotConfigured";
    /// The operator may not read the Secret or ConfigMap that is named.
    pub const REFERENCE_FORBIDDEN: &str = "ReferenceForbidden";
    /// The API server did not answer, or refused for now.
    pub const CLUSTER_UNAVAILABLE: &str = "ClusterUnavailable";
    /// The report would have been larger than its bounds.
    pub const SIZE_LIMIT: &str = "SizeLimit";
    /// The object was seen and nothing was tried yet.
    pub const PENDING: &str = "Pending";
    /// A new generation or a due time is being worked on.
    pub const PROGRESSING: &str = "Progressing";
    /// It went well.
    pub const SUCCEEDED: &str = "Succeeded";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
    /// A provider or member that the schema accepts and this version does not do yet.
    pub const NOT_SUPPORTED: &str = "NotSupported";
    /// The spec says something that only the operator can see is wrong.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// A rule, tag, framework, parameter, action class or scoring table that the catalogue does not have.
    pub const UNKNOWN_NAME: &str = "UnknownName";
    /// An interval or schedule below the operator's floor.
    pub const INTERVAL_TOO_SHORT: &str = "IntervalTooShort";
    /// The Secret does not exist.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The Secret lacks the label that lets CloudAccounts use it.
    pub const SECRET_NOT_LABELLED: &str = "SecretNotLabelled";
    /// The Secret lacks a key, or it is empty or no text.
    pub const SECRET_INVALID: &str = "SecretInvalid";
    /// Ambient credentials are not allowed in this namespace.
    pub const AMBIENT_NOT_ALLOWED: &str = "AmbientNotAllowed";
    /// The cloud refused the credentials.
    pub const CREDENTIALS_REFUSED: &str = "CredentialsRefused";
    /// The credentials belong to another account than the one declared.
    pub const ACCOUNT_MISMATCH: &str = "AccountMismatch";
    /// Read permissions are missing.
    pub const PERMISSIONS_MISSING: &str = "PermissionsMissing";
    /// The cloud could not be reached, throttled or failed.
    pub const CLOUD_UNAVAILABLE: &str = "CloudUnavailable";
    /// The ConfigMap, Secret or file with the snapshot does not exist.
    pub const SNAPSHOT_NOT_FOUND: &str = "SnapshotNotFound";
    /// The snapshot could not be read.
    pub const SNAPSHOT_INVALID: &str = "SnapshotInvalid";
    /// Collection failed for another reason.
    pub const COLLECTION_FAILED: &str = "CollectionFailed";
    /// The audit failed.
    pub const AUDIT_FAILED: &str = "AuditFailed";
    /// No CloudAccount fits the selector.
    pub const NO_ACCOUNT_SELECTED: &str = "NoAccountSelected";
    /// An account that is selected has no snapshot yet.
    pub const NO_SNAPSHOT: &str = "NoSnapshot";
    /// Two intervals have passed since the last successful audit.
    pub const OVERDUE: &str = "Overdue";
    /// The last audit is recent enough.
    pub const CURRENT: &str = "Current";
    /// The report is complete.
    pub const COMPLETE: &str = "Complete";
    /// The store is a directory that goes with the pod.
    pub const STORE_NOT_PERSISTENT: &str = "StoreNotPersistent";
    /// The store is not shared with Jobs, so that they cannot hand back their results.
    pub const STORE_NOT_SHARED: &str = "StoreNotShared";
    /// The API server refused or did not take a write.
    pub const WRITE_FAILED: &str = "WriteFailed";
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known, or not tried yet.
    Unknown,
}

impl Status {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What a condition is to say now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCondition {
    /// Type, one of this module's constants.
    pub kind: &'static str,
    /// Whether it holds.
    pub status: Status,
    /// Reason, one of [`reason`].
    pub reason: &'static str,
    /// For people: what is the matter and what to do.
    pub message: String,
    /// `metadata.generation` of the object that it is about.
    pub observed_generation: Option<i64>,
}

/// Sets a condition. `lastTransitionTime` moves to `now` only when the status flips, so that an unchanged object is written unchanged.
/// Reconciling and Stalled that are not True are removed: kstatus reads them as there only while True.
pub fn upsert(conditions: &mut Vec<Condition>, new: NewCondition, now: Timestamp) {
    if new.status != Status::True && matches!(new.kind, RECONCILING | STALLED) {
        remove(conditions, new.kind);
        return;
    }
    let status = new.status.as_str();
    let existing = conditions.iter().position(|condition| condition.type_ == new.kind);
    let existing = existing.and_then(|index| conditions.get_mut(index));
    let since = match &existing {
        Some(condition) if condition.status == status => condition.last_transition_time.clone(),
        _ => Time(whole_seconds(now)),
    };
    let condition = Condition {
        type_: new.kind.to_owned(),
        status: status.to_owned(),
        reason: new.reason.to_owned(),
        message: new.message,
        last_transition_time: since,
        observed_generation: new.observed_generation,
    };
    match existing {
        Some(place) => *place = condition,
        None => conditions.push(condition),
    }
}

/// Takes a condition away, where it is there.
pub fn remove(conditions: &mut Vec<Condition>, kind: &str) {
    conditions.retain(|condition| condition.type_ != kind);
}

/// A condition by its type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether a condition is there and True.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == Status::True.as_str())
}

/// Kubernetes writes times to the second; with a fraction what is read back would differ from what was written.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn condition(kind: &'static str, status: Status, reason: &'static str, generation: i64) -> NewCondition {
        NewCondition {
            kind,
            status,
            reason,
            message: format!("{reason} in generation {generation}"),
            observed_generation: Some(generation),
        }
    }

    #[test]
    fn the_time_moves_only_when_the_status_flips() {
        let mut conditions = Vec::new();
        upsert(
            &mut conditions,
            condition(READY, Status::Unknown, reason::PENDING, 1),
            at("2026-01-01T00:00:00.9Z"),
        );
        assert_eq!(conditions[0].last_transition_time.0, at("2026-01-01T00:00:00Z"), "to the second");

        upsert(
            &mut conditions,
            condition(READY, Status::True, reason::SUCCEEDED, 1),
            at("2026-01-01T01:00:00Z"),
        );
        assert_eq!(conditions[0].last_transition_time.0, at("2026-01-01T01:00:00Z"));
        let before = conditions.clone();

        upsert(
            &mut conditions,
            condition(READY, Status::True, reason::SUCCEEDED, 1),
            at("2026-01-01T02:00:00Z"),
        );
        assert_eq!(conditions, before, "an equal condition is no change");

        upsert(
            &mut conditions,
            condition(READY, Status::True, reason::CURRENT, 2),
            at("2026-01-01T03:00:00Z"),
        );
        assert_eq!(conditions[0].last_transition_time.0, at("2026-01-01T01:00:00Z"));
        assert_eq!(conditions[0].reason, reason::CURRENT);
        assert_eq!((conditions[0].observed_generation, conditions.len()), (Some(2), 1));
        assert!(is_true(&conditions, READY) && !is_true(&conditions, STALE));
    }

    #[test]
    fn reconciling_and_stalled_are_there_only_while_true() {
        let now = at("2026-01-01T00:00:00Z");
        let mut conditions = Vec::new();
        for kind in [RECONCILING, STALLED] {
            upsert(&mut conditions, condition(kind, Status::False, reason::PROGRESSING, 1), now);
            assert_eq!(find(&conditions, kind), None);
            upsert(&mut conditions, condition(kind, Status::True, reason::PROGRESSING, 1), now);
            assert!(is_true(&conditions, kind));
            upsert(&mut conditions, condition(kind, Status::Unknown, reason::PROGRESSING, 1), now);
            assert_eq!(find(&conditions, kind), None);
        }
        upsert(&mut conditions, condition(TRUNCATED, Status::False, reason::COMPLETE, 1), now);
        assert!(find(&conditions, TRUNCATED).is_some(), "others stay while False");
        remove(&mut conditions, TRUNCATED);
        assert!(conditions.is_empty());
    }
}
