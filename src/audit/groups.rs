//! Root causes that several identities share: one policy to shrink, one trusted principal to look at.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, FindingGroup, FindingId, Severity};

/// Open findings by rule and cause.
#[derive(Default)]
pub struct Groups {
    members: BTreeMap<(String, String), Members>,
}

struct Members {
    severity: Severity,
    identities: BTreeSet<String>,
    findings: BTreeSet<FindingId>,
}

impl Groups {
    /// Counts a finding under each of its causes.
    pub fn add(&mut self, finding: &Finding, causes: BTreeSet<String>) {
        for cause in causes {
            let members = self.members.entry((finding.rule.clone(), cause)).or_insert_with(|| Members {
                severity: finding.severity,
                identities: BTreeSet::new(),
                findings: BTreeSet::new(),
            });
            members.severity = members.severity.max(finding.severity);
            members
                .identities
                .extend(finding.identity.as_ref().map(|identity| identity.id.clone()));
            members.findings.insert(finding.id.clone());
        }
    }

    /// The causes of at least two identities, sorted by rule and cause.
    pub fn finish(self) -> Vec<FindingGroup> {
        let shared = self.members.into_iter().filter(|(_, members)| members.identities.len() > 1);
        shared
            .map(|((rule, cause), members)| FindingGroup {
                rule,
                cause,
                severity: members.severity,
                findings: members.findings.into_iter().collect(),
            })
            .collect()
    }
}
