//! What an AuditPolicy needs next: which accounts to audit, which to collect first, which reports to remove. A pure function of what was read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::head::ReportHead;
use super::outcome::Pair;
use crate::api::conditions::{self, NewCondition, Status, reason};
use crate::api::{AuditPolicy, AuditPolicyStatus, CloudAccount, ExemptionSummary, PendingRun, RUN_NOW_ANNOTATION};
use crate::model::Exemption;
use crate::operator::account::Failure;
use crate::operator::cluster::{Note, shortened};
use crate::operator::schedule::Schedule;
use crate::operator::supported;

/// Longest message of a condition.
const MESSAGE: usize = 1024;

/// An exemption that ends within this time is listed as expiring.
const EXPIRING: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What was read before planning.
pub struct Facts<'a> {
    /// The object as the API server has it.
    pub policy: &'a AuditPolicy,
    /// The time of this pass.
    pub now: Timestamp,
    /// All CloudAccounts of the namespace.
    pub accounts: Vec<Arc<CloudAccount>>,
    /// The AuditReports of this policy (by UID).
    pub reports: Vec<Arc<ReportHead>>,
    /// Names in the policy that this version does not know.
    pub unknown_names: Vec<String>,
    /// What is known of the audits of each account of the namespace.
    pub audits: &'a (dyn Fn(&Pair) -> AuditState + Send + Sync),
}

/// What the process knows of one (policy, account).
#[derive(Debug, Clone, Default)]
pub struct AuditState {
    /// Waiting or running.
    pub busy: bool,
    /// What the last run of this process evaluated; newer than the cached report at times.
    pub last: Option<Evaluated>,
    /// The last run failed, and may be tried again at this time.
    pub failed: Option<(Failure, Timestamp)>,
}

/// What a run evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Start of the run.
    pub run: Timestamp,
    /// When its snapshot was collected.
    pub collected_at: Option<Timestamp>,
    /// Generation of the policy.
    pub generation: Option<i64>,
}

/// One audit to start.
#[derive(Debug, Clone)]
pub struct Start {
    /// The account.
    pub account: Arc<CloudAccount>,
    /// When the next run is due, for the report.
    pub next_run: Option<Timestamp>,
}

/// What to do.
#[derive(Debug)]
pub struct Plan {
    /// The whole status.
    pub status: AuditPolicyStatus,
    /// Audits to start.
    pub start: Vec<Start>,
    /// Accounts that need a collection that began at or after a time.
    pub collect: Vec<(String, Timestamp)>,
    /// Reports to delete: name and UID.
    pub prune: Vec<(String, Option<String>)>,
    /// Look again after this; none: only when something changes.
    pub again: Option<Duration>,
    /// Events to publish.
    pub notes: Vec<Note>,
}

/// Plans one pass.
pub fn plan(facts: &Facts<'_>) -> Plan {
    let policy = facts.policy;
    let before = policy.status.clone().unwrap_or_default();
    let mut pass = Pass {
        now: facts.now,
        generation: policy.metadata.generation,
        status: before.clone(),
    };
    pass.status.observed_generation = pass.generation;
    pass.status.unknown_names.clone_from(&facts.unknown_names);
    pass.status.exemptions = exemptions(policy, facts.now);

    let selected: Vec<&Arc<CloudAccount>> = facts
        .accounts
        .iter()
        .filter(|account| policy.spec.account_selector.matches(&account.name_any(), account.labels()))
        .collect();
    pass.selected(&selected);
    let prune = prune(&facts.reports, &selected);
    let mut plan = Plan {
        status: AuditPolicyStatus::default(),
        start: Vec::new(),
        collect: Vec::new(),
        prune,
        again: None,
        notes: Vec::new(),
    };
    match Pass::schedule(policy) {
        Err(failure) => pass.stall(&failure),
        Ok(_) if policy.spec.suspend => pass.suspended(),
        Ok(schedule) => pass.audits(facts, &selected, schedule.as_ref(), &mut plan),
    }
    plan.notes = notes(&before, &pass.status);
    plan.status = pass.status;
    plan
}

struct Pass {
    now: Timestamp,
    generation: Option<i64>,
    status: AuditPolicyStatus,
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

    fn selected(&mut self, selected: &[&Arc<CloudAccount>]) {
        self.status.selected_accounts = Some(u32::try_from(selected.len()).unwrap_or(u32::MAX));
        if selected.is_empty() {
            let message = "spec.accountSelector selects no CloudAccount of this namespace";
            self.set(conditions::ACCOUNTS_SELECTED, Status::False, reason::NO_ACCOUNT_SELECTED, message);
        } else {
            self.set(
                conditions::ACCOUNTS_SELECTED,
                Status::True,
                reason::SUCCEEDED,
                format!("{} selected", counted(selected.len(), "account")),
            );
        }
    }

    /// What only people can mend, else the schedule.
    fn schedule(policy: &AuditPolicy) -> Result<Option<Schedule>, Failure> {
        let unsupported = supported::policy(&policy.spec);
        if !unsupported.is_empty() {
            return Err(Failure::people(reason::NOT_SUPPORTED, supported::message(&unsupported)));
        }
        let schedule = policy.spec.schedule.as_ref().map(Schedule::parse).transpose();
        schedule.map_err(|error| Failure::people(reason::INVALID_SPEC, error.to_string()))
    }

    fn stall(&mut self, failure: &Failure) {
        self.set(conditions::READY, Status::False, failure.reason, failure.message.clone());
        self.set(conditions::STALLED, Status::True, failure.reason, failure.message.clone());
        conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
        self.status.next_run_time = None;
    }

    fn suspended(&mut self) {
        conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
        conditions::remove(&mut self.status.conditions, conditions::STALLED);
        self.set(
            conditions::READY,
            Status::Unknown,
            reason::SUSPENDED,
            "spec.suspend is true: nothing is audited",
        );
        self.status.next_run_time = None;
    }

    /// The time since which every selected account must have been collected and audited: the last tick of the schedule, or when a new
    /// run-now annotation was first seen. None: no more is asked than that each snapshot is audited once.
    fn asked_since(&mut self, policy: &AuditPolicy, schedule: Option<&Schedule>) -> Option<Timestamp> {
        let value = policy
            .annotations()
            .get(RUN_NOW_ANNOTATION)
            .filter(|value| self.status.last_handled_run_now.as_ref() != Some(*value));
        self.status.pending_run = value.map(|value| match self.status.pending_run.take() {
            Some(pending) if pending.value == *value => pending,
            _ => PendingRun {
                value: value.clone(),
                since: self.now,
            },
        });
        let tick = schedule.and_then(|schedule| schedule.last_until(self.now)).filter(|tick| {
            // A new policy waits for its first tick; a tick that was handled is over.
            let created = policy.metadata.creation_timestamp.as_ref().map(|time| time.0);
            created.is_none_or(|created| created < *tick) && self.status.last_schedule_time.is_none_or(|handled| handled < *tick)
        });
        self.status.pending_run.as_ref().map(|pending| pending.since).max(tick)
    }

    fn audits(&mut self, facts: &Facts<'_>, selected: &[&Arc<CloudAccount>], schedule: Option<&Schedule>, plan: &mut Plan) {
        let since = self.asked_since(facts.policy, schedule);
        let next_tick = schedule.and_then(|schedule| schedule.next_after(self.now));
        let mut waiting = 0_usize;
        let mut failures: Vec<(String, Failure)> = Vec::new();
        let mut unread: Vec<String> = Vec::new();
        let mut last_run: Option<Timestamp> = None;
        let mut again: Option<Timestamp> = next_tick;
        for account in selected {
            let pair = Pair::of(facts.policy, account);
            let state = (facts.audits)(&pair);
            let report = facts.reports.iter().find(|report| report.spec.account_ref.uid == pair.account.uid);
            let evaluated = newest(report.and_then(|report| evaluated(report)), state.last.clone());
            last_run = last_run.max(evaluated.as_ref().map(|evaluated| evaluated.run));
            let collected = account
                .status
                .as_ref()
                .and_then(|status| status.last_collection.as_ref())
                .map(|collection| collection.time);
            let stopped = stopped(account);
            if stopped {
                unread.push(account.name_any());
            }
            if state.busy {
                waiting += 1;
                continue;
            }
            if let Some(since) = since.filter(|since| collected.is_none_or(|collected| collected < *since) && !stopped) {
                plan.collect.push((account.name_any(), since));
                waiting += 1;
                continue;
            }
            let Some(collected) = collected else {
                waiting += usize::from(!stopped);
                continue;
            };
            let due = match (&evaluated, since, schedule) {
                (evaluated, Some(since), _) => evaluated.as_ref().is_none_or(|evaluated| evaluated.run < since) && !stopped,
                (_, None, Some(_)) => false,
                (None, None, None) => true,
                (Some(evaluated), None, None) => {
                    evaluated.generation != self.generation || evaluated.collected_at.is_none_or(|evaluated| evaluated < collected)
                }
            };
            if !due {
                continue;
            }
            if let Some((failure, retry)) = state.failed {
                failures.push((account.name_any(), failure));
                if retry > self.now {
                    again = earliest(again, Some(retry));
                    continue;
                }
            }
            waiting += 1;
            let next_run = next_tick.or_else(|| account.status.as_ref().and_then(|status| status.next_collection_time));
            plan.start.push(Start {
                account: (*account).clone(),
                next_run,
            });
        }
        self.status.last_run_time = last_run.or(self.status.last_run_time);
        self.status.next_run_time = next_tick;
        self.finish(waiting, &failures, &unread, since);
        let wait = again.map(|again| again.duration_since(self.now).try_into().unwrap_or(Duration::ZERO));
        // A second late, so that the tick has passed on every clock.
        plan.again = wait.map(|wait: Duration| wait.saturating_add(Duration::from_secs(1)));
    }

    fn finish(&mut self, waiting: usize, failures: &[(String, Failure)], unread: &[String], since: Option<Timestamp>) {
        conditions::remove(&mut self.status.conditions, conditions::STALLED);
        if waiting > 0 {
            if conditions::find(&self.status.conditions, conditions::READY).is_none_or(|ready| ready.status != "True")
                && failures.is_empty()
            {
                self.set(
                    conditions::READY,
                    Status::Unknown,
                    reason::PROGRESSING,
                    format!("waiting for {}", counted(waiting, "account")),
                );
            }
            self.set(
                conditions::RECONCILING,
                Status::True,
                reason::PROGRESSING,
                format!("waiting for {}", counted(waiting, "account")),
            );
        } else {
            conditions::remove(&mut self.status.conditions, conditions::RECONCILING);
            if let (Some(since), true) = (since, failures.is_empty()) {
                // Everything that was asked for since then is done.
                if let Some(pending) = self.status.pending_run.take() {
                    self.status.last_handled_run_now = Some(pending.value);
                }
                self.status.last_schedule_time = Some(since);
            }
        }
        if let Some((account, failure)) = failures.first() {
            let message = format!(
                "the audit of {} failed, of '{account}' because {}",
                counted(failures.len(), "account"),
                failure.message
            );
            self.set(conditions::READY, Status::False, reason::AUDIT_FAILED, message);
        } else if waiting == 0 {
            let mut message = "every snapshot of the selected accounts is audited".to_owned();
            if !unread.is_empty() {
                message = format!(
                    "{message}; {} cannot be collected now: {}",
                    counted(unread.len(), "account"),
                    unread.join(", ")
                );
            }
            if !self.status.unknown_names.is_empty() {
                message = format!("{message}; this version does not know {}", self.status.unknown_names.join(", "));
            }
            self.set(conditions::READY, Status::True, reason::SUCCEEDED, message);
        }
    }
}

/// Whether an account gives no new snapshot until somebody acts.
fn stopped(account: &CloudAccount) -> bool {
    account.spec.suspend
        || account
            .status
            .as_ref()
            .is_some_and(|status| conditions::is_true(&status.conditions, conditions::STALLED))
}

/// What the report says that was evaluated last.
fn evaluated(report: &ReportHead) -> Option<Evaluated> {
    let status = report.status.as_ref()?;
    Some(Evaluated {
        run: status.last_run_time?,
        collected_at: status.collected_at,
        generation: status.policy_generation,
    })
}

fn newest(report: Option<Evaluated>, process: Option<Evaluated>) -> Option<Evaluated> {
    match (report, process) {
        (Some(report), Some(process)) => Some(if process.run > report.run { process } else { report }),
        (report, process) => report.or(process),
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Reports whose account (by UID) is gone or no longer selected.
fn prune(reports: &[Arc<ReportHead>], selected: &[&Arc<CloudAccount>]) -> Vec<(String, Option<String>)> {
    let kept: BTreeSet<&str> = selected.iter().filter_map(|account| account.metadata.uid.as_deref()).collect();
    let gone = reports.iter().filter(|report| !kept.contains(report.spec.account_ref.uid.as_str()));
    gone.map(|report| (report.name_any(), report.metadata.uid.clone())).collect()
}

/// Exemptions in force, those that end soon, and those that are over; none where the policy has none.
fn exemptions(policy: &AuditPolicy, now: Timestamp) -> Option<ExemptionSummary> {
    let all = &policy.spec.exemptions;
    let named = |exemptions: Vec<&Exemption>| exemptions.into_iter().map(|exemption| exemption.name.clone()).collect::<Vec<_>>();
    let (expired, active): (Vec<&Exemption>, Vec<&Exemption>) = all.iter().partition(|exemption| exemption.is_expired(now));
    let soon = now.saturating_add(EXPIRING).unwrap_or(Timestamp::MAX);
    let expiring: Vec<&Exemption> = active.iter().copied().filter(|exemption| exemption.is_expired(soon)).collect();
    (!all.is_empty()).then(|| ExemptionSummary {
        active: u32::try_from(active.len()).unwrap_or(u32::MAX),
        expiring: named(expiring),
        expired: named(expired),
    })
}

/// `1 account`, `2 accounts`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// One Event for each transition.
fn notes(before: &AuditPolicyStatus, after: &AuditPolicyStatus) -> Vec<Note> {
    let key = |status: &AuditPolicyStatus, kind: &str| {
        conditions::find(&status.conditions, kind).map(|condition| (condition.status.clone(), condition.reason.clone()))
    };
    let changed = |kind: &str| {
        (key(before, kind) != key(after, kind))
            .then(|| conditions::find(&after.conditions, kind))
            .flatten()
    };
    if let Some(stalled) = changed(conditions::STALLED) {
        return vec![Note {
            warning: true,
            reason: "Stalled",
            action: "Audit",
            text: format!("{}: {}", stalled.reason, stalled.message),
        }];
    }
    match changed(conditions::READY) {
        Some(ready) if ready.status == "True" => vec![Note {
            warning: false,
            reason: "AuditSucceeded",
            action: "Audit",
            text: ready.message.clone(),
        }],
        Some(ready) if ready.status == "False" => vec![Note {
            warning: true,
            reason: "AuditFailed",
            action: "Audit",
            text: ready.message.clone(),
        }],
        _ => Vec::new(),
    }
}
