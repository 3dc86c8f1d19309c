//! What the run before knew: when a finding was first seen, and findings that this run could not look for.

use super::{Key, Run};
use crate::access::Entitlements;
use crate::model::{Finding, FindingState};

impl Run<'_> {
    /// Gives findings that were there before their `firstSeen`, and keeps as `Unverified` those that are gone only because their source
    /// was not read. The rest is resolved.
    pub(super) fn carry_over(&mut self, entitlements: Option<&dyn Entitlements>) {
        for old in self.input.previous.unwrap_or_default() {
            if !Key::is_of(old, self.input.provider, self.input.scope) {
                continue;
            }
            if let Some(finding) = self.findings.get_mut(&old.id) {
                finding.first_seen = old.first_seen;
            } else if !self.is_resolved(old, entitlements) {
                let kept = Finding {
                    state: FindingState::Unverified,
                    exemption: None,
                    ..old.clone()
                };
                self.findings.insert(kept.id.clone(), kept);
            }
        }
    }

    /// Whether a finding that was not found again is known to be gone: the policy no longer asks for it, or everything that could show it
    /// was read and its identity was judged.
    fn is_resolved(&self, old: &Finding, entitlements: Option<&dyn Entitlements>) -> bool {
        let Some(selected) = self.selected.iter().find(|selected| selected.rule.id == old.rule) else {
            return true;
        };
        let Some(entitlements) = entitlements else {
            return false;
        };
        let was_read = |source: &str| entitlements.source(self.input.scope, source).is_ok();
        let identity = old.identity.as_ref().map(|identity| identity.id.as_str());
        let judged = match identity {
            Some(id) if self.present.contains(id) => !self.unjudged.contains(&(selected.rule.id.as_str(), id.to_owned())),
            // An identity that is not there is gone only if all that could hold it was read.
            _ => selected.rule.inputs.iter().all(|input| was_read(input)),
        };
        judged && was_read(&old.evidence.source)
    }
}
