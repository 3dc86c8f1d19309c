use super::*;
use crate::model::{Evidence, EvidenceClass, Remediation, Severity};

fn finding(number: u32, state: FindingState) -> Finding {
    Finding {
        id: FindingId(format!("{number:032x}")),
        rule: if number.is_multiple_of(2) {
            "EVEN".to_owned()
        } else {
            "ODD".to_owned()
        },
        severity: Severity::High,
        score: None,
        identity: None,
        resource: None,
        discriminator: String::new(),
        evidence: Evidence {
            class: EvidenceClass::Configuration,
            source: "roles".to_owned(),
            summary: String::new(),
            statements: Vec::new(),
            truncated: false,
        },
        conditions: None,
        remediation: Remediation {
            kind: "review".to_owned(),
            summary: String::new(),
            artefacts: BTreeMap::new(),
        },
        references: Vec::new(),
        first_seen: jiff::Timestamp::UNIX_EPOCH,
        state,
        exemption: None,
    }
}

fn run(findings: &[(u32, FindingState)]) -> Vec<Finding> {
    findings.iter().map(|(number, state)| finding(*number, *state)).collect()
}

use FindingState::{Exempted, Open, Unverified};

/// (new, resolved, withdrawn, unchanged) between two runs, with all rules selected.
fn between(before: &[(u32, FindingState)], now: &[(u32, FindingState)]) -> (usize, usize, usize, u32) {
    let (before, now) = (run(before), run(now));
    let changes = Changes::between(&before, &now, |_| true);
    (
        changes.new.len(),
        changes.resolved.len(),
        changes.withdrawn.len(),
        changes.unchanged,
    )
}

#[test]
fn a_finding_is_known_by_its_id_and_an_exemption_solves_nothing() {
    assert_eq!(between(&[], &[(1, Open), (2, Exempted)]), (2, 0, 0, 0), "the first run finds all");
    assert_eq!(between(&[(1, Open)], &[(1, Open)]), (0, 0, 0, 1));
    assert_eq!(between(&[(1, Open)], &[]), (0, 1, 0, 0));
    assert_eq!(between(&[(1, Open)], &[(1, Exempted)]), (0, 0, 0, 1), "exempted is not resolved");
    assert_eq!(
        between(&[(1, Exempted)], &[(1, Open)]),
        (0, 0, 0, 1),
        "the end of an exemption is nothing new"
    );
    assert_eq!(between(&[(1, Exempted)], &[]), (0, 1, 0, 0), "an exempted problem can be fixed");
}

#[test]
fn an_unverified_finding_is_neither_new_resolved_nor_unchanged() {
    assert_eq!(between(&[(1, Open)], &[(1, Unverified)]), (0, 0, 0, 0));
    assert_eq!(between(&[(1, Unverified)], &[(1, Unverified)]), (0, 0, 0, 0));
    assert_eq!(between(&[], &[(1, Unverified)]), (0, 0, 0, 0));
    assert_eq!(between(&[(1, Unverified)], &[(1, Open)]), (0, 0, 0, 1), "seen again");
    assert_eq!(between(&[(1, Unverified)], &[]), (0, 1, 0, 0), "read again, and gone");
}

#[test]
fn a_rule_that_is_no_longer_selected_resolves_nothing() {
    let (before, now) = (run(&[(1, Open), (2, Open), (4, Open)]), run(&[]));
    let changes = Changes::between(&before, &now, |rule| rule == "ODD");
    assert_eq!((changes.resolved.len(), changes.withdrawn.len()), (1, 2));
    let delta = changes.delta();
    assert_eq!((delta.resolved, delta.withdrawn), (1, 2));
}

#[test]
fn a_delta_names_the_first_hundred_ids_in_order_and_counts_all() {
    let many: Vec<Finding> = (0..250).rev().map(|number| finding(number, Open)).collect();
    let delta = Changes::between([], &many, |_| true).delta();
    assert_eq!((delta.new, delta.new_ids.len(), delta.resolved_ids.len()), (250, 100, 0));
    assert!(delta.new_ids.is_sorted());
    assert_eq!(delta.new_ids[99], FindingId(format!("{:032x}", 99)));
    let gone = Changes::between(&many, [], |_| true);
    assert_eq!((gone.delta().resolved, gone.delta().resolved_ids.len()), (250, 100));
    assert_eq!(gone.resolved_by_severity().high, 250);
    assert_eq!(gone.new_by_severity().total(), 0);
}
