//! The real writer past each limit, step by step (operator-conventions §2.4, 6).

use proptest::prelude::*;

use super::*;
use crate::model::{ChunkEncoding, Truncation};
use crate::report::degrade::Step;

/// Text that gains nothing from gzip and base64: letters of base64 by a linear congruential generator that the seed starts.
fn noise(seed: &str, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = id(seed)
        .0
        .bytes()
        .fold(0, |state: u64, digit| state.rotate_left(5) ^ u64::from(digit));
    let mut text = String::with_capacity(length + 10);
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend((0..8).map(|letter| char::from(LETTERS[usize::from((state >> (56 - 6 * letter)).to_le_bytes()[0] % 64)])));
    }
    text.truncate(length);
    text
}

/// A finding with so many bytes of statements, artefacts and summary that do not compress.
fn heavy(name: &str, number: u32, statement: usize, summary: usize) -> Finding {
    let mut finding = finding(name, number);
    finding.evidence.statements[0].policy = noise(&format!("statement {name} {number}"), statement);
    finding.evidence.summary = noise(&format!("summary {name} {number}"), summary);
    finding
}

fn truncation(plan: &ReportPlan) -> &Truncation {
    plan.document.truncation.as_ref().expect("a truncation")
}

#[test]
fn a_large_identity_alone_loses_its_evidence_first() {
    // 100 findings × 10 KB of statements in one role; 50 other roles stay whole.
    let mut findings: Vec<Finding> = (0..100).map(|number| heavy("large", number, 10_000, 100)).collect();
    let others = account(50, 2);
    findings.extend(others.clone());
    let plan = first(&findings);
    assert_bounds(&plan);
    assert_eq!(truncation(&plan).reason, "EvidenceDropped");
    assert_eq!(truncation(&plan).evidence_dropped, 100);
    assert_eq!(truncation(&plan).findings_dropped.total(), 0);
    let held = read(&plan);
    assert_eq!(held.len(), 200);
    for held in held {
        let large = held.identity == Some(role("large"));
        assert_eq!(held.evidence.truncated, large);
        assert_eq!(held.evidence.statements.is_empty(), large);
        assert!(large || others.contains(&held));
    }
}

#[test]
fn gzip_comes_before_anything_is_dropped() {
    // 1,500 findings of one role: 900 KB of JSON, no chunk's worth as gzip.
    let findings: Vec<Finding> = (0..1_500).map(|number| finding("large", number)).chain(account(10, 1)).collect();
    let plan = first(&findings);
    assert_bounds(&plan);
    assert_eq!(plan.document.truncation, None);
    assert!(plan.chunks.iter().any(|chunk| chunk.encoding == ChunkEncoding::Gzip));
    assert_eq!(plan.document.manifest.encoding, ChunkEncoding::Json);
    assert_eq!(read(&plan), sorted(findings));
}

#[test]
fn then_info_and_low_go_then_all_but_the_worst_of_each_rule_then_all() {
    // Each case: summaries that no earlier step shrinks. Severities go round by five, so two fifths are Info or Low.
    let cases: [(u32, usize, &str); 3] = [
        (100, 220, "LowSeverityDropped"), // 100 of them are more than the 24 KB of a chunk, 60 are not
        (100, 2_000, "CappedPerRule"),    // 60 are more, one for each of 7 rules is not
        (14, 60_000, "SummaryOnly"),      // one is more
    ];
    for (count, length, reason) in cases {
        let findings: Vec<Finding> = (0..count)
            .map(|number| heavy("large", number, 10, length))
            .chain(account(5, 1))
            .collect();
        let plan = Given::new(findings.clone()).plan_within(&SMALL, None);
        assert_within(&SMALL, &plan);
        let truncation = truncation(&plan);
        assert_eq!(truncation.reason, reason);
        // The others are not touched, the counts are whole, and each finding that is gone is counted by its severity.
        let held = read(&plan);
        let own: Vec<&Finding> = held.iter().filter(|finding| finding.identity == Some(role("large"))).collect();
        assert_eq!(held.len() - own.len(), 5);
        assert_eq!(plan.document.counts.open.total(), count + 5);
        assert_eq!(truncation.findings_dropped.total() as usize, count as usize - own.len());
        assert_eq!(truncation.findings_dropped.info, count / 5);
        assert_eq!(
            truncation.steps.values().sum::<u32>(),
            truncation.findings_dropped.total() + truncation.evidence_dropped
        );
        assert!(
            own.iter()
                .all(|finding| finding.severity >= Severity::Medium && finding.evidence.truncated)
        );
        match reason {
            "LowSeverityDropped" => assert_eq!(own.len(), 60),
            "CappedPerRule" => {
                let rules: std::collections::BTreeSet<&str> = own.iter().map(|finding| finding.rule.as_str()).collect();
                assert_eq!(rules.len(), 7, "each rule keeps its worst");
                let kept = |rule: &str| {
                    own.iter()
                        .filter(|finding| finding.rule == rule)
                        .map(|finding| finding.severity)
                        .min()
                };
                let dropped = |rule: &str| {
                    let gone = |finding: &&Finding| finding.rule == rule && !own.iter().any(|own| own.id == finding.id);
                    findings
                        .iter()
                        .filter(|finding| finding.identity == Some(role("large")))
                        .filter(gone)
                        .map(|finding| finding.severity)
                        .max()
                };
                assert!(rules.iter().all(|rule| kept(rule) >= dropped(rule)), "the worst stay");
            }
            _ => assert!(own.is_empty()),
        }
    }
}

#[test]
fn remediation_artefacts_go_with_the_evidence() {
    let mut findings: Vec<Finding> = (0..100).map(|number| finding("large", number)).collect();
    for (number, finding) in findings.iter_mut().enumerate() {
        finding.evidence.statements.clear();
        finding
            .remediation
            .artefacts
            .insert("iam".to_owned(), noise(&number.to_string(), 10_000));
    }
    let plan = first(&findings);
    assert_bounds(&plan);
    assert_eq!(truncation(&plan).evidence_dropped, 100);
    assert!(
        read(&plan)
            .iter()
            .all(|finding| finding.evidence.truncated && finding.remediation.artefacts.is_empty())
    );
}

#[test]
fn the_report_as_a_whole_is_bounded_in_the_same_order() {
    // 500 roles with a finding each. Every one fits into a chunk (24 KB); together they are more than the report may take (512 KB).
    let build = |statement: usize, summary: usize| -> Vec<Finding> {
        (0..500)
            .map(|number| heavy(&format!("r{number}"), number, statement, summary))
            .collect()
    };
    let cases = [
        ((2_000, 100), "EvidenceDropped", 500),
        ((100, 900), "LowSeverityDropped", 300),
        ((100, 3_000), "CappedPerRule", 0),
    ];
    for ((statement, summary), reason, left) in cases {
        let plan = Given::new(build(statement, summary)).plan_within(&SMALL, None);
        assert_within(&SMALL, &plan);
        assert_eq!(truncation(&plan).reason, reason);
        assert_eq!(
            plan.document.manifest.encoding,
            ChunkEncoding::Gzip,
            "compressed before anything is dropped"
        );
        let held = read(&plan).len();
        assert!(held > 0 && (left == 0 || held == left), "{held} findings are left by {reason}");
        assert_eq!(truncation(&plan).findings_dropped.total() as usize, 500 - held);
        assert_eq!(plan.document.counts.open.total(), 500);
    }
}

#[test]
fn the_real_total_is_a_bound() {
    // 36 MB that do not compress.
    let findings: Vec<Finding> = (0..900).map(|number| heavy(&format!("r{number}"), number, 40_000, 10)).collect();
    let plan = first(&findings);
    assert_bounds(&plan);
    assert_eq!(truncation(&plan).reason, "EvidenceDropped");
    assert_eq!(truncation(&plan).evidence_dropped, 900);
    assert_eq!(read(&plan).len(), 900);
}

#[test]
fn a_report_that_no_step_can_save_is_a_summary() {
    // One finding for each of 100 rules, all critical: even one for each rule is too much.
    let one = |number| Finding {
        rule: format!("RULE-{number}"),
        severity: Severity::Critical,
        ..heavy(&format!("r{number}"), 0, 10, 15_000)
    };
    let plan = Given::new((0..100).map(one).collect()).plan_within(&SMALL, None);
    assert_within(&SMALL, &plan);
    assert_eq!(truncation(&plan).reason, "SummaryOnly");
    assert_eq!(truncation(&plan).findings_dropped.critical, 100);
    assert!(plan.chunks.is_empty() && plan.document.manifest.chunks.is_empty());
    assert_eq!(plan.document.counts.open.critical, 100);
    assert_eq!(plan.document.worst.len(), 20);
    assert_eq!(read(&plan), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Few or many identities, some with many findings, some findings huge: the bounds hold and every finding is accounted for.
    #[test]
    fn bounds_hold_for_any_sizes(
        roles in prop::collection::vec((1..20_u32, prop_oneof![3 => 0..500_usize, 1 => 0..30_000_usize], prop_oneof![3 => 0..300_usize, 1 => 0..30_000_usize]), 0..20),
        compress in prop_oneof![Just(0), Just(100_000), Just(usize::MAX)],
    ) {
        let findings = roles.iter().enumerate().flat_map(|(role, (count, statement, summary))| {
            (0..*count).map(move |number| heavy(&format!("r{role}"), number, *statement, *summary))
        });
        let mut given = Given::new(findings.collect());
        given.compress_above = compress;
        let plan = given.plan_within(&SMALL, None);
        assert_within(&SMALL, &plan);
        let held = read(&plan);
        // What is there is there as it was, or without its detail.
        for held in &held {
            let own = given.outcome.findings.iter().find(|finding| finding.id == held.id).expect("a finding of the input");
            prop_assert!(held == own || *held == crate::report::degrade::lean(own));
        }
        let again = given.plan_within(&SMALL, Some(&plan.document));
        prop_assert!(again.unchanged);
        prop_assert_eq!(again.document, plan.document);
    }
}

#[test]
fn a_bucket_that_the_hash_overfills_is_degraded_alone() {
    // Four identities of one bucket even among the most buckets: each fits, together they do not.
    let bucket_of = |name: &str| {
        let mut previous = first(&[]).document;
        previous.manifest.buckets = crate::report::MAX_BUCKETS;
        Given::new(vec![finding(name, 0)]).plan(Some(&previous)).chunks[0].reference.bucket
    };
    let names: Vec<String> = (0..)
        .map(|number| format!("role-{number}"))
        .filter(|name| bucket_of(name) == 0)
        .take(4)
        .collect();
    let mut findings: Vec<Finding> = names
        .iter()
        .flat_map(|name| (0..10).map(move |number| heavy(name, number, 30_000, 100)))
        .collect();
    let others = account(30, 1);
    findings.extend(others.clone());
    let plan = first(&findings);
    assert_bounds(&plan);
    assert_eq!(plan.document.manifest.buckets, crate::report::MAX_BUCKETS);
    assert_eq!(
        (truncation(&plan).reason.as_str(), truncation(&plan).evidence_dropped),
        ("EvidenceDropped", 40)
    );
    let held = read(&plan);
    assert!(others.iter().all(|other| held.contains(other)));
    assert_eq!(held.len(), findings.len());
}

#[test]
fn steps_are_ordered() {
    assert!(Step::ORDER.is_sorted());
}

#[test]
fn a_degraded_report_is_stable_too() {
    let findings: Vec<Finding> = (0..100)
        .map(|number| heavy("large", number, 10, 20_000))
        .chain(account(500, 2))
        .collect();
    let before = first(&findings);
    let given = Given::new(findings);
    let again = given.plan(Some(&before.document));
    assert!(again.unchanged);
    assert_eq!(again.chunks, before.chunks);
}
