//! Identities, resources and what they can become, over several scopes. This file is the registry of providers: snapshots in,
//! one [`Entitlements`] for each provider out.

use crate::access::{Decision, Entitlements, Question};
use crate::model::{Provider, ReasonCode, Verdict};
use crate::snapshot::Snapshot;

/// Builds the entitlements of one provider from all its snapshots, which form one organization.
type Build = fn(&[&Snapshot]) -> Box<dyn Entitlements>;

/// A provider without a line here is collected and stored, but not evaluated.
const PROVIDERS: &[(Provider, Build)] = &[(Provider::Aws, |snapshots| {
    Box::new(crate::access::aws::Organization::build(snapshots))
})];

/// Everything that was read, ready for questions.
pub struct Universe {
    members: Vec<Box<dyn Entitlements>>,
    unsupported: Vec<Provider>,
}

impl Universe {
    /// Compiles all snapshots. What cannot be used is in the coverage, not an error.
    pub fn build(snapshots: &[Snapshot]) -> Self {
        let mut members = Vec::new();
        for (provider, build) in PROVIDERS {
            let own: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| snapshot.provider == *provider).collect();
            if !own.is_empty() {
                members.push(build(&own));
            }
        }
        let known = |provider: Provider| PROVIDERS.iter().any(|(known, _)| *known == provider);
        let mut unsupported: Vec<Provider> = snapshots
            .iter()
            .map(|snapshot| snapshot.provider)
            .filter(|provider| !known(*provider))
            .collect();
        unsupported.sort_unstable();
        unsupported.dedup();
        Self { members, unsupported }
    }

    /// A universe of entitlements that were built elsewhere.
    pub fn of(members: Vec<Box<dyn Entitlements>>) -> Self {
        Self {
            members,
            unsupported: Vec::new(),
        }
    }

    /// The entitlements of every provider that was read.
    pub fn members(&self) -> impl Iterator<Item = &dyn Entitlements> {
        self.members.iter().map(AsRef::as_ref)
    }

    /// The entitlements that cover one scope.
    pub fn covering(&self, provider: Provider, scope: &str) -> Option<&dyn Entitlements> {
        self.members()
            .find(|member| member.provider() == provider && member.scopes().iter().any(|own| own == scope))
    }

    /// Providers whose snapshots cannot be evaluated yet, sorted.
    pub fn unsupported(&self) -> &[Provider] {
        &self.unsupported
    }

    /// Answers from the provider that knows the principal: the first whose answer is not "principal not found".
    pub fn decide(&self, question: &Question) -> Decision {
        let not_found = ReasonCode::new("principal-not-found");
        let mut unknown = None;
        for member in self.members() {
            let decision = member.decide(question);
            if decision.reason_code != not_found {
                return decision;
            }
            unknown = Some(decision);
        }
        unknown.unwrap_or_else(|| Decision {
            verdict: Verdict::Unknown,
            reason_code: not_found,
            reason: format!("no snapshot holds the principal '{}'", question.principal),
            layers: Vec::new(),
            residual: None,
            unread_layers: Vec::new(),
        })
    }
}
