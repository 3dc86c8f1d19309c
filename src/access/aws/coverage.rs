//! What was not read or could not be evaluated, by the entity that it concerns.

use std::collections::BTreeMap;

use super::document::Document;
use super::organization::Organization;
use super::statement::Role;
use crate::model::CoverageEntry;
use crate::snapshot::{SectionStatus, Snapshot};

/// Section → why it was not read whole.
#[derive(Debug, Default)]
pub struct Sections(BTreeMap<String, Result<(), String>>);

impl Sections {
    /// The states of a snapshot's sections.
    pub fn of(snapshot: &Snapshot) -> Self {
        let state = |section: &crate::snapshot::Section| {
            let why = match section.status {
                SectionStatus::Read => return Ok(()),
                SectionStatus::Partial => "read in part",
                SectionStatus::Denied => "access was denied",
                SectionStatus::NotAttempted => "not read",
            };
            Err(section
                .reason
                .as_ref()
                .map_or_else(|| why.to_owned(), |reason| format!("{why}: {reason}")))
        };
        Self(
            snapshot
                .sections
                .iter()
                .map(|(name, section)| (name.clone(), state(section)))
                .collect(),
        )
    }

    /// Whether a section was read whole.
    pub fn state(&self, section: &str) -> Result<(), String> {
        self.0.get(section).cloned().unwrap_or_else(|| Err("not read".to_owned()))
    }
}

/// Everything that could not be used.
#[derive(Debug, Default)]
pub struct Faults {
    /// From reading: sections, doubtful objects.
    pub read: Vec<CoverageEntry>,
    /// Owner's native id → what of its documents cannot be evaluated.
    entities: BTreeMap<String, Vec<CoverageEntry>>,
    /// Oddities that were evaluated all the same.
    notes: Vec<CoverageEntry>,
}

impl Faults {
    /// One fault of an entity.
    pub fn add(&mut self, source: &str, entity: &str, place: &str, reason: &str) {
        let entry = CoverageEntry {
            source: source.to_owned(),
            entity: entity.to_owned(),
            place: place.to_owned(),
            reason: reason.to_owned(),
        };
        self.entities.entry(entity.to_owned()).or_default().push(entry);
    }

    /// What of a document cannot be evaluated where it stands.
    pub fn document(&mut self, source: &str, entity: &str, policy: &str, document: &Document, role: Role) {
        for problem in document.problems(role) {
            let place = [policy, &problem.place]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            if problem.note {
                self.notes.push(CoverageEntry {
                    source: source.to_owned(),
                    entity: entity.to_owned(),
                    place,
                    reason: problem.reason,
                });
            } else {
                self.add(source, entity, &place, &problem.reason);
            }
        }
    }

    /// Sorts; the same managed policy in several accounts is one entry.
    pub fn settle(&mut self) {
        for entries in self.entities.values_mut() {
            entries.sort();
            entries.dedup();
        }
    }

    /// What concerns one entity.
    pub fn of(&self, entity: &str) -> &[CoverageEntry] {
        self.entities.get(entity).map_or(&[], Vec::as_slice)
    }
}

impl Organization {
    /// Everything, sorted.
    pub(super) fn all_coverage(&self) -> Vec<CoverageEntry> {
        let faults = &self.faults;
        let mut all: Vec<CoverageEntry> = faults
            .read
            .iter()
            .chain(faults.notes.iter())
            .chain(faults.entities.values().flatten())
            .cloned()
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// What concerns an identity: its own documents, those attached to it, those of its groups.
    pub(super) fn unusable_of(&self, identity: &str) -> Vec<CoverageEntry> {
        let Some(subject) = self.subject(identity) else { return Vec::new() };
        let mut entities: Vec<&str> = vec![&subject.arn];
        for policy in subject.policies.iter().chain(&subject.boundary) {
            entities.push(&policy.name);
            entities.extend(policy.via.as_deref());
        }
        entities.sort_unstable();
        entities.dedup();
        let mut entries: Vec<CoverageEntry> = entities.into_iter().flat_map(|entity| self.faults.of(entity)).cloned().collect();
        entries.sort();
        entries.dedup();
        entries
    }
}
