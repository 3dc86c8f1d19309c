//! Actions (W13): `service:Name`, case-insensitive, with `*` and `?`; `*` alone is every action, those that no catalogue knows included.

use std::collections::BTreeMap;

use super::pattern::{LONG, Pattern};
use crate::access::Breadth;

/// An action in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// `s3`
    pub service: String,
    /// `getobject`
    pub name: String,
}

/// An action with wildcards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionPattern {
    /// In lower case.
    pub service: Pattern,
    /// In lower case.
    pub name: Pattern,
}

/// The actions of one statement, indexed by service.
#[derive(Debug, Clone, Default)]
pub struct ActionSet {
    everything: bool,
    services: Vec<ServiceActions>,
    wild: Vec<ActionPattern>,
    /// As written, in order, with what each matches.
    listed: Vec<(Box<str>, ActionPattern)>,
}

#[derive(Debug, Clone, Default)]
struct ServiceActions {
    service: Box<str>,
    all: bool,
    exact: Vec<Box<str>>,
    patterns: Vec<Pattern>,
}

impl Action {
    /// Reads an action without wildcards.
    pub fn parse(text: &str) -> Option<Self> {
        let (service, name) = text.split_once(':')?;
        let plain = !service.is_empty() && !name.is_empty() && !text.contains(['*', '?']);
        plain.then(|| Self {
            service: service.trim_start().to_ascii_lowercase(),
            name: name.trim_end().to_ascii_lowercase(),
        })
    }

    /// Whether it is this action, written in lower case.
    pub fn is(&self, service: &str, name: &str) -> bool {
        self.service == service && self.name == name
    }
}

impl ActionPattern {
    /// Reads an action with or without wildcards; none where it has no service prefix and is not `*`.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        if lower == "*" {
            return Some(Self {
                service: Pattern::Anything,
                name: Pattern::Anything,
            });
        }
        let (service, name) = lower.split_once(':')?;
        if service.is_empty() || name.is_empty() {
            return None;
        }
        Some(Self {
            service: Pattern::glob(service),
            name: Pattern::glob(name),
        })
    }

    /// Every action.
    pub const fn everything() -> Self {
        Self {
            service: Pattern::Anything,
            name: Pattern::Anything,
        }
    }

    /// One action.
    pub fn exactly(action: &Action) -> Self {
        Self {
            service: Pattern::Exact(action.service.as_str().into()),
            name: Pattern::Exact(action.name.as_str().into()),
        }
    }

    /// An action inside it that no catalogue knows.
    pub fn point(&self) -> Action {
        self.point_of(LONG)
    }

    /// The same, with so many characters for each `*` of the name.
    pub fn point_of(&self, length: usize) -> Action {
        Action {
            service: self.service.point(),
            name: self.name.point_of(length),
        }
    }

    /// Whether it matches.
    pub fn matches(&self, action: &Action) -> bool {
        self.service.matches(&action.service) && self.name.matches(&action.name)
    }

    /// What both match; none where that cannot be counted out.
    pub fn intersections(&self, other: &Self) -> Option<Vec<Self>> {
        let services = self.service.intersections(&other.service)?;
        if services.is_empty() {
            return Some(Vec::new());
        }
        let names = self.name.intersections(&other.name)?;
        Some(
            services
                .iter()
                .flat_map(|service| {
                    names.iter().map(|name| Self {
                        service: service.clone(),
                        name: name.clone(),
                    })
                })
                .collect(),
        )
    }
}

impl ActionSet {
    /// Indexes the actions of a statement. `Err`: index of the first that cannot be read.
    pub fn compile(actions: &[String]) -> Result<Self, usize> {
        let mut set = Self::default();
        let mut services: BTreeMap<Box<str>, ServiceActions> = BTreeMap::new();
        for (at, text) in actions.iter().enumerate() {
            let pattern = ActionPattern::parse(text).ok_or(at)?;
            set.listed.push((text.trim().into(), pattern.clone()));
            match pattern {
                ActionPattern {
                    service: Pattern::Anything,
                    name: Pattern::Anything,
                } => set.everything = true,
                ActionPattern {
                    service: Pattern::Exact(service),
                    name,
                } => {
                    let entry = services.entry(service.clone()).or_insert_with(|| ServiceActions {
                        service,
                        ..ServiceActions::default()
                    });
                    match name {
                        Pattern::Anything => entry.all = true,
                        Pattern::Exact(name) => entry.exact.push(name),
                        other => entry.patterns.push(other),
                    }
                }
                wild => set.wild.push(wild),
            }
        }
        set.services = services.into_values().collect();
        for entry in &mut set.services {
            entry.exact.sort_unstable();
            entry.exact.dedup();
        }
        Ok(set)
    }

    /// Whether one of them matches.
    pub fn matches(&self, action: &Action) -> bool {
        if self.everything {
            return true;
        }
        let found = self
            .services
            .binary_search_by(|entry| (*entry.service).cmp(&action.service))
            .ok()
            .and_then(|at| self.services.get(at));
        let named = found.is_some_and(|entry| {
            entry.all
                || entry.exact.binary_search_by(|name| (**name).cmp(&action.name)).is_ok()
                || entry.patterns.iter().any(|pattern| pattern.matches(&action.name))
        });
        named || self.wild.iter().any(|pattern| pattern.matches(action))
    }

    /// Its patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &ActionPattern> {
        self.listed.iter().map(|(_, pattern)| pattern)
    }

    /// As written.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.listed.iter().map(|(text, _)| &**text)
    }

    /// How wide each of them is.
    pub fn breadths(&self) -> impl Iterator<Item = Breadth> {
        self.listed.iter().map(|(text, pattern)| match pattern {
            ActionPattern {
                service: Pattern::Anything,
                name: Pattern::Anything,
            } => Breadth::Everything,
            ActionPattern {
                service: Pattern::Exact(service),
                name: Pattern::Anything,
            } => Breadth::Service(service.to_string()),
            _ => Breadth::Some(text.to_string()),
        })
    }
}
