use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::catalogue::Catalogue;
use crate::model::{AuditPolicySpec, Finding, FindingState, Provider, ReportDocument};
use crate::report::{AuditDocument, Format, JoinError, ReportPlan, StoredChunk, Style, canonical, join};
use crate::snapshot::{self, Section, SectionStatus, Snapshot};
use crate::store::{AccountKey, Name, Store};
use jiff::{SignedDuration, Timestamp};

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";

fn at(hour: i64) -> Timestamp {
    "2026-11-24T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour)
}

fn policy(spec: &Value) -> AuditPolicySpec {
    let mut whole = json!({"accountSelector": {}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

/// An account with roles that may do everything.
fn account(id: &str, admins: &[&str]) -> Snapshot {
    let everything = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let role = |name: &&str| {
        json!({
            "Arn": format!("arn:aws:iam::{id}:role/{name}"), "RoleName": name, "RoleId": format!("AROA{name}"), "Path": "/",
            "AssumeRolePolicyDocument": trust, "RolePolicyList": [{"PolicyName": "wide", "PolicyDocument": everything}],
            "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": [],
        })
    };
    let file = json!({
        "AccountId": id, "UserDetailList": [], "GroupDetailList": [], "Policies": [], "resources": [],
        "RoleDetailList": admins.iter().map(role).collect::<Vec<_>>(),
    });
    snapshot::read(file.to_string().as_bytes(), "test.json").unwrap().remove(0)
}

fn unread(mut snapshot: Snapshot, section: &str) -> Snapshot {
    let own = snapshot.sections.get_mut(section).unwrap();
    *own = Section::unread(own.source.clone(), SectionStatus::Denied, "AccessDenied", own.kind);
    own.missing_permissions = vec!["iam:GetAccountAuthorizationDetails".to_owned()];
    snapshot
}

/// A store and what an operator would do with it: the report as last written, with its chunks.
struct Cluster {
    directory: TempDir,
    store: Store,
    catalogue: Catalogue,
    policy: AuditPolicySpec,
    report: Option<ReportPlan>,
}

impl Cluster {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        Self {
            directory,
            store,
            catalogue: Catalogue::load().unwrap(),
            policy: policy(&json!({})),
            report: None,
        }
    }

    fn request(&self, snapshots: &[Snapshot], hour: i64) -> RunRequest {
        let put = |snapshot: &Snapshot| {
            self.store
                .put_snapshots(
                    &AccountKey::new("team", &format!("a{}", snapshot.scope)).unwrap(),
                    std::slice::from_ref(snapshot),
                )
                .unwrap()
        };
        RunRequest {
            schema: SCHEMA.to_owned(),
            engine: ENGINE.to_owned(),
            account: AccountRef {
                namespace: "team".to_owned(),
                name: format!("a{OWN}"),
                uid: "uid-of-account".to_owned(),
                accounts: vec![Account {
                    provider: Provider::Aws,
                    scope: OWN.to_owned(),
                }],
                spec: None,
            },
            policy: PolicyRef {
                name: "baseline".to_owned(),
                uid: "uid-of-policy".to_owned(),
                spec: self.policy.clone(),
            },
            report: "baseline-production".to_owned(),
            previous: self.report.as_ref().map(|report| Box::new(report.document.clone())),
            snapshots: snapshots.iter().map(put).collect(),
            now: at(hour),
            next_run: Some(at(hour + 6)),
            compress_above: None,
        }
    }

    fn attempt(&self, snapshots: &[Snapshot], hour: i64) -> Result<RunResult, RunError> {
        run(&self.store, &self.catalogue, &self.request(snapshots, hour), None)
    }

    /// A run whose report is written.
    fn run(&mut self, snapshots: &[Snapshot], hour: i64) -> RunResult {
        let result = self.attempt(snapshots, hour).unwrap();
        self.report = Some(result.plan.clone());
        result
    }

    fn document(&self) -> &ReportDocument {
        &self.report.as_ref().unwrap().document
    }

    fn findings(&self) -> Vec<Finding> {
        let report = self.report.as_ref().unwrap();
        joined(report).unwrap()
    }

    fn lose_the_store(&self) {
        fs::remove_dir_all(self.directory.path().join(format!("store/team/a{OWN}/policies"))).unwrap();
    }
}

fn joined(plan: &ReportPlan) -> Result<Vec<Finding>, JoinError> {
    join(
        "baseline-production",
        &plan.document.manifest,
        plan.chunks.iter().map(StoredChunk::from),
    )
}

fn names(findings: &[Finding]) -> Vec<(String, String)> {
    let name = |finding: &Finding| (finding.rule.clone(), finding.identity.as_ref().unwrap().name.clone());
    findings.iter().map(name).filter(|(rule, _)| rule == "AWS-EXC-01").collect()
}

#[test]
fn a_second_run_changes_nothing_and_a_third_finds_what_is_new_and_resolved() {
    let mut cluster = Cluster::new();
    let first = cluster.run(&[account(OWN, &["deploy", "build"])], 0);
    assert!(!first.plan.unchanged);
    assert_eq!(names(&cluster.findings()).len(), 2);
    assert_eq!(first.plan.document.delta.new as usize, cluster.findings().len());
    assert_eq!(first.new.total(), first.plan.document.delta.new);

    let chunks = first.plan.chunks;
    let second = cluster.run(&[account(OWN, &["deploy", "build"])], 6);
    assert!(second.plan.unchanged);
    assert_eq!(second.plan.chunks, chunks);
    assert_eq!((second.plan.document.delta.new, second.plan.document.delta.resolved), (0, 0));
    assert_eq!(cluster.document().history.len(), 2);
    assert_eq!(cluster.document().last_successful_run_time, Some(at(6)));

    let third = cluster.run(&[account(OWN, &["deploy", "other"])], 12);
    assert!(!third.plan.unchanged);
    let found = cluster.findings();
    assert!(found.iter().all(|finding| finding.first_seen
        == if finding.identity.as_ref().unwrap().name == "other" {
            at(12)
        } else {
            at(0)
        }));
    assert_eq!(third.new.critical, 1);
    assert_eq!(third.resolved.critical, 1);
}

/// The contract of `ciem audit`: with the same snapshots, policy, time and previous findings it finds the same, byte for byte.
#[test]
fn the_operator_and_the_command_line_find_the_same_bytes() {
    let mut cluster = Cluster::new();
    let mut previous: Option<AuditDocument> = None;
    for (hour, admins) in [
        (0, vec!["deploy", "build"]),
        (6, vec!["deploy", "build"]),
        (12, vec!["build", "other"]),
    ] {
        let snapshots = [account(OWN, &admins), account(OTHER, &["deploy"])];
        cluster.run(&snapshots, hour);
        let from_file = previous.as_ref().map(|document| {
            let text = document.render(Format::Json, Style::default()).unwrap();
            AuditDocument::parse(text.as_bytes()).unwrap().findings
        });
        let inputs = Inputs {
            snapshots: &snapshots,
            policy: &cluster.policy,
            catalogue: &cluster.catalogue,
            previous: from_file.as_deref(),
            now: at(hour),
        };
        let document = execute(&inputs, &[]).document();
        let text = document.render(Format::Json, Style::default()).unwrap();
        let own: Vec<&Finding> = document
            .findings
            .iter()
            .filter(|finding| finding.identity.as_ref().unwrap().scope == OWN)
            .collect();
        let operator = cluster.findings();
        assert_eq!(operator.iter().collect::<Vec<_>>(), own);
        for finding in &operator {
            let line = canonical(finding).unwrap();
            assert!(text.contains(&line));
            assert!(
                cluster
                    .report
                    .as_ref()
                    .unwrap()
                    .chunks
                    .iter()
                    .any(|chunk| chunk.data.contains(&line))
            );
        }
        assert_eq!(document.delta.is_some(), hour > 0);
        assert_eq!(document.snapshots.len(), 2);
        previous = Some(document);
    }
    let delta = previous.unwrap().delta.unwrap();
    assert_eq!((delta.new, delta.resolved), (1, 1));
}

#[test]
fn a_file_of_other_accounts_is_no_previous_run_of_this_one() {
    let catalogue = Catalogue::load().unwrap();
    let policy = policy(&json!({}));
    let both = [account(OWN, &["deploy"]), account(OTHER, &["deploy"])];
    let inputs = Inputs {
        snapshots: &both,
        policy: &policy,
        catalogue: &catalogue,
        previous: None,
        now: at(0),
    };
    let before = execute(&inputs, &[]).document().findings;
    let inputs = Inputs {
        snapshots: &both[..1],
        previous: Some(&before),
        ..inputs
    };
    let delta = execute(&inputs, &[]).document().delta.unwrap();
    assert_eq!(
        (delta.new, delta.resolved),
        (0, 0),
        "the other account was not audited, so nothing of it is resolved"
    );
    assert!(delta.unchanged > 0);
}

#[test]
fn what_cannot_be_read_is_unverified_and_the_run_is_not_complete() {
    let mut cluster = Cluster::new();
    cluster.run(&[account(OWN, &["deploy"])], 0);
    let result = cluster.run(&[unread(account(OWN, &["deploy"]), "roles")], 6);
    let document = cluster.document();
    assert!(!document.coverage.complete);
    assert_eq!(document.last_successful_run_time, Some(at(0)));
    assert_eq!(document.last_run_time, at(6));
    assert_eq!(document.coverage.missing_permissions, ["iam:GetAccountAuthorizationDetails"]);
    assert!(document.coverage.not_evaluated_total > 0);
    assert_eq!((document.delta.new, document.delta.resolved), (0, 0));
    assert!(
        cluster
            .findings()
            .iter()
            .all(|finding| finding.state == FindingState::Unverified && finding.first_seen == at(0))
    );
    assert_eq!(result.resolved.total(), 0);
    // Read again: the same findings, as old as they were.
    cluster.run(&[account(OWN, &["deploy"])], 12);
    assert!(
        cluster
            .findings()
            .iter()
            .all(|finding| finding.state == FindingState::Open && finding.first_seen == at(0))
    );
    assert_eq!(cluster.document().delta.new, 0);
}

#[test]
fn rules_that_the_policy_excludes_make_no_run_incomplete_and_resolve_nothing() {
    let mut cluster = Cluster::new();
    cluster.run(&[account(OWN, &["deploy"])], 0);
    let before = cluster.findings().len();
    cluster.policy = policy(&json!({"rules": {"exclude": ["AWS-EXC-01"]}}));
    cluster.run(&[account(OWN, &["deploy"])], 6);
    let document = cluster.document();
    assert!(document.coverage.complete, "{:?}", document.coverage);
    assert!(document.coverage.not_evaluated.iter().any(|rule| rule.rule == "AWS-EXC-01"));
    assert_eq!((document.delta.resolved, document.delta.withdrawn), (0, 1));
    assert_eq!(cluster.findings().len(), before - 1);
    // A policy that selects nothing has not looked.
    cluster.policy = policy(&json!({"rules": {"include": ["NO-SUCH-RULE"]}}));
    cluster.run(&[account(OWN, &["deploy"])], 12);
    assert!(!cluster.document().coverage.complete);
}

#[test]
fn a_run_that_is_repeated_compares_with_what_the_report_shows() {
    let mut cluster = Cluster::new();
    cluster.run(&[account(OWN, &["deploy"])], 0);
    // The process dies between store and cluster: the report still shows the first run.
    let lost = cluster.attempt(&[account(OWN, &["deploy", "other"])], 6).unwrap();
    assert_eq!(lost.plan.document.delta.new, 1);
    let again = cluster.run(&[account(OWN, &["deploy", "other"])], 7);
    assert_eq!(
        again.plan.document.delta.new, 1,
        "the new finding is told, though the store knows it already"
    );
    assert_eq!(cluster.document().history.len(), 2);
    // The very same request gives the very same plan.
    let same = cluster.request(&[account(OWN, &["deploy", "other"])], 8);
    let plans: Vec<ReportPlan> = (0..2)
        .map(|_| run(&cluster.store, &cluster.catalogue, &same, None).unwrap().plan)
        .collect();
    assert_eq!(plans[0], plans[1]);
}

#[test]
fn a_lost_store_is_said_and_made_up_for_from_the_chunks() {
    let mut cluster = Cluster::new();
    cluster.run(&[account(OWN, &["deploy"])], 0);
    cluster.lose_the_store();
    let snapshots = [account(OWN, &["deploy", "other"])];
    assert!(matches!(cluster.attempt(&snapshots, 6), Err(RunError::HistoryLost(_))));
    let recovered = cluster.findings();
    let result = run(&cluster.store, &cluster.catalogue, &cluster.request(&snapshots, 6), Some(recovered)).unwrap();
    assert!(result.plan.document.history_lost);
    assert_eq!(result.plan.document.delta.new, 1);
    cluster.report = Some(result.plan);
    assert!(cluster.findings().iter().any(|finding| finding.first_seen == at(0)));
    // From then on the store has it again.
    assert!(!cluster.run(&snapshots, 12).plan.document.history_lost);

    // Damage is no "first run" either.
    let findings = cluster
        .directory
        .path()
        .join(format!("store/team/a{OWN}/policies/baseline/findings"));
    for file in fs::read_dir(findings).unwrap() {
        fs::write(file.unwrap().path(), b"torn").unwrap();
    }
    assert!(matches!(cluster.attempt(&snapshots, 18), Err(RunError::HistoryLost(reason)) if reason.contains("damaged")));
}

#[test]
fn the_store_has_what_the_report_shows() {
    let mut cluster = Cluster::new();
    let result = cluster.run(&[account(OWN, &["deploy"]), account(OTHER, &["deploy"])], 0);
    let key = AccountKey::new("team", &format!("a{OWN}")).unwrap();
    let policy = Name::new("baseline").unwrap();
    let kept = cluster.store.findings(&key, &policy).unwrap().unwrap();
    assert_eq!(kept.reference, result.findings);
    assert_eq!(kept.value.findings, cluster.findings());
    assert_eq!(kept.value.record.findings_digest, cluster.document().history[0].findings_digest);
    assert_eq!(kept.value.record.snapshots.len(), 2);
    assert_eq!(kept.value.record.snapshots[0].scope, OWN, "the account's own first");
    let runs = cluster.store.runs(&key, &policy).unwrap();
    assert!(runs[0].as_ref().is_ok_and(|run| run.complete && run.record == kept.value.record));
}

#[test]
fn a_missing_snapshot_of_another_account_is_coverage_and_of_the_account_itself_an_error() {
    let cluster = Cluster::new();
    let mut request = cluster.request(&[account(OWN, &["deploy"])], 0);
    request.snapshots.push("team/gone/snapshots/1.json.zst".to_owned());
    let result = run(&cluster.store, &cluster.catalogue, &request, None).unwrap();
    assert!(!result.plan.document.coverage.complete);
    assert!(
        result
            .plan
            .document
            .coverage
            .entries
            .iter()
            .any(|entry| entry.source == "store" && entry.entity.contains("gone"))
    );
    assert_eq!(result.plan.document.last_successful_run_time, None);

    request.snapshots.remove(0);
    let error = run(&cluster.store, &cluster.catalogue, &request, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the store does not hold a snapshot of AWS {OWN}: store: there is no file 'team/gone/snapshots/1.json.zst'")
    );
}

#[test]
fn a_request_of_another_version_is_refused_and_one_in_a_file_is_the_same() {
    let cluster = Cluster::new();
    let request = cluster.request(&[account(OWN, &["deploy"])], 0);
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<RunRequest>(&text).unwrap(), request);
    for other in [
        RunRequest {
            engine: "0.0.9".to_owned(),
            ..request.clone()
        },
        RunRequest {
            schema: "x".to_owned(),
            ..request.clone()
        },
    ] {
        assert!(matches!(
            run(&cluster.store, &cluster.catalogue, &other, None),
            Err(RunError::Version { .. })
        ));
    }
    let result = run(&cluster.store, &cluster.catalogue, &request, None).unwrap();
    let text = serde_json::to_string(&result).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), result);
}

/// A recorded organization that one CloudAccount stands for is one report.
#[test]
fn several_accounts_of_one_request_are_one_report() {
    let mut cluster = Cluster::new();
    let snapshots = |admins: &[&str]| [account(OWN, admins), account(OTHER, admins)];
    let request = |cluster: &Cluster, admins: &[&str], hour| {
        let mut request = cluster.request(&snapshots(admins), hour);
        request.account.accounts.push(Account {
            provider: Provider::Aws,
            scope: OTHER.to_owned(),
        });
        request
    };
    let first = run(&cluster.store, &cluster.catalogue, &request(&cluster, &["deploy"], 0), None).unwrap();
    cluster.report = Some(first.plan);
    assert_eq!(names(&cluster.findings()).len(), 2, "one in each account");
    assert_eq!(cluster.document().scope, format!("{OWN},{OTHER}"));
    assert_eq!(cluster.document().identities["Role"], 2);
    let second = run(
        &cluster.store,
        &cluster.catalogue,
        &request(&cluster, &["deploy", "other"], 6),
        None,
    )
    .unwrap();
    assert_eq!(second.new.critical, 2);
    assert_eq!(
        (second.plan.document.delta.new, second.plan.document.delta.resolved),
        (second.new.total(), 0)
    );
}
