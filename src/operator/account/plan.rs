//! What a CloudAccount needs next: a pure function of what was read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::outcome::{Collected, Ended, Failure};
use crate::api::conditions::{self, NewCondition, Status, reason};
use crate::api::{AccountCoverage, CloudAccount, CloudAccountStatus, Collection, RUN_NOW_ANNOTATION};
use crate::model::AccountProvider;
use crate::operator::cluster::{Note, shortened};
use crate::operator::jobs::JobState;
use crate::operator::supported;

/// After this many transient failures in a row an account that was ready is not any more.
const PATIENCE: u32 = 5;
/// How soon an object whose Secret, ConfigMap or snapshot was refused is looked at again: a look costs one read of the API server.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// The longest back-off after transient failures.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
/// Longest message of a condition; the API takes 32 KiB, people do not.
const MESSAGE: usize = 1024;
/// Coverage entries in status; the report has more, the store has all.
const COVERAGE_ENTRIES: usize = 20;

/// What was read before planning.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The object as the API server has it.
    pub account: &'a CloudAccount,
    /// The time of this pass.
    pub now: Timestamp,
    /// No account is collected more often.
    pub minimum_interval: Duration,
    /// Whether snapshots and history end with the pod.
    pub store_ephemeral: bool,
    /// Why the namespace may not use the operator's own identity; none: it may, or it need not.
    pub refused: Option<Failure>,
    /// The collection job of this account.
    pub job: JobState<Ended>,
    /// The last snapshot is in the store.
    pub stored: bool,
    /// A policy needs a collection that began at or after this time.
    pub wanted: Option<Timestamp>,
    /// What the last failure complained of (Secret, ConfigMap, file) has changed since.
    pub source_changed: bool,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The whole status.
    pub status: CloudAccountStatus,
    /// Start a collection.
    pub start: bool,
    /// Look again after this; none: only when something changes.
    pub again: Option<Duration>,
    /// Events to publish.
    pub notes: Vec<Note>,
}

/// The value of the run-now annotation.
pub fn run_now(account: &CloudAccount) -> Option<&str> {
    account.metadata.annotations.as_ref()?.get(RUN_NOW_ANNOTATION).map(String::as_str)
}

/// Plans one pass. Applying the plan and planning again changes nothing until time passes or something happens.
pub fn plan(facts: Facts<'_>) -> Plan {
    let account = facts.account;
    let before = account.status.clone().unwrap_or_default();
    let mut pass = Pass {
        now: facts.now,
        generation: account.metadata.generation,
        status: before.clone(),
    };
    pass.status.observed_generation = pass.generation;
    pass.first_visit();
    pass.history(facts.store_ephemeral);

    let busy = facts.job == JobState::Busy;
    if let JobState::Ended(ended) = facts.job {
        pass.ended(account, ended);
    }
    let (start, again) = pass.next(&Next {
        account,
        minimum_interval: facts.minimum_interval,
        refused: facts.refused,
        busy,
        stored: facts.stored,
        wanted: facts.wanted,
        source_changed: facts.source_changed,
    });
    let notes = notes(&before, &pass.status);
    Plan {
        status: pass.status,
        start,
        again,
        notes,
    }
}

struct Next<'a> {
    account: &'a CloudAccount,
    minimum_interval: Duration,
    refused: Option<Failure>,
    busy: bool,
    stored: bool,
    wanted: Option<Timestamp>,
    source_changed: bool,
}

struct Pass {
    now: Timestamp,
    generation: Option<i64>,
    status: CloudAccountStatus,
}

impl Pass {
    fn set(&mut self, kind: &'static str, status: Status, reason: &'static str, message: impl Into<String>) {
        let message = shortened(&message.into(), MESSAGE);
        let new = NewCondition {
            kind,
            status,
            reason,
            message,
            observed_generation: self.generation,
        };
        conditions::upsert(&mut self.status.conditions, new, self.now);
    }

    /// All conditions that this kind has are there from the first visit on.
    fn first_visit(&mut self) {
        let known = [
            (conditions::READY, reason::PENDING, "not collected yet"),
            (conditions::CREDENTIALS_VALID, reason::PENDING, "not tried yet"),
            (conditions::PERMISSIONS_SUFFICIENT, reason::PENDING, "not tried yet"),
            (
                conditions::CHANGE_FEED_CONNECTED,
                reason::NOT_CONFIGURED,
                "no change feed is configured",
            ),
        ];
        for (kind, reason, message) in known {
            if conditions::find(&self.status.conditions, kind).is_none() {
                self.set(kind, Status::Unknown, reason, message);
            }
        }
    }

    fn history(&mut self, ephemeral: bool) {
        if ephemeral {
            let message = "the store is an emptyDir: snapshots and history end with the operator's pod; mount a volume to keep them";
            self.set(conditions::HISTORY_KEPT, Status::False, reason::STORE_NOT_PERSISTENT, message);
        } else {
            self.set(
                conditions::HISTORY_KEPT,
                Status::True,
                reason::SUCCEEDED,
                "snapshots and history are kept in the store's volume",
            );
        }
    }

    /// Takes in the end of a collection.
    fn ended(&mut self, account: &CloudAccount, ended: Ended) {
        self.status.last_attempt_time = Some(ended.began);
        if ended.run_now.is_some() {
            self.status.last_handled_run_now.clone_from(&ended.run_now);
        }
        // What the job did is about the spec that it began with.
        let generation = std::mem::replace(&mut self.generation, ended.generation);
        match ended.result {
            Ok(collected) => self.collected(account, ended.began, ended.took, collected),
            Err(failure) => self.failed(account, failure),
        }
        self.generation = generation;
    }

    fn collected(&mut self, account: &CloudAccount, began: Timestamp, took: Duration, collected: Collected) {
        let interval = interval(account);
        self.status.failures = None;
        self.status.provider = collected.provider;
        self.status.account = Some(collected.account);
        self.status.identity = collected.identity;
        self.status.next_collection_time = whole_seconds(began.saturating_add(signed(interval)).ok());
        self.status.last_collection = Some(Collection {
            time: began,
            duration: took.into(),
            digests: collected.digests,
            counts: collected.counts,
            api_calls: collected.api_calls,
        });
        let total = u32::try_from(collected.coverage.len()).unwrap_or(u32::MAX);
        let missing = collected.missing_permissions;
        self.status.coverage = Some(AccountCoverage {
            complete: total == 0 && missing.is_empty(),
            entries: collected.coverage.into_iter().take(COVERAGE_ENTRIES).collect(),
            total,
            missing_permissions: missing.clone(),
        });
        self.set(conditions::READY, Status::True, reason::SUCCEEDED, "the last collection succeeded");
        if account.spec.provider == AccountProvider::Snapshot {
            self.set(
                conditions::CREDENTIALS_VALID,
                Status::Unknown,
                reason::NOT_CONFIGURED,
                "a recorded snapshot needs no credentials",
            );
        } else {
            self.set(
                conditions::CREDENTIALS_VALID,
                Status::True,
                reason::SUCCEEDED,
                "the cloud accepts the credentials",
            );
        }
        if missing.is_empty() {
            self.set(
                conditions::PERMISSIONS_SUFFICIENT,
                Status::True,
                reason::SUCCEEDED,
                "everything that was asked for could be read",
            );
        } else {
            let message = format!(
                "the cloud refused {}: allow it, status.coverage says what is missing",
                missing.join(", ")
            );
            self.set(
                conditions::PERMISSIONS_SUFFICIENT,
                Status::False,
                reason::PERMISSIONS_MISSING,
                message,
            );
        }
        conditions::remove(&mut self.status.conditions, conditions::STALLED);
        conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
    }

    fn failed(&mut self, account: &CloudAccount, failure: Failure) {
        let failures = self.status.failures.unwrap_or(0).saturating_add(1);
        self.status.failures = Some(failures);
        if failure.about_credentials {
            self.set(
                conditions::CREDENTIALS_VALID,
                Status::False,
                failure.reason,
                failure.message.clone(),
            );
        }
        if failure.needs_people {
            // Never sooner than the interval: a refused credential that is tried again and again locks accounts and burns quotas.
            self.status.next_collection_time = whole_seconds(self.now.saturating_add(signed(interval(account))).ok());
            self.set(conditions::READY, Status::False, failure.reason, failure.message.clone());
            self.set(conditions::STALLED, Status::True, failure.reason, failure.message);
            conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
            return;
        }
        self.status.next_collection_time = whole_seconds(self.now.saturating_add(signed(back_off(failures))).ok());
        let was_ready = conditions::is_true(&self.status.conditions, conditions::READY);
        if !was_ready || failures >= PATIENCE {
            self.set(conditions::READY, Status::False, failure.reason, failure.message.clone());
        } else {
            // Said again for the generation that was tried, so that it is not tried at once as if it were new.
            self.set(
                conditions::READY,
                Status::True,
                reason::SUCCEEDED,
                "the last collection succeeded; the newest try did not",
            );
        }
        conditions::remove(&mut self.status.conditions, conditions::STALLED);
        self.set(conditions::RECONCILING, Status::True, failure.reason, failure.message);
    }

    /// Stops for something that only people can change.
    fn stall(&mut self, failure: Failure) {
        if failure.about_credentials {
            self.set(
                conditions::CREDENTIALS_VALID,
                Status::False,
                failure.reason,
                failure.message.clone(),
            );
        }
        self.set(conditions::READY, Status::False, failure.reason, failure.message.clone());
        self.set(conditions::STALLED, Status::True, failure.reason, failure.message);
        conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
        self.status.next_collection_time = None;
    }

    /// Whether to collect now, and when to look again.
    fn next(&mut self, next: &Next<'_>) -> (bool, Option<Duration>) {
        let spec = &next.account.spec;
        let unsupported = supported::account(spec);
        if !unsupported.is_empty() {
            self.stall(Failure::people(reason::NOT_SUPPORTED, supported::message(&unsupported)));
            return (false, None);
        }
        let interval = match spec.interval.parse() {
            Ok(interval) if interval >= next.minimum_interval => interval,
            Ok(_) => {
                let message = format!(
                    "spec.interval {} is below {} s, the minimum of this operator",
                    spec.interval,
                    next.minimum_interval.as_secs()
                );
                self.stall(Failure::people(reason::INTERVAL_TOO_SHORT, message));
                return (false, None);
            }
            Err(error) => {
                self.stall(Failure::people(reason::INVALID_SPEC, format!("spec.interval: {error}")));
                return (false, None);
            }
        };
        if let Some(refused) = &next.refused {
            self.stall(refused.clone());
            return (false, None);
        }
        if spec.suspend {
            conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
            if !conditions::is_true(&self.status.conditions, conditions::READY) {
                self.set(
                    conditions::READY,
                    Status::Unknown,
                    reason::SUSPENDED,
                    "spec.suspend is true: nothing is collected",
                );
                conditions::remove(&mut self.status.conditions, conditions::STALLED);
            }
            self.status.next_collection_time = None;
            return (false, None);
        }
        if next.busy {
            return (false, None);
        }
        // A new generation is tried at once. So is a changed Secret after a failure about it.
        let ready = conditions::find(&self.status.conditions, conditions::READY);
        let tried = ready
            .filter(|ready| ready.reason != reason::PENDING && ready.reason != reason::SUSPENDED)
            .and_then(|ready| ready.observed_generation);
        let stalled = conditions::is_true(&self.status.conditions, conditions::STALLED);
        let new_value = run_now(next.account).filter(|value| self.status.last_handled_run_now.as_deref() != Some(value));
        let last = self.status.last_collection.as_ref().map(|last| last.time);
        let snapshot_lost = last.is_some() && !next.stored && self.status.failures.is_none();
        let wanted = next.wanted.is_some_and(|wanted| last.is_none_or(|last| last < wanted)) && self.status.failures.is_none();
        let due = self.status.next_collection_time.is_none_or(|due| due <= self.now);
        // The interval may have been made shorter.
        let overdue = self.status.failures.is_none() && last.is_none_or(|last| until(self.now, last, interval).is_zero());
        if tried != self.generation || new_value.is_some() || snapshot_lost || wanted || due || overdue || (stalled && next.source_changed)
        {
            // What people have changed since it stalled deserves a new judgement.
            if tried != self.generation {
                conditions::remove(&mut self.status.conditions, conditions::STALLED);
            }
            if !conditions::is_true(&self.status.conditions, conditions::STALLED) {
                self.set(conditions::RECONCILING, Status::True, reason::PROGRESSING, "collecting");
            }
            return (true, None);
        }
        let due_in = self
            .status
            .next_collection_time
            .map_or(interval, |due| due.duration_since(self.now).try_into().unwrap_or(Duration::ZERO));
        let again = if stalled { due_in.min(LOOK_AGAIN) } else { due_in };
        (false, Some(again.max(Duration::from_secs(1))))
    }
}

fn until(now: Timestamp, last: Timestamp, interval: Duration) -> Duration {
    last.saturating_add(signed(interval))
        .ok()
        .and_then(|due| due.duration_since(now).try_into().ok())
        .unwrap_or(Duration::ZERO)
}

fn interval(account: &CloudAccount) -> Duration {
    account.spec.interval.parse().unwrap_or(Duration::from_hours(6))
}

/// 5 s, 10 s, 20 s, … 5 min.
fn back_off(failures: u32) -> Duration {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(u64::MAX);
    Duration::from_secs(5_u64.saturating_mul(doubled)).min(LONGEST_BACK_OFF)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn whole_seconds(time: Option<Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_second(time.as_second()).ok())
}

/// One Event for each transition.
fn notes(before: &CloudAccountStatus, after: &CloudAccountStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    let changed = |kind: &str| {
        let old = conditions::find(&before.conditions, kind);
        let new = conditions::find(&after.conditions, kind);
        let key = |condition: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>| {
            condition.map(|condition| (condition.status.clone(), condition.reason.clone()))
        };
        (key(old) != key(new)).then_some(new).flatten().cloned()
    };
    if let Some(stalled) = changed(conditions::STALLED) {
        notes.push(Note {
            warning: true,
            reason: "Stalled",
            action: "Collect",
            text: format!("{}: {}", stalled.reason, stalled.message),
        });
    } else if let Some(ready) = changed(conditions::READY) {
        match ready.status.as_str() {
            "True" => notes.push(Note {
                warning: false,
                reason: "Collected",
                action: "Collect",
                text: ready.message,
            }),
            "False" => notes.push(Note {
                warning: true,
                reason: "CollectionFailed",
                action: "Collect",
                text: format!("{}: {}", ready.reason, ready.message),
            }),
            _ => {}
        }
    }
    if let Some(permissions) = changed(conditions::PERMISSIONS_SUFFICIENT).filter(|condition| condition.status == "False") {
        notes.push(Note {
            warning: true,
            reason: reason::PERMISSIONS_MISSING,
            action: "Collect",
            text: permissions.message,
        });
    }
    notes
}
