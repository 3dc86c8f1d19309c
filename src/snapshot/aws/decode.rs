//! A snapshot's sections → the typed account, with what could not be read or is doubtful in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Account, account_of_arn, section};
use crate::model::{CoverageEntry, Provider};
use crate::snapshot::{SectionStatus, Snapshot};

/// A section whose content is not what its name says: the snapshot was not written by this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("snapshot of {scope}: section '{section}' cannot be used: {reason}")]
pub struct DecodeError {
    /// The snapshot's account.
    pub scope: String,
    /// Name of the section.
    pub section: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Account {
    /// Decodes the sections that evaluation needs. The coverage lists every section that was not read whole, objects of other
    /// accounts, objects that appear twice, and members of a file that nothing used. Both are kept in the lists all the same.
    pub fn decode(snapshot: &Snapshot) -> Result<(Self, Vec<CoverageEntry>), DecodeError> {
        let decoder = Decoder { snapshot };
        if snapshot.provider != Provider::Aws {
            return Err(decoder.error("", format!("it is of {}, not of AWS", snapshot.provider.as_str())));
        }
        let mut account = Self {
            id: snapshot.scope.clone(),
            users: decoder.content(section::USERS)?,
            groups: decoder.content(section::GROUPS)?,
            roles: decoder.content(section::ROLES)?,
            policies: decoder.content(section::POLICIES)?,
            resources: decoder.content(section::RESOURCES)?,
            credentials: decoder.content(section::CREDENTIALS)?,
            service_control_policies: decoder.content(section::SERVICE_CONTROL_POLICIES)?,
            resource_control_policies: decoder.content(section::RESOURCE_CONTROL_POLICIES)?,
            organization: decoder.content(section::ORGANIZATION)?,
        };
        account.name();
        let mut coverage = decoder.unread();
        coverage.extend(decoder.unused());
        for (name, arns) in account.arns() {
            coverage.extend(doubtful(&snapshot.scope, name, arns));
        }
        coverage.sort();
        Ok((account, coverage))
    }

    /// Names that a file leaves out are the last part of the ARN.
    fn name(&mut self) {
        fn fill(name: &mut String, arn: &str) {
            if name.is_empty() {
                arn.rsplit('/').next().unwrap_or(arn).clone_into(name);
            }
        }
        self.users
            .iter_mut()
            .flatten()
            .for_each(|user| fill(&mut user.user_name, &user.arn));
        self.groups
            .iter_mut()
            .flatten()
            .for_each(|group| fill(&mut group.group_name, &group.arn));
        self.roles
            .iter_mut()
            .flatten()
            .for_each(|role| fill(&mut role.role_name, &role.arn));
        self.policies
            .iter_mut()
            .flatten()
            .for_each(|policy| fill(&mut policy.policy_name, &policy.arn));
    }

    /// The ARNs of each list, in its order.
    fn arns(&self) -> [(&'static str, Vec<&str>); 5] {
        [
            (section::USERS, self.users.iter().flatten().map(|user| user.arn.as_str()).collect()),
            (
                section::GROUPS,
                self.groups.iter().flatten().map(|group| group.arn.as_str()).collect(),
            ),
            (section::ROLES, self.roles.iter().flatten().map(|role| role.arn.as_str()).collect()),
            (
                section::POLICIES,
                self.policies.iter().flatten().map(|policy| policy.arn.as_str()).collect(),
            ),
            (
                section::RESOURCES,
                self.resources.iter().flatten().map(|resource| resource.arn.as_str()).collect(),
            ),
        ]
    }
}

/// Objects of other accounts and objects that appear twice.
fn doubtful(scope: &str, source: &str, arns: Vec<&str>) -> Vec<CoverageEntry> {
    let mut seen = BTreeSet::new();
    let mut entries = BTreeSet::new();
    for arn in arns {
        let mut entry = |reason: String| {
            entries.insert(CoverageEntry {
                source: source.to_owned(),
                entity: arn.to_owned(),
                place: String::new(),
                reason,
            })
        };
        if !seen.insert(arn) {
            entry("appears more than once in what was read: all are kept".to_owned());
        }
        match account_of_arn(arn) {
            Some(other) if other != scope => {
                entry(format!("belongs to account {other}, not to {scope}: kept as read"));
            }
            _ => {}
        }
    }
    entries.into_iter().collect()
}

struct Decoder<'s> {
    snapshot: &'s Snapshot,
}

impl Decoder<'_> {
    /// The content of a section that was read at least in part.
    fn content<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        match self.snapshot.sections.get(name) {
            Some(section) if matches!(section.status, SectionStatus::Read | SectionStatus::Partial) => {
                serde_json::from_str(section.content.get()).map_err(|error| self.error(name, error.to_string()))
            }
            _ => Ok(None),
        }
    }

    fn unread(&self) -> Vec<CoverageEntry> {
        let sections = &self.snapshot.sections;
        let known = section::ALL
            .into_iter()
            .chain(sections.keys().map(String::as_str))
            .collect::<BTreeSet<_>>();
        known
            .into_iter()
            .filter_map(|name| {
                let (status, reason) = match sections.get(name) {
                    Some(section) => (section.status, section.reason.as_deref()),
                    None => (SectionStatus::NotAttempted, None),
                };
                let what = match status {
                    SectionStatus::Read => return None,
                    SectionStatus::Partial => "read in part",
                    SectionStatus::Denied => "not read: access was denied",
                    SectionStatus::NotAttempted => "not read",
                };
                let reason = reason.map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}"));
                Some(CoverageEntry {
                    source: name.to_owned(),
                    entity: self.snapshot.scope.clone(),
                    place: String::new(),
                    reason,
                })
            })
            .collect()
    }

    fn unused(&self) -> Vec<CoverageEntry> {
        let Some(section) = self.snapshot.sections.get(section::UNUSED) else {
            return Vec::new();
        };
        let members: BTreeMap<String, Value> = serde_json::from_str(section.content.get()).unwrap_or_default();
        members
            .into_keys()
            .map(|place| CoverageEntry {
                source: section::UNUSED.to_owned(),
                entity: self.snapshot.scope.clone(),
                place,
                reason: "not used: it is not known here, or it concerns an account that was not given".to_owned(),
            })
            .collect()
    }

    fn error(&self, section: &str, reason: String) -> DecodeError {
        DecodeError {
            scope: self.snapshot.scope.clone(),
            section: section.to_owned(),
            reason,
        }
    }
}
