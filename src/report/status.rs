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
use super::plan::ReportInput;
use super::{ReportError, canonical};
use crate::catalogue::Catalogue;
use crate::model::{
    Counts, CoverageEntry, CoverageSummary, Delta, Finding, FindingState, Manifest, NotEvaluated, ReportDocument, RuleCount, RunRecord,
    SeverityCounts, SnapshotRef, Truncation, WorstFinding,
};

/// Lengths of the lists.
const WORST: usize = 20;
const RULES: usize = 50;
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

/// The record of a run, whole. `entries` are all its findings, sorted by id.
pub(super) fn record(input: &ReportInput<'_>, entries: &[Entry<'_>], manifest: &Manifest) -> RunRecord {
    let mut open = SeverityCounts::default();
    for entry in entries.iter().filter(|entry| entry.finding.state == FindingState::Open) {
        open.add(entry.finding.severity);
    }
    let mut snapshots = input.snapshots.to_vec();
    // The account's own first.
    snapshots.sort_by(|a, b| {
        let foreign = |snapshot: &SnapshotRef| (snapshot.provider, snapshot.scope.as_str()) != (input.provider, input.scope);
        foreign(a).cmp(&foreign(b)).then_with(|| a.cmp(b))
    });
    RunRecord {
        time: input.now,
        open,
        new: input.delta.new,
        resolved: input.delta.resolved,
        generation: manifest.generation.clone(),
        findings_digest: digest(entries),
        engine: input.engine.to_owned(),
        rule_catalogue: input.catalogue.version().to_owned(),
        exemptions: input.outcome.exemptions.active.clone(),
        snapshots_total: count(snapshots.len()),
        snapshots,
    }
}

/// Builds the status of a run. `findings` are all it found, sorted by id.
pub(super) fn document(
    previous: Option<&ReportDocument>,
    input: &ReportInput<'_>,
    findings: &[&Finding],
    record: &RunRecord,
    manifest: Manifest,
    truncation: Option<Truncation>,
) -> Result<ReportDocument, ReportError> {
    let last_successful = if input.complete {
        Some(input.now)
    } else {
        previous.and_then(|before| before.last_successful_run_time)
    };
    shorten(ReportDocument {
        provider: input.provider,
        scope: cut(input.scope, NAME),
        engine: cut(input.engine, SHORT),
        rule_catalogue: cut(input.catalogue.version(), SHORT),
        last_run_time: input.now,
        last_successful_run_time: last_successful,
        next_run_time: input.next_run,
        counts: counts(findings, input.catalogue),
        identities: input
            .outcome
            .identities
            .iter()
            .take(KINDS)
            .map(|(kind, count)| (cut(kind, SHORT), *count))
            .collect(),
        worst: worst(findings, input),
        delta: Delta {
            new_ids: input.delta.new_ids.iter().take(DELTA_IDS).cloned().collect(),
            resolved_ids: input.delta.resolved_ids.iter().take(DELTA_IDS).cloned().collect(),
            ..*input.delta
        },
        coverage: coverage(input),
        truncation,
        history: history(previous, bounded(record), input.settings.history.limit),
        history_lost: input.history_lost,
        manifest,
    })
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

fn counts(findings: &[&Finding], catalogue: &Catalogue) -> Counts {
    let mut counts = Counts::default();
    let mut by_rule: BTreeMap<&str, u32> = BTreeMap::new();
    for finding in findings {
        counts.of(finding.state).add(finding.severity);
        if finding.state == FindingState::Open {
            *by_rule.entry(&finding.rule).or_default() += 1;
            let category = catalogue.rule(&finding.rule).map_or("unknown", |rule| rule.step.as_str());
            *counts.by_category.entry(category.to_owned()).or_default() += 1;
        }
    }
    let mut by_rule: Vec<(&str, u32)> = by_rule.into_iter().collect();
    // Most findings first; the sort is stable, so rules with as many stay sorted by id.
    by_rule.sort_by_key(|(_, open)| std::cmp::Reverse(*open));
    counts.by_rule = by_rule
        .into_iter()
        .take(RULES)
        .map(|(rule, open)| RuleCount {
            rule: cut(rule, SHORT),
            open,
        })
        .collect();
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
        title: cut(input.catalogue.rule(&finding.rule).map_or(&finding.rule, |rule| &rule.title), SHORT),
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
        entries: input.outcome.coverage.iter().take(COVERAGE).map(entry).collect(),
        total: count(input.outcome.coverage.len()),
        not_evaluated: input.outcome.not_evaluated.iter().take(NOT_EVALUATED).map(not_evaluated).collect(),
        not_evaluated_total: count(input.outcome.not_evaluated.len()),
        missing_permissions: input
            .missing_permissions
            .iter()
            .take(PERMISSIONS)
            .map(|name| cut(name, SHORT))
            .collect(),
        missing_permissions_total: count(input.missing_permissions.len()),
    }
}

/// A record as the history holds it.
fn bounded(record: &RunRecord) -> RunRecord {
    let snapshot = |snapshot: &SnapshotRef| SnapshotRef {
        provider: snapshot.provider,
        scope: cut(&snapshot.scope, NAME),
        entitlements_digest: cut(&snapshot.entitlements_digest, SHORT),
        usage_digest: cut(&snapshot.usage_digest, SHORT),
    };
    RunRecord {
        engine: cut(&record.engine, SHORT),
        rule_catalogue: cut(&record.rule_catalogue, SHORT),
        exemptions: record.exemptions.iter().take(EXEMPTIONS).map(|name| cut(name, SHORT)).collect(),
        snapshots: record.snapshots.iter().take(SNAPSHOTS).map(snapshot).collect(),
        ..record.clone()
    }
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
fn history(previous: Option<&ReportDocument>, record: RunRecord, limit: u32) -> Vec<RunRecord> {
    let time = record.time;
    let before = previous.map(|document| document.history.as_slice()).unwrap_or_default();
    let earlier = before.iter().filter(|earlier| earlier.time != time).cloned();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    std::iter::once(record).chain(earlier).take(limit).collect()
}
