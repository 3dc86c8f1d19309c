//! What differs between two runs' findings. Pure: both runs are arguments.
//!
//! A finding is known by its id. Whether it is exempted does not matter here: an exemption excuses a problem, it does not
//! solve it, so a finding that becomes exempted is unchanged, and one whose exemption ends is not new.

use std::collections::BTreeMap;

use crate::model::{Delta, Finding, FindingId, FindingState, SeverityCounts};

/// How many ids a [`Delta`] names; the counts count all (operator-conventions §2.4).
const NAMED: usize = 100;

/// What changed, with the findings themselves; each list is sorted by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// In this run only.
    pub new: Vec<&'a Finding>,
    /// In the earlier run only, though the rule still runs: fixed.
    pub resolved: Vec<&'a Finding>,
    /// In the earlier run only, because the policy no longer selects the rule.
    pub withdrawn: Vec<&'a Finding>,
    /// In both, and seen again.
    pub unchanged: u32,
}

impl<'a> Changes<'a> {
    /// Compares two runs. `selected` says whether this run's policy selects a rule (by id).
    ///
    /// A finding that is `Unverified` now counts nowhere: its source could not be read, so it is neither new, resolved nor
    /// unchanged (operator-conventions §2.4, 10).
    pub fn between(
        previous: impl IntoIterator<Item = &'a Finding>,
        current: impl IntoIterator<Item = &'a Finding>,
        selected: impl Fn(&str) -> bool,
    ) -> Self {
        let before = by_id(previous);
        let now = by_id(current);
        let mut changes = Self::default();
        for (id, finding) in &now {
            if finding.state == FindingState::Unverified {
                continue;
            }
            if before.contains_key(id) {
                changes.unchanged = changes.unchanged.saturating_add(1);
            } else {
                changes.new.push(finding);
            }
        }
        for (id, finding) in &before {
            if now.contains_key(id) {
                continue;
            }
            if selected(&finding.rule) {
                changes.resolved.push(finding);
            } else {
                changes.withdrawn.push(finding);
            }
        }
        changes
    }

    /// The bounded form for reports.
    pub fn delta(&self) -> Delta {
        let ids = |findings: &[&Finding]| findings.iter().take(NAMED).map(|finding| finding.id.clone()).collect();
        Delta {
            new: count(self.new.len()),
            resolved: count(self.resolved.len()),
            unchanged: self.unchanged,
            withdrawn: count(self.withdrawn.len()),
            new_ids: ids(&self.new),
            resolved_ids: ids(&self.resolved),
        }
    }

    /// New findings by severity, for metrics.
    pub fn new_by_severity(&self) -> SeverityCounts {
        by_severity(&self.new)
    }

    /// Resolved findings by the severity that they had, for metrics.
    pub fn resolved_by_severity(&self) -> SeverityCounts {
        by_severity(&self.resolved)
    }
}

/// One delta over several accounts.
pub fn sum<'a>(deltas: impl IntoIterator<Item = &'a Delta>) -> Delta {
    let mut sum = Delta::default();
    for delta in deltas {
        sum.new = sum.new.saturating_add(delta.new);
        sum.resolved = sum.resolved.saturating_add(delta.resolved);
        sum.unchanged = sum.unchanged.saturating_add(delta.unchanged);
        sum.withdrawn = sum.withdrawn.saturating_add(delta.withdrawn);
        sum.new_ids.extend(delta.new_ids.iter().cloned());
        sum.resolved_ids.extend(delta.resolved_ids.iter().cloned());
    }
    for ids in [&mut sum.new_ids, &mut sum.resolved_ids] {
        ids.sort_unstable();
        ids.truncate(NAMED);
    }
    sum
}

fn by_id<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> BTreeMap<&'a FindingId, &'a Finding> {
    findings.into_iter().map(|finding| (&finding.id, finding)).collect()
}

fn by_severity(findings: &[&Finding]) -> SeverityCounts {
    let mut counts = SeverityCounts::default();
    for finding in findings {
        counts.add(finding.severity);
    }
    counts
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
