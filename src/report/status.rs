//! The status of a report: counts, worst findings, delta, coverage, history, manifest, within [`DOCUMENT_LIMIT`] whatever the input.
//!
//! Each list has a fixed length (operator-conventions §2.4, 1), with the total beside it. Where that is not enough (long names, a
//! large manifest), lists are shortened in the order of [`SHORTENERS`], and `truncation.statusShortened` names them. The
//! manifest is never shortened: it is bounded by [`MAX_BUCKETS`](super::MAX_BUCKETS).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::bounds::{DOCUMENT_LIMIT, count, cut, stored_json_length};
use super::chunk::hex;
use super::pack::Entry;
use super::plan::{ReportInput, RuleText};
use super::{ReportError, canonical};
use crate::model::{
    Counts, CoverageEntry, CoverageSummary, Delta, Finding, FindingState, Manifest, NotEvaluated, ReportDocument, RuleCount, RunRecord,
    SnapshotRef, Truncation, WorstFinding,
};

/// Lengths of the lists.
const WORST: usize = 20;
const RULES: usize = 50;
const CATEGORIES: usize = 20;
const KINDS: usize = 20;
const DELTA_IDS: usize = 100;
const COVERAGE: usize = 30;
const NOT_EVALUATED: usize = 50;
const PERMISSIONS: usize = 20;
const EXEMPTIONS: usize = 50;
const SNAPSHOTS: usize = 20;

/// Lengths of texts in characters: native ids and names, then sentences.
const NAME: usize = 256;
const SHORT: usize = 128;
const SENTENCE: usize = 512;

/// A list of the status: its name in `statusShortened`, the lengths to try, and how it is cut.
type Shortener = (&'static str, &'static [usize], fn(&mut ReportDocument, usize));

/// Lists in the order in which they are shortened: what other places hold too goes first (the store's run records, the chunks),
/// what only the status says goes last.
const SHORTENERS: &[Shortener] = &[
    ("history.snapshots", &[4, 1, 0], |document, length| {
        document.history.iter_mut().for_each(|record| record.snapshots.truncate(length))
    }),
    ("history.exemptions", &[10, 0], |document, length| {
        document.history.iter_mut().for_each(|record| record.exemptions.truncate(length))
    }),
    ("delta.ids", &[50, 20, 0], |document, length| {
        document.delta.new_ids.truncate(length);
        document.delta.resolved_ids.truncate(length);
    }),
    ("coverage.entries", &[15, 5], entries_to),
    ("coverage.notEvaluated", &[20, 5], not_evaluated_to),
    ("history", &[10, 5, 1], history_to),
    ("worst", &[10, 5], worst_to),
    ("coverage.entries", &[0], entries_to),
    ("coverage.notEvaluated", &[0], not_evaluated_to),
    ("coverage.missingPermissions", &[5, 0], |document, length| {
        document.coverage.missing_permissions.truncate(length)
    }),
    ("worst", &[0], worst_to),
    ("counts.byRule", &[20, 0], |document, length| {
        document.counts.by_rule.truncate(length)
    }),
    ("counts.byCategory", &[0], |document, _| document.counts.by_category.clear()),
    ("identities", &[0], |document, _| document.identities.clear()),
    ("history", &[0], history_to),
];

fn entries_to(document: &mut ReportDocument, length: usize) {
    document.coverage.entries.truncate(length);
}

fn not_evaluated_to(document: &mut ReportDocument, length: usize) {
    document.coverage.not_evaluated.truncate(length);
}

fn history_to(document: &mut ReportDocument, length: usize) {
    document.history.truncate(length);
}

fn worst_to(document: &mut ReportDocument, length: usize) {
    document.worst.truncate(length);
}

/// Builds the status of a run. `entries` are all its findings, sorted by id.
pub(super) fn document(
    previous: Option<&ReportDocument>,
    input: &ReportInput<'_>,
    entries: &[Entry<'_>],
    manifest: Manifest,
    truncation: Option<Truncation>,
) -> Result<ReportDocument, ReportError> {
    let findings: Vec<&Finding> = entries.iter().map(|entry| entry.finding).collect();
    let counts = counts(&findings, input.rules);
    let record = RunRecord {
        time: input.now,
        open: counts.open,
        new: input.delta.new,
        resolved: input.delta.resolved,
        generation: manifest.generation.clone(),
        findings_digest: digest(entries),
        engine: cut(input.engine, SHORT),
        rule_catalogue: cut(input.rule_catalogue, SHORT),
        exemptions: input.exemptions.iter().take(EXEMPTIONS).map(|name| cut(name, SHORT)).collect(),
        snapshots: snapshots(input),
        snapshots_total: count(input.snapshots.len()),
    };
    let last_successful = if input.complete {
        Some(input.now)
    } else {
        previous.and_then(|before| before.last_successful_run_time)
    };
    let document = ReportDocument {
        provider: input.provider,
        scope: cut(input.scope, NAME),
        engine: cut(input.engine, SHORT),
        rule_catalogue: cut(input.rule_catalogue, SHORT),
        last_run_time: input.now,
        last_successful_run_time: last_successful,
        next_run_time: input.next_run,
        counts,
        identities: bounded(input.identities, KINDS),
        worst: worst(&findings, input),
        delta: Delta {
            new_ids: input.delta.new_ids.iter().take(DELTA_IDS).cloned().collect(),
            resolved_ids: input.delta.resolved_ids.iter().take(DELTA_IDS).cloned().collect(),
            ..*input.delta
        },
        coverage: coverage(input),
        truncation,
        history: history(previous, record, input.settings.history),
        history_lost: input.history_lost,
        manifest,
    };
    shorten(document)
}

/// Shortens lists until the document is within its bound, and says so.
fn shorten(mut document: ReportDocument) -> Result<ReportDocument, ReportError> {
    let fits = |document: &ReportDocument| Ok::<_, ReportError>(stored_json_length(&canonical(document)?) <= DOCUMENT_LIMIT);
    for (name, lengths, apply) in SHORTENERS {
        for length in *lengths {
            if fits(&document)? {
                return Ok(document);
            }
            let before = document.clone();
            apply(&mut document, *length);
            if document == before {
                continue;
            }
            let truncation = document.truncation.get_or_insert_with(|| Truncation {
                reason: "StatusShortened".to_owned(),
                ..Truncation::default()
            });
            if !truncation.status_shortened.iter().any(|known| known == name) {
                truncation.status_shortened.push((*name).to_owned());
            }
        }
    }
    Ok(document)
}

fn counts(findings: &[&Finding], rules: &BTreeMap<String, RuleText>) -> Counts {
    let mut counts = Counts::default();
    let mut by_rule: BTreeMap<&str, u32> = BTreeMap::new();
    let mut by_category: BTreeMap<String, u32> = BTreeMap::new();
    for finding in findings {
        counts.of(finding.state).add(finding.severity);
        if finding.state == FindingState::Open {
            let category = rules.get(&finding.rule).map_or("unknown", |rule| rule.category.as_str());
            *by_rule.entry(&finding.rule).or_default() += 1;
            *by_category.entry(cut(category, SHORT)).or_default() += 1;
        }
    }
    let mut by_rule: Vec<(&str, u32)> = by_rule.into_iter().collect();
    // Most findings first; the sort is stable, so rules with as many stay sorted by id.
    by_rule.sort_by(|(_, a), (_, b)| b.cmp(a));
    counts.by_rule = by_rule
        .into_iter()
        .take(RULES)
        .map(|(rule, open)| RuleCount {
            rule: cut(rule, SHORT),
            open,
        })
        .collect();
    counts.by_category = bounded(&by_category, CATEGORIES);
    counts
}

/// Worst first: severity, then score, then the one that stands longest, then id.
fn worst(findings: &[&Finding], input: &ReportInput<'_>) -> Vec<WorstFinding> {
    let mut open: Vec<&Finding> = findings
        .iter()
        .copied()
        .filter(|finding| finding.state == FindingState::Open)
        .collect();
    let score = |finding: &Finding| finding.score.as_ref().map(|score| (score.high, score.low));
    open.sort_by(|a, b| {
        let by_severity = b.severity.cmp(&a.severity).then_with(|| score(b).cmp(&score(a)));
        by_severity
            .then_with(|| a.first_seen.cmp(&b.first_seen))
            .then_with(|| a.id.cmp(&b.id))
    });
    open.into_iter().take(WORST).map(|finding| short(finding, input)).collect()
}

fn short(finding: &Finding, input: &ReportInput<'_>) -> WorstFinding {
    let resource = finding.resource.as_ref().map(|resource| resource.id.as_str());
    let subject = finding
        .identity
        .as_ref()
        .map(|identity| identity.id.as_str())
        .or(resource)
        .unwrap_or(input.scope);
    WorstFinding {
        id: finding.id.clone(),
        rule: cut(&finding.rule, SHORT),
        severity: finding.severity,
        title: cut(input.rules.get(&finding.rule).map_or(&finding.rule, |rule| &rule.title), SHORT),
        subject: cut(subject, NAME),
        first_seen: finding.first_seen,
    }
}

fn coverage(input: &ReportInput<'_>) -> CoverageSummary {
    let entry = |entry: &CoverageEntry| CoverageEntry {
        source: cut(&entry.source, SHORT),
        entity: cut(&entry.entity, NAME),
        place: cut(&entry.place, NAME),
        reason: cut(&entry.reason, SENTENCE),
    };
    let not_evaluated = |rule: &NotEvaluated| NotEvaluated {
        rule: cut(&rule.rule, SHORT),
        scope: cut(&rule.scope, NAME),
        reason: cut(&rule.reason, SENTENCE),
    };
    CoverageSummary {
        complete: input.complete,
        entries: input.coverage.iter().take(COVERAGE).map(entry).collect(),
        total: count(input.coverage.len()),
        not_evaluated: input.not_evaluated.iter().take(NOT_EVALUATED).map(not_evaluated).collect(),
        not_evaluated_total: count(input.not_evaluated.len()),
        missing_permissions: input
            .missing_permissions
            .iter()
            .take(PERMISSIONS)
            .map(|name| cut(name, SHORT))
            .collect(),
        missing_permissions_total: count(input.missing_permissions.len()),
    }
}

/// The account's own snapshot first.
fn snapshots(input: &ReportInput<'_>) -> Vec<SnapshotRef> {
    let mut snapshots: Vec<&SnapshotRef> = input.snapshots.iter().collect();
    snapshots.sort_by_key(|snapshot| {
        (
            (snapshot.provider, snapshot.scope.as_str()) != (input.provider, input.scope),
            *snapshot,
        )
    });
    let bounded = |snapshot: &SnapshotRef| SnapshotRef {
        provider: snapshot.provider,
        scope: cut(&snapshot.scope, NAME),
        entitlements_digest: cut(&snapshot.entitlements_digest, SHORT),
        usage_digest: cut(&snapshot.usage_digest, SHORT),
    };
    snapshots.into_iter().take(SNAPSHOTS).map(bounded).collect()
}

/// SHA-256 of the findings as JSON Lines, sorted by id: the digest of the file that the store keeps.
fn digest(entries: &[Entry<'_>]) -> String {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(entry.text.as_bytes());
        hash.update(b"\n");
    }
    hex(&hash.finalize())
}

/// Newest first. Every run adds a record, an unchanged one too: it proves that the audit ran. A run that is written again
/// (after a crash between write and acknowledgement) replaces its own record.
fn history(previous: Option<&ReportDocument>, record: RunRecord, limit: usize) -> Vec<RunRecord> {
    let before = previous.map(|document| document.history.as_slice()).unwrap_or_default();
    let time = record.time;
    let earlier = before.iter().filter(|earlier| earlier.time != time).cloned();
    std::iter::once(record).chain(earlier).take(limit).collect()
}

fn bounded(counts: &BTreeMap<String, u32>, limit: usize) -> BTreeMap<String, u32> {
    counts.iter().take(limit).map(|(name, count)| (cut(name, SHORT), *count)).collect()
}
