//! Findings that are accepted for a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::glob;
use crate::access::{Entitlements, Identity, Resource};
use crate::model::{AuditPolicySpec, Exemption, Finding, FindingState, IdentitySelector, ResourceSelector};

/// How long before its end an exemption counts as expiring: two weeks, so that a weekly review sees it once before.
const NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The exemptions of a policy that concern one account, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionNames {
    /// In force.
    pub active: Vec<String>,
    /// In force, and ending within 14 days; they are in `active` too.
    pub expiring: Vec<String>,
    /// Run out: what they excused is open again.
    pub expired: Vec<String>,
}

/// The exemptions of a policy, ready to be matched.
pub struct Exemptions<'a> {
    /// In force, by name.
    active: Vec<&'a Exemption>,
    names: ExemptionNames,
    /// By native id; empty where no exemption asks for resources.
    resources: BTreeMap<String, Resource>,
}

impl<'a> Exemptions<'a> {
    /// Reads the exemptions that concern one account. One is in force while `now` is before its end.
    pub fn read(policy: &'a AuditPolicySpec, scope: &str, now: Timestamp, entitlements: Option<&dyn Entitlements>) -> Self {
        let mut own: Vec<&Exemption> = policy
            .exemptions
            .iter()
            .filter(|exemption| exemption.accounts.is_empty() || exemption.accounts.iter().any(|account| account == scope))
            .collect();
        own.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut names = ExemptionNames::default();
        let mut active = Vec::new();
        for exemption in own {
            if exemption.is_expired(now) {
                names.expired.push(exemption.name.clone());
                continue;
            }
            if exemption.expires_at.duration_since(now) <= NOTICE {
                names.expiring.push(exemption.name.clone());
            }
            names.active.push(exemption.name.clone());
            active.push(exemption);
        }
        let wanted = active.iter().any(|exemption| exemption.resource.is_some());
        let resources = entitlements.filter(|_| wanted).into_iter().flat_map(Entitlements::resources);
        let resources = resources.map(|resource| (resource.key.id.clone(), resource)).collect();
        Self { active, names, resources }
    }

    /// Their names.
    pub fn into_names(self) -> ExemptionNames {
        self.names
    }

    /// Puts a finding that an exemption in force fits into the state `Exempted`; of several the first by name.
    pub fn apply(&self, finding: &mut Finding, identity: Option<&Identity>) {
        if let Some(exemption) = self.active.iter().find(|exemption| self.fits(exemption, finding, identity)) {
            finding.state = FindingState::Exempted;
            finding.exemption = Some(exemption.name.clone());
        }
    }

    fn fits(&self, exemption: &Exemption, finding: &Finding, identity: Option<&Identity>) -> bool {
        let resource = finding.resource.as_ref().and_then(|resource| self.resources.get(&resource.id));
        exemption.rules.iter().any(|pattern| glob::matches(pattern, &finding.rule))
            && exemption
                .identity
                .as_ref()
                .is_none_or(|selector| identity.is_some_and(|identity| selects(selector, identity)))
            && exemption
                .resource
                .as_ref()
                .is_none_or(|selector| resource.is_some_and(|resource| selects_resource(selector, resource)))
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, text))
}

/// Whether a selector fits an identity. No identity that is read here is one of another issuer, so `federated` fits none of them.
pub fn selects(selector: &IdentitySelector, identity: &Identity) -> bool {
    (selector.kinds.is_empty() || selector.kinds.contains(&identity.key.kind))
        && any(&selector.names, &identity.key.name)
        && any(&selector.ids, &identity.key.id)
        && any(&selector.paths, &identity.path)
        && selector.labels.as_ref().is_none_or(|labels| labels.matches(&identity.tags))
        && selector.federated.is_none()
}

/// Whether a selector fits a resource. Its short name is what stands behind the last `/` or `:` of its id.
fn selects_resource(selector: &ResourceSelector, resource: &Resource) -> bool {
    let name = resource.key.id.rsplit(['/', ':']).next().unwrap_or_default();
    any(&selector.types, &resource.kind)
        && any(&selector.names, name)
        && any(&selector.ids, &resource.key.id)
        && selector.labels.as_ref().is_none_or(|labels| labels.matches(&resource.tags))
}
