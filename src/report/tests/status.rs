//! The status stays within its bound whatever the input is, and says what it left out.

use super::*;
use crate::model::{CoverageEntry, NotEvaluated, SnapshotRef};
use crate::report::{CONDITIONS_ROOM, DOCUMENT_LIMIT, STATUS_LIMIT};

/// Inputs that the plain [`Given`] has not.
struct Rest {
    outcome: AuditOutcome,
    missing_permissions: Vec<String>,
    snapshots: Vec<SnapshotRef>,
}

impl Rest {
    /// Around findings, `length` entries in every list, each text of `width` characters of which some cost six bytes in etcd.
    fn wide(findings: Vec<Finding>, length: usize, width: usize) -> Self {
        let text = |number: usize| format!("{number:06}{}", "<é&>\"x🦀".chars().cycle().take(width).collect::<String>());
        let texts = || (0..length).map(text);
        let mut outcome = Given::new(findings).outcome;
        outcome.coverage = texts()
            .map(|text| CoverageEntry {
                source: text.clone(),
                entity: text.clone(),
                place: text.clone(),
                reason: text,
            })
            .collect();
        outcome.not_evaluated = texts()
            .map(|text| NotEvaluated {
                rule: text.clone(),
                scope: text.clone(),
                reason: text,
            })
            .collect();
        outcome.exemptions.active = texts().collect();
        Self {
            outcome,
            missing_permissions: texts().collect(),
            snapshots: texts().map(|text| snapshot(&text)).collect(),
        }
    }

    fn input<'a>(&'a self, given: &'a Given) -> ReportInput<'a> {
        ReportInput {
            outcome: &self.outcome,
            missing_permissions: &self.missing_permissions,
            snapshots: &self.snapshots,
            ..given.input()
        }
    }

    fn plan(&self, given: &Given, previous: Option<&ReportDocument>) -> ReportPlan {
        plan(previous, &self.input(given)).expect("a plan")
    }
}

fn snapshot(scope: &str) -> SnapshotRef {
    SnapshotRef {
        provider: Provider::Aws,
        scope: scope.to_owned(),
        entitlements_digest: "e".repeat(64),
        usage_digest: "u".repeat(64),
    }
}

/// Conditions as large as the operator writes them: five, with messages of 1,024 bytes.
fn largest_conditions() -> String {
    let condition = format!(
        r#"{{"type":"{}","status":"Unknown","observedGeneration":9223372036854775807,"lastTransitionTime":"2026-11-25T06:00:00.000000Z","reason":"{}","message":"{}"}}"#,
        "Reconciling",
        "R".repeat(64),
        "m".repeat(1024)
    );
    format!(
        r#","observedGeneration":9223372036854775807,"conditions":[{}]"#,
        vec![condition; 5].join(",")
    )
}

#[test]
fn the_status_with_the_largest_conditions_is_below_its_bound() {
    assert!(largest_conditions().len() <= CONDITIONS_ROOM, "{}", largest_conditions().len());
    // Long names everywhere, thousands of entries, a history of 50 runs, and as many chunks as there may be.
    let long = "<&>".repeat(700);
    let findings = account(1_500, 1).into_iter().enumerate().map(|(number, mut finding)| {
        finding.rule = format!("{number}-{long}");
        let identity = finding.identity.as_mut().expect("an identity");
        identity.id = format!("{}{long}", identity.id);
        finding
    });
    let mut wide = Rest::wide(findings.collect(), 5_000, 2_000);
    wide.outcome.identities = (0..500).map(|number| (format!("{number}{long}"), number)).collect();
    let mut given = Given::new(Vec::new());
    given.settings.history.limit = 50;
    given.delta.new_ids = (0..5_000).map(|number| id(&number.to_string())).collect();
    given.delta.resolved_ids = given.delta.new_ids.clone();
    let mut previous = first(&[]).document;
    previous.manifest.buckets = crate::report::MAX_BUCKETS;
    let mut previous = Some(previous);
    for run in 0..3 {
        let input = ReportInput {
            report: &"r".repeat(253),
            now: now() + jiff::SignedDuration::from_hours(run),
            scope: &long,
            engine: &long,
            ..wide.input(&given)
        };
        let plan = plan(previous.as_ref(), &input).expect("a plan");
        assert_bounds(&plan);
        assert_eq!(plan.chunks.len(), crate::report::MAX_BUCKETS as usize);
        assert!(status_length(&plan.document) + largest_conditions().len() < STATUS_LIMIT);
        let truncation = plan.document.truncation.as_ref().expect("a truncation");
        assert_eq!(truncation.reason, "StatusShortened");
        assert!(!truncation.status_shortened.is_empty());
        // Totals stay.
        assert_eq!(plan.document.coverage.total, 5_000);
        assert_eq!(plan.document.coverage.not_evaluated_total, 5_000);
        assert_eq!(plan.document.coverage.missing_permissions_total, 5_000);
        assert_eq!(plan.document.counts.open.total(), 1_500);
        // The store's record has all.
        assert_eq!((plan.record.snapshots.len(), plan.record.exemptions.len()), (5_000, 5_000));
        previous = Some(plan.document);
    }
}

#[test]
fn lists_are_shortened_in_order_and_only_as_far_as_needed() {
    let given = Given::new(Vec::new());
    let mut seen: Vec<Vec<String>> = Vec::new();
    for width in [0, 20, 50, 100, 150, 200, 300, 400, 600] {
        let plan = Rest::wide(account(60, 2), 60, width).plan(&given, None);
        assert_bounds(&plan);
        let shortened = plan
            .document
            .truncation
            .map(|truncation| truncation.status_shortened)
            .unwrap_or_default();
        // Where something was cut, the bound was near: at most one list's step of room is left.
        seen.push(shortened);
    }
    assert_eq!(seen[0], Vec::<String>::new());
    assert!(seen.windows(2).all(|pair| pair[1].starts_with(&pair[0])), "{seen:#?}");
    let last = seen.last().expect("a run");
    assert_eq!(
        last[..3],
        ["history.snapshots", "history.exemptions", "coverage.entries"],
        "{seen:#?}"
    );
}

#[test]
fn an_ordinary_large_report_is_not_shortened() {
    // All buckets in use, full lists of usual texts, ten runs of history.
    let mut given = Given::new(account(1_500, 1));
    given.delta.new_ids = (0..100).map(|number| id(&number.to_string())).collect();
    let entry = |number: u32| CoverageEntry {
        source: "iam:GetAccountAuthorizationDetails".to_owned(),
        entity: format!("arn:aws:iam::{ACCOUNT}:role/service-{number:05}"),
        place: "inline policy deploy, statement 3, Condition".to_owned(),
        reason: "operator 'StringSomething' is unknown: the statement is treated as undecided".to_owned(),
    };
    given.outcome.coverage = (0..30).map(entry).collect();
    given.outcome.exemptions.active = vec!["legacy-deployers".to_owned()];
    let snapshots = [snapshot(ACCOUNT)];
    let mut previous = first(&[]).document;
    previous.manifest.buckets = crate::report::MAX_BUCKETS;
    for run in 0..10 {
        let now = now() + jiff::SignedDuration::from_hours(run);
        let input = ReportInput {
            snapshots: &snapshots,
            now,
            ..given.input()
        };
        previous = plan(Some(&previous), &input).expect("a plan").document;
    }
    assert_eq!(previous.manifest.chunks.len(), 128);
    assert_eq!(previous.history.len(), 10);
    assert_eq!(previous.truncation, None, "{} of {DOCUMENT_LIMIT} bytes", status_length(&previous));
}

#[test]
fn a_run_adds_one_record_and_a_repeated_run_none() {
    let given = Given::new(account(5, 2));
    let mut document = given.plan(None).document;
    assert_eq!(
        given.plan(Some(&document)).document,
        document,
        "a plan of its own document is that document"
    );
    for hour in 1..15 {
        let input = ReportInput {
            now: now() + jiff::SignedDuration::from_hours(hour),
            complete: hour < 14,
            ..given.input()
        };
        let next = plan(Some(&document), &input).expect("a plan");
        assert!(next.unchanged);
        document = next.document;
        assert_eq!(document.history.len(), usize::try_from(hour + 1).expect("small").min(10));
        assert_eq!(document.history[0].time, document.last_run_time);
        assert!(document.history.is_sorted_by(|newer, older| newer.time > older.time));
    }
    assert_eq!(document.last_run_time, at("2026-11-25T20:00:00Z"));
    assert_eq!(
        document.last_successful_run_time,
        Some(at("2026-11-25T19:00:00Z")),
        "the last run was not complete"
    );
}

#[test]
fn an_unchanged_run_differs_only_in_times_delta_and_newest_record() {
    let given = Given::new(account(50, 3));
    let before = given.plan(None).document;
    let later = ReportInput {
        now: now() + jiff::SignedDuration::from_hours(6),
        next_run: None,
        ..given.input()
    };
    let mut after = plan(Some(&before), &later).expect("a plan").document;
    assert_ne!(after, before);
    after.last_run_time = before.last_run_time;
    after.last_successful_run_time = before.last_successful_run_time;
    after.next_run_time = before.next_run_time;
    assert_eq!(after.history.remove(0).generation, before.history[0].generation);
    assert_eq!(after, before);
}

#[test]
fn the_worst_are_open_and_the_order_is_severity_score_age_id() {
    let mut findings = account(30, 1);
    for finding in &mut findings {
        finding.severity = Severity::High;
    }
    findings[7].severity = Severity::Critical;
    findings[8].score = Some(Score {
        low: 90,
        high: 95,
        factors: BTreeMap::new(),
    });
    findings[9].first_seen = at("2025-01-01T00:00:00Z");
    findings[10].severity = Severity::Critical;
    findings[10].state = FindingState::Exempted;
    let worst = first(&findings).document.worst;
    let ids: Vec<&FindingId> = worst.iter().map(|worst| &worst.id).collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(ids[..3], [&findings[7].id, &findings[8].id, &findings[9].id]);
    assert!(ids[3..].is_sorted());
    assert!(!ids.contains(&&findings[10].id));
    assert_eq!(
        worst[0].title, "AWS-EXC-00",
        "a rule that the catalogue does not know is called by its id"
    );
}

#[test]
fn a_report_as_written() {
    let mut given = Given::new(account(2, 3));
    given.outcome.findings[1].state = FindingState::Exempted;
    given.outcome.findings[2].state = FindingState::Unverified;
    given.delta = Delta {
        new: 1,
        unchanged: 4,
        new_ids: vec![given.outcome.findings[0].id.clone()],
        ..Delta::default()
    };
    given.outcome.coverage = vec![CoverageEntry {
        source: "credentialReport".to_owned(),
        entity: ACCOUNT.to_owned(),
        place: String::new(),
        reason: "was not read".to_owned(),
    }];
    given.outcome.not_evaluated = vec![NotEvaluated {
        rule: "AWS-EXC-09".to_owned(),
        scope: ACCOUNT.to_owned(),
        reason: "needs last-used data".to_owned(),
    }];
    given.outcome.exemptions.active = vec!["legacy".to_owned()];
    let input = ReportInput {
        missing_permissions: &["iam:GetCredentialReport".to_owned()],
        snapshots: &[snapshot("999999999999"), snapshot(ACCOUNT)],
        ..given.input()
    };
    insta::assert_json_snapshot!(plan(None, &input).expect("a plan").document);
}
