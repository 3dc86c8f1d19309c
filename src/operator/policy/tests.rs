//! Objects in, plans out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::head::ReportHead;
use super::outcome::Pair;
use super::plan::{AuditState, Evaluated, Facts, Plan, plan};
use crate::api::conditions::{self, reason};
use crate::api::{AuditPolicy, CloudAccount};
use crate::operator::account::Failure;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn policy(spec: &Value) -> AuditPolicy {
    serde_json::from_value(json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "AuditPolicy",
        "metadata": {"name": "baseline", "namespace": "security", "uid": "p-1", "generation": 1, "creationTimestamp": "2026-02-01T00:00:00Z"},
        "spec": spec,
    }))
    .unwrap()
}

fn plain() -> AuditPolicy {
    policy(&json!({"accountSelector": {"matchLabels": {"environment": "production"}}}))
}

fn account(name: &str, collected: Option<&str>) -> Arc<CloudAccount> {
    let mut object = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount",
        "metadata": {"name": name, "namespace": "security", "uid": format!("a-{name}"), "generation": 1, "labels": {"environment": "production"}},
        "spec": {"provider": "Snapshot", "snapshot": {"type": "ConfigMapRef", "configMapRef": {"name": "x"}}},
    });
    if let Some(time) = collected {
        object["status"] = json!({
            "lastCollection": {"time": time, "duration": "1s", "digests": {"entitlements": "e", "usage": "u"}, "counts": {}, "apiCalls": 0},
        });
    }
    Arc::new(serde_json::from_value(object).unwrap())
}

fn report(account: &str, run: &str, collected_at: &str, generation: i64) -> Arc<ReportHead> {
    let head = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "AuditReport",
        "metadata": {"name": format!("baseline-{account}"), "namespace": "security", "uid": format!("r-{account}")},
        "spec": {"policyRef": {"name": "baseline", "uid": "p-1"}, "accountRef": {"name": account, "uid": format!("a-{account}")}},
        "status": {"lastRunTime": run, "collectedAt": collected_at, "policyGeneration": generation},
    });
    Arc::new(serde_json::from_value(head).unwrap())
}

struct World {
    policy: AuditPolicy,
    now: Timestamp,
    accounts: Vec<Arc<CloudAccount>>,
    reports: Vec<Arc<ReportHead>>,
    audits: HashMap<String, AuditState>,
}

impl World {
    fn new(policy: AuditPolicy, accounts: Vec<Arc<CloudAccount>>) -> Self {
        Self {
            policy,
            now: now(),
            accounts,
            reports: Vec::new(),
            audits: HashMap::new(),
        }
    }

    fn plan(&self) -> Plan {
        let audits = |pair: &Pair| self.audits.get(&pair.account.name).cloned().unwrap_or_default();
        plan(&Facts {
            policy: &self.policy,
            now: self.now,
            accounts: self.accounts.clone(),
            reports: self.reports.clone(),
            unknown_names: Vec::new(),
            audits: &audits,
        })
    }

    fn apply(&mut self, plan: &Plan) {
        self.policy.status = Some(plan.status.clone());
    }
}

fn started(plan: &Plan) -> Vec<String> {
    plan.start
        .iter()
        .map(|start| start.account.metadata.name.clone().unwrap())
        .collect()
}

fn condition(plan: &Plan, kind: &str) -> Option<(String, String)> {
    conditions::find(&plan.status.conditions, kind).map(|condition| (condition.status.clone(), condition.reason.clone()))
}

#[expect(clippy::unnecessary_wraps, reason = "to be compared with what `condition` finds")]
fn is(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

#[test]
fn every_snapshot_is_audited_once() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z")), account("b", None)]);
    let first = world.plan();
    assert_eq!(started(&first), ["a"], "b has no snapshot yet");
    assert_eq!(condition(&first, conditions::RECONCILING), is("True", reason::PROGRESSING));
    world.reports = vec![report("a", "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1)];
    world.accounts = vec![account("a", Some("2026-03-01T11:00:00Z"))];
    let second = world.plan();
    assert!(started(&second).is_empty());
    assert_eq!(condition(&second, conditions::READY), is("True", reason::SUCCEEDED));
    assert_eq!(condition(&second, conditions::RECONCILING), None);
    world.accounts = vec![account("a", Some("2026-03-01T12:00:00Z"))];
    assert_eq!(started(&world.plan()), ["a"], "a new snapshot");
}

#[test]
fn planning_twice_changes_nothing() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    world.reports = vec![report("a", "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1)];
    let first = world.plan();
    world.apply(&first);
    let second = world.plan();
    assert_eq!(first.status, second.status);
    assert!(second.notes.is_empty() && second.start.is_empty());
}

#[test]
fn an_edited_policy_is_audited_again() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    world.reports = vec![report("a", "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1)];
    world.policy.metadata.generation = Some(2);
    assert_eq!(started(&world.plan()), ["a"]);
}

#[test]
fn what_this_process_audited_counts_before_the_cache_shows_it() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    let last = Some(Evaluated {
        run: now(),
        collected_at: Some(at("2026-03-01T11:00:00Z")),
        generation: Some(1),
    });
    world.audits.insert(
        "a".into(),
        AuditState {
            last,
            ..AuditState::default()
        },
    );
    assert!(started(&world.plan()).is_empty());
}

#[test]
fn accounts_that_are_not_selected_are_left_alone_and_their_reports_removed() {
    let mut other = (*account("b", Some("2026-03-01T11:00:00Z"))).clone();
    other.metadata.labels = None;
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z")), Arc::new(other)]);
    world.reports = ["a", "b", "gone"]
        .map(|name| report(name, "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1))
        .to_vec();
    let plan = world.plan();
    let pruned: Vec<&str> = plan.prune.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(pruned, ["baseline-b", "baseline-gone"]);
    assert_eq!(plan.status.selected_accounts, Some(1));
}

#[test]
fn a_recreated_account_is_another_account() {
    let mut recreated = (*account("a", Some("2026-03-01T11:00:00Z"))).clone();
    recreated.metadata.uid = Some("a-new".into());
    let mut world = World::new(plain(), vec![Arc::new(recreated)]);
    world.reports = vec![report("a", "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1)];
    let plan = world.plan();
    assert_eq!(plan.prune.len(), 1);
    assert_eq!(started(&plan), ["a"]);
}

#[test]
fn no_account_is_said_and_is_no_failure() {
    let plan = World::new(plain(), Vec::new()).plan();
    assert_eq!(
        condition(&plan, conditions::ACCOUNTS_SELECTED),
        is("False", reason::NO_ACCOUNT_SELECTED)
    );
    assert_eq!(condition(&plan, conditions::READY), is("True", reason::SUCCEEDED));
}

#[test]
fn a_schedule_collects_first_and_then_audits_and_is_handled_once() {
    let spec = json!({"accountSelector": {}, "schedule": {"cron": "0 12 * * *"}});
    let mut world = World::new(policy(&spec), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    world.now = at("2026-03-01T12:00:01Z");
    let tick = world.plan();
    assert!(started(&tick).is_empty());
    assert_eq!(tick.collect, [("a".to_owned(), at("2026-03-01T12:00:00Z"))]);
    assert_eq!(tick.status.next_run_time, Some(at("2026-03-02T12:00:00Z")));
    world.apply(&tick);

    world.accounts = vec![account("a", Some("2026-03-01T12:00:02Z"))];
    let fresh = world.plan();
    assert_eq!(started(&fresh), ["a"]);
    assert!(fresh.collect.is_empty());

    world.reports = vec![report("a", "2026-03-01T12:00:04Z", "2026-03-01T12:00:02Z", 1)];
    let done = world.plan();
    assert!(started(&done).is_empty() && done.collect.is_empty());
    assert_eq!(done.status.last_schedule_time, Some(at("2026-03-01T12:00:00Z")));
    world.apply(&done);

    world.accounts = vec![account("a", Some("2026-03-01T18:00:00Z"))];
    world.now = at("2026-03-01T18:00:05Z");
    let between = world.plan();
    assert!(started(&between).is_empty(), "only at its times");
    assert_eq!(between.again, Some(Duration::from_secs(18 * 3600 - 5 + 1)));
}

#[test]
fn a_new_policy_waits_for_its_first_tick() {
    let mut world = World::new(
        policy(&json!({"accountSelector": {}, "schedule": {"cron": "0 12 * * *"}})),
        vec![account("a", Some("2026-03-01T11:00:00Z"))],
    );
    world.policy.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at("2026-03-01T12:30:00Z")));
    world.now = at("2026-03-01T13:00:00Z");
    let plan = world.plan();
    assert!(started(&plan).is_empty() && plan.collect.is_empty());
}

#[test]
fn run_now_collects_and_audits_once() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    world.reports = vec![report("a", "2026-03-01T11:00:05Z", "2026-03-01T11:00:00Z", 1)];
    world.policy.metadata.annotations = Some([("ciem.dev/run-now".to_owned(), "7".to_owned())].into());
    let asked = world.plan();
    assert_eq!(asked.collect, [("a".to_owned(), now())]);
    world.apply(&asked);
    world.now = now() + SignedDuration::from_secs(5);
    world.accounts = vec![account("a", Some("2026-03-01T12:00:02Z"))];
    assert_eq!(started(&world.plan()), ["a"]);
    world.reports = vec![report("a", "2026-03-01T12:00:04Z", "2026-03-01T12:00:02Z", 1)];
    let done = world.plan();
    assert_eq!(done.status.last_handled_run_now.as_deref(), Some("7"));
    assert_eq!(done.status.pending_run, None);
    world.apply(&done);
    let rest = world.plan();
    assert!(rest.collect.is_empty() && rest.start.is_empty());
}

#[test]
fn a_failed_audit_is_said_and_tried_again_later() {
    let mut world = World::new(plain(), vec![account("a", Some("2026-03-01T11:00:00Z"))]);
    let failed = Some((
        Failure::transient(reason::WRITE_FAILED, "the disk is full"),
        now() + SignedDuration::from_secs(30),
    ));
    world.audits.insert(
        "a".into(),
        AuditState {
            failed: failed.clone(),
            ..AuditState::default()
        },
    );
    let wait = world.plan();
    assert!(started(&wait).is_empty());
    assert_eq!(wait.again, Some(Duration::from_secs(31)));
    assert_eq!(condition(&wait, conditions::READY), is("False", reason::AUDIT_FAILED));
    assert!(
        conditions::find(&wait.status.conditions, conditions::READY)
            .unwrap()
            .message
            .contains("the disk is full")
    );
    world.now = now() + SignedDuration::from_secs(31);
    assert_eq!(started(&world.plan()), ["a"]);
}

#[test]
fn what_is_not_understood_stalls_by_name() {
    for (spec, reason, name) in [
        (
            json!({"accountSelector": {}, "schedule": {"cron": "99 * * * *"}}),
            reason::INVALID_SPEC,
            "99 * * * *",
        ),
        (
            json!({"accountSelector": {}, "schedule": {"cron": "0 1 * * *", "timeZone": "Mars/Base"}}),
            reason::INVALID_SPEC,
            "Mars/Base",
        ),
        (
            json!({"accountSelector": {}, "guardrails": [{"name": "g", "who": {"kinds": ["ServiceAccount"]}, "effect": "Never", "access": {"classes": ["delete-data"]}, "severity": "High"}]}),
            reason::NOT_SUPPORTED,
            "guardrails",
        ),
    ] {
        let plan = World::new(policy(&spec), vec![account("a", Some("2026-03-01T11:00:00Z"))]).plan();
        assert_eq!(condition(&plan, conditions::STALLED), is("True", reason), "{spec}");
        assert!(
            conditions::find(&plan.status.conditions, conditions::STALLED)
                .unwrap()
                .message
                .contains(name)
        );
        assert!(plan.start.is_empty() && plan.collect.is_empty());
    }
}

#[test]
fn a_suspended_policy_audits_nothing_and_keeps_its_reports() {
    let mut world = World::new(
        policy(&json!({"accountSelector": {}, "suspend": true})),
        vec![account("a", Some("2026-03-01T11:00:00Z"))],
    );
    world.reports = vec![report("a", "2026-03-01T10:00:05Z", "2026-03-01T10:00:00Z", 1)];
    let plan = world.plan();
    assert!(plan.start.is_empty() && plan.prune.is_empty());
    assert_eq!(condition(&plan, conditions::READY), is("Unknown", reason::SUSPENDED));
}
