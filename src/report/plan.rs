//! What to write for one report: the plan is a value, the operator carries it out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bounds::{Bounds, count};
use super::chunk::Chunk;
use super::pack::{Entry, Packed, pack};
use super::{ReportError, canonical, status};
use crate::audit::AuditOutcome;
use crate::catalogue::Catalogue;
use crate::model::{Delta, Finding, Provider, ReportDocument, ReportSettings, RunRecord, SnapshotRef};

/// The outcome of one run for one account, as its report needs it.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// Name of the AuditReport.
    pub report: &'a str,
    /// Provider of the account.
    pub provider: Provider,
    /// The account, subscription, project or cluster.
    pub scope: &'a str,
    /// Version of ciem that evaluated.
    pub engine: &'a str,
    /// Where rules have their texts.
    pub catalogue: &'a Catalogue,
    /// What the audit said: all its findings, in any order.
    pub outcome: &'a AuditOutcome,
    /// What changed against the run before.
    pub delta: &'a Delta,
    /// The run read and understood everything that its rules need.
    pub complete: bool,
    /// Read permissions that the collector lacks.
    pub missing_permissions: &'a [String],
    /// The snapshots that were evaluated.
    pub snapshots: &'a [SnapshotRef],
    /// Start of the run.
    pub now: Timestamp,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// Earlier findings were lost, so that `firstSeen` starts again.
    pub history_lost: bool,
    /// What goes into chunks. Findings that the settings leave out are counted all the same.
    pub settings: &'a ReportSettings,
    /// Above so many bytes of JSON the chunks are gzip; 0: always. Never more than [`TOTAL_LIMIT`](super::TOTAL_LIMIT), for
    /// compressing loses nothing and so comes before everything that does. Default: [`COMPRESS_ABOVE`](super::COMPRESS_ABOVE).
    pub compress_above: usize,
}

impl ReportInput<'_> {
    fn selects(&self, finding: &Finding) -> bool {
        finding.severity >= self.settings.min_severity() && self.settings.includes(finding.state)
    }
}

/// What to write: chunks that are not there yet first, then the document, then the chunks that it does not name go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportPlan {
    /// The status, but its conditions.
    pub document: ReportDocument,
    /// All chunks of the generation, sorted by name.
    pub chunks: Vec<Chunk>,
    /// The previous report names the same chunks: none is to be written.
    pub unchanged: bool,
    /// The record of the run for the store, with all snapshots and exemptions; the history of the document has it bounded.
    pub record: RunRecord,
}

/// Plans a report. `previous` is the status as it stands, which gives the bucket count to keep and the run history.
///
/// The plan is a function of its arguments, and repeating it on its own document gives that document again. A run that found nothing new
/// gives equal chunks and a document that differs in its times, its delta and its newest history record: one status write, of which
/// etcd's compaction leaves one copy (at most [`STATUS_LIMIT`](super::STATUS_LIMIT)), however many runs there were.
pub fn plan(previous: Option<&ReportDocument>, input: &ReportInput<'_>) -> Result<ReportPlan, ReportError> {
    plan_within(&Bounds::REPORT, previous, input)
}

pub(super) fn plan_within(bounds: &Bounds, previous: Option<&ReportDocument>, input: &ReportInput<'_>) -> Result<ReportPlan, ReportError> {
    let entries = entries(&input.outcome.findings)?;
    let selected: Vec<&Entry<'_>> = entries.iter().filter(|entry| input.selects(entry.finding)).collect();
    let before = previous.map(|document| &document.manifest);
    let Packed {
        mut manifest,
        chunks,
        truncation,
    } = pack(input.report, &selected, before, input.compress_above, bounds)?;
    manifest.filtered = count(entries.len() - selected.len());
    let unchanged = before.is_some_and(|before| before.chunks == manifest.chunks);
    let findings: Vec<&Finding> = entries.iter().map(|entry| entry.finding).collect();
    let record = status::record(input, &entries, &manifest);
    let document = status::document(previous, input, &findings, &record, manifest, truncation)?;
    Ok(ReportPlan {
        document,
        chunks,
        unchanged,
        record,
    })
}

/// By id. Two findings with one id do not come out of an audit; should they, their order must not depend on the input's.
fn entries(findings: &[Finding]) -> Result<Vec<Entry<'_>>, ReportError> {
    let entry = |finding| {
        Ok(Entry {
            finding,
            text: canonical(finding)?,
        })
    };
    let mut entries = findings.iter().map(entry).collect::<Result<Vec<_>, ReportError>>()?;
    entries.sort_by(|a, b| a.finding.id.cmp(&b.finding.id).then_with(|| a.text.cmp(&b.text)));
    Ok(entries)
}
