//! What to write for one report: the plan is a value, the operator carries it out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bounds::{Bounds, COMPRESS_ABOVE, count};
use super::chunk::Chunk;
use super::pack::{Entry, Packed, pack};
use super::{ReportError, canonical, status};
use crate::model::{CoverageEntry, Delta, Finding, FindingState, NotEvaluated, Provider, ReportDocument, Severity, SnapshotRef};

/// `AuditPolicy.spec.report`, with what the operator's flags add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// Findings below go into no chunk; the counts stay whole.
    pub min_severity: Severity,
    /// Findings of other states go into no chunk; the counts stay whole.
    pub include: Vec<FindingState>,
    /// How many run records the status keeps.
    pub history: usize,
    /// Above so many bytes of JSON the chunks are gzip; 0: always. Never more than [`TOTAL_LIMIT`](super::TOTAL_LIMIT), for
    /// compressing loses nothing and so comes before everything that does.
    pub compress_above: usize,
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self {
            min_severity: Severity::Info,
            include: vec![FindingState::Open, FindingState::Exempted, FindingState::Unverified],
            history: 10,
            compress_above: COMPRESS_ABOVE,
        }
    }
}

impl ReportSettings {
    fn selects(&self, finding: &Finding) -> bool {
        finding.severity >= self.min_severity && self.include.contains(&finding.state)
    }
}

/// What a report says of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleText {
    /// Its title.
    pub title: String,
    /// `inventory`, `map`, `excess` or `change`.
    pub category: String,
}

/// The outcome of one run for one account, as far as its report needs it.
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
    /// Version of the rule catalogue.
    pub rule_catalogue: &'a str,
    /// Texts of the rules by id.
    pub rules: &'a BTreeMap<String, RuleText>,
    /// Start of the run.
    pub now: Timestamp,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// The run read and understood everything that its rules need.
    pub complete: bool,
    /// Everything the run found, in any order.
    pub findings: &'a [Finding],
    /// What changed against the run before.
    pub delta: &'a Delta,
    /// Identities of the account by kind.
    pub identities: &'a BTreeMap<String, u32>,
    /// What was not read or could not be used.
    pub coverage: &'a [CoverageEntry],
    /// Rules that did not run.
    pub not_evaluated: &'a [NotEvaluated],
    /// Read permissions that the collector lacks.
    pub missing_permissions: &'a [String],
    /// Names of the exemptions in force.
    pub exemptions: &'a [String],
    /// The snapshots that were evaluated.
    pub snapshots: &'a [SnapshotRef],
    /// Earlier findings were lost, so that `firstSeen` starts again.
    pub history_lost: bool,
    /// What goes into chunks, and how.
    pub settings: &'a ReportSettings,
}

/// What to write: chunks that are not there yet first, then the document, then the chunks that it does not name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPlan {
    /// The status, but its conditions.
    pub document: ReportDocument,
    /// All chunks of the generation, sorted by name.
    pub chunks: Vec<Chunk>,
    /// The previous report names the same chunks: none is to be written.
    pub unchanged: bool,
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
    let entries = entries(input.findings)?;
    let selected: Vec<&Entry<'_>> = entries.iter().filter(|entry| input.settings.selects(entry.finding)).collect();
    let before = previous.map(|document| &document.manifest);
    let Packed {
        mut manifest,
        chunks,
        truncation,
    } = pack(input.report, &selected, before, input.settings.compress_above, bounds)?;
    manifest.filtered = count(entries.len() - selected.len());
    let unchanged = before.is_some_and(|before| before.chunks == manifest.chunks);
    let document = status::document(previous, input, &entries, manifest, truncation)?;
    Ok(ReportPlan {
        document,
        chunks,
        unchanged,
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
