//! Bounded degradation: what is left out, in which order, and the count of it (operator-conventions §2.4, 6).
//! Nothing is left out silently: every finding ends with a [`Fate`], and [`Fates::truncation`] counts them.

use std::collections::BTreeMap;

use super::bounds::count;
use super::pack::Entry;
use crate::model::{Finding, Severity, Truncation};

/// What becomes of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// In a chunk as it is.
    Whole,
    /// In a chunk without statements and remediation artefacts.
    Lean,
    /// In no chunk, by this step.
    Dropped(Step),
}

/// One step of degradation. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Evidence detail goes: the statements, and with them the remediation's artefacts.
    EvidenceDropped,
    /// Findings of severity Info and Low go.
    LowSeverityDropped,
    /// Each rule keeps its worst findings; the highest cap comes first.
    CappedPerRule(std::cmp::Reverse<usize>),
    /// All go; the counts stay.
    SummaryOnly,
}

const fn capped(most: usize) -> Step {
    Step::CappedPerRule(std::cmp::Reverse(most))
}

impl Step {
    /// The order of the contract. Caps begin where peers' hardest limits are (1,000 results per report) and end at one example for each rule.
    pub(super) const ORDER: [Self; 10] = [
        Self::EvidenceDropped,
        Self::LowSeverityDropped,
        capped(1000),
        capped(300),
        capped(100),
        capped(30),
        capped(10),
        capped(3),
        capped(1),
        Self::SummaryOnly,
    ];

    /// The word in the report.
    const fn as_str(self) -> &'static str {
        match self {
            Self::EvidenceDropped => "EvidenceDropped",
            Self::LowSeverityDropped => "LowSeverityDropped",
            Self::CappedPerRule(_) => "CappedPerRule",
            Self::SummaryOnly => "SummaryOnly",
        }
    }
}

/// The fate of every finding, by its index.
#[derive(Debug, Clone)]
pub(super) struct Fates(Vec<Fate>);

impl Fates {
    /// Everything stays.
    pub(super) fn whole(findings: usize) -> Self {
        Self(vec![Fate::Whole; findings])
    }

    pub(super) fn of(&self, index: usize) -> Fate {
        // An index that was never given is no finding, so nothing of it is written.
        self.0.get(index).copied().unwrap_or(Fate::Dropped(Step::SummaryOnly))
    }

    fn set(&mut self, index: usize, fate: Fate) {
        if let Some(own) = self.0.get_mut(index) {
            *own = fate;
        }
    }

    /// Takes one step with some of the findings.
    pub(super) fn degrade(&mut self, step: Step, members: &[usize], entries: &[&Entry<'_>]) {
        let kept = |fates: &Self| -> Vec<(usize, &Finding)> {
            let members = members.iter().filter(|index| !matches!(fates.of(**index), Fate::Dropped(_)));
            members
                .filter_map(|index| entries.get(*index).map(|entry| (*index, entry.finding)))
                .collect()
        };
        match step {
            Step::EvidenceDropped => {
                for (index, finding) in kept(self) {
                    if !finding.evidence.statements.is_empty() || !finding.remediation.artefacts.is_empty() {
                        self.set(index, Fate::Lean);
                    }
                }
            }
            Step::LowSeverityDropped => {
                for (index, _) in kept(self).into_iter().filter(|(_, finding)| finding.severity <= Severity::Low) {
                    self.set(index, Fate::Dropped(step));
                }
            }
            Step::CappedPerRule(std::cmp::Reverse(most)) => {
                let mut rules: BTreeMap<&str, Vec<(usize, &Finding)>> = BTreeMap::new();
                for (index, finding) in kept(self) {
                    rules.entry(&finding.rule).or_default().push((index, finding));
                }
                for mut members in rules.into_values().filter(|members| members.len() > most) {
                    // Worst first, then by id: which findings stay depends on nothing but the findings.
                    members.sort_by(|(_, a), (_, b)| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
                    for (index, _) in members.into_iter().skip(most) {
                        self.set(index, Fate::Dropped(step));
                    }
                }
            }
            Step::SummaryOnly => {
                for (index, _) in kept(self) {
                    self.set(index, Fate::Dropped(step));
                }
            }
        }
    }

    /// What was left out; none where nothing was.
    pub(super) fn truncation(&self, entries: &[&Entry<'_>]) -> Option<Truncation> {
        let mut truncation = Truncation::default();
        let mut worst: Option<Step> = None;
        for (fate, entry) in self.0.iter().zip(entries) {
            let step = match fate {
                Fate::Whole => continue,
                Fate::Lean => {
                    truncation.evidence_dropped = truncation.evidence_dropped.saturating_add(1);
                    Step::EvidenceDropped
                }
                Fate::Dropped(step) => {
                    truncation.findings_dropped.add(entry.finding.severity);
                    *step
                }
            };
            let touched = truncation.steps.entry(step.as_str().to_owned()).or_default();
            *touched = touched.saturating_add(1);
            worst = worst.max(Some(step));
        }
        worst.map(|step| Truncation {
            reason: step.as_str().to_owned(),
            ..truncation
        })
    }

    /// How many of the members are in a chunk.
    pub(super) fn written(&self, members: &[usize]) -> u32 {
        count(members.iter().filter(|index| !matches!(self.of(**index), Fate::Dropped(_))).count())
    }
}

/// The finding without evidence detail.
pub(super) fn lean(finding: &Finding) -> Finding {
    let mut lean = finding.clone();
    lean.evidence.statements.clear();
    lean.evidence.truncated = true;
    lean.remediation.artefacts.clear();
    lean
}
