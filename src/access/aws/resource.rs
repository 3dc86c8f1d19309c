//! Resources of statements (W14): ARNs with `*`, `?` and variables; `NotResource` excludes all that it lists.

use std::sync::{Arc, OnceLock};

use super::arn::Arn;
use super::condition::{Leaf, Lookup};
use super::pattern::Pattern;
use super::variables::{Filled, Text};
use crate::access::Breadth;
use crate::access::formula::Formula;

/// The resources of one statement.
#[derive(Debug, Clone, Default)]
pub struct ResourceSet {
    everything: bool,
    entries: Vec<Entry>,
    /// Counted out when first asked for: many identities share a statement.
    breadths: OnceLock<Arc<[Breadth]>>,
}

#[derive(Debug, Clone)]
struct Entry {
    written: Box<str>,
    text: Text,
}

impl ResourceSet {
    /// Compiles the resources of a statement. `variables`: the document's version knows them (W16).
    pub fn compile(resources: &[String], variables: bool) -> Self {
        let entries: Vec<Entry> = resources
            .iter()
            .map(|text| Entry {
                written: text.trim().into(),
                text: Text::resource(text.trim(), variables),
            })
            .collect();
        Self {
            everything: entries.iter().any(|entry| &*entry.written == "*"),
            entries,
            breadths: OnceLock::new(),
        }
    }

    /// Whether one of them matches; open where that depends on a variable that is not known.
    pub fn matches(&self, resource: &str, lookup: &impl Lookup) -> Formula<Leaf> {
        if self.everything {
            return Formula::True;
        }
        let mut open = Formula::False;
        for entry in &self.entries {
            match &entry.text {
                Text::Plain(pattern) => {
                    if pattern.matches(resource) {
                        return Formula::True;
                    }
                }
                Text::Template(template) => match template.fill(|key| lookup.bound(key)) {
                    Filled::Pattern(pattern) if pattern.matches(resource) => return Formula::True,
                    Filled::Open(pattern) if pattern.matches(resource) => {
                        if let Some(key) = template.keys().find(|key| lookup.bound(key) == super::variables::Bound::Unknown) {
                            open = open.or(Formula::Is(Leaf::resource(key.clone(), resource, &template.text), true));
                        }
                    }
                    Filled::Pattern(_) | Filled::Open(_) | Filled::Nothing => {}
                },
            }
        }
        open
    }

    /// Its patterns for one request, part by part; variables that are not known are `*`.
    pub fn patterns(&self, lookup: &impl Lookup) -> Vec<Pattern> {
        let entries = self.entries.iter();
        entries
            .filter_map(|entry| match &entry.text {
                Text::Plain(pattern) => Some(pattern.clone()),
                Text::Template(template) => match template.fill(|key| lookup.bound(key)) {
                    Filled::Pattern(pattern) | Filled::Open(pattern) => Some(pattern),
                    Filled::Nothing => None,
                },
            })
            .map(Pattern::by_parts)
            .collect()
    }

    /// Its patterns, part by part, where none depends on a request.
    pub fn plain(&self) -> Option<Vec<Pattern>> {
        let plain = |entry: &Entry| match &entry.text {
            Text::Plain(pattern) => Some(pattern.clone().by_parts()),
            Text::Template(_) => None,
        };
        self.entries.iter().map(plain).collect()
    }

    /// As written.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.written)
    }

    /// How wide each of them is.
    pub fn breadths(&self) -> Arc<[Breadth]> {
        let breadths = self
            .breadths
            .get_or_init(|| self.entries.iter().map(|entry| breadth(&entry.written)).collect());
        Arc::clone(breadths)
    }
}

/// `*` and patterns of all ARNs are everything, those of all ARNs of a service are that service.
fn breadth(written: &str) -> Breadth {
    let pattern = Pattern::glob(written);
    if pattern == Pattern::Anything || pattern.contains(&Pattern::glob("arn:aws:*:*:*:*")) {
        return Breadth::Everything;
    }
    if let Some(arn) = Arn::parse(written) {
        let free = |part: &str| part.is_empty() || part == "*";
        let named = !arn.service.contains(['*', '?', '$']);
        if named && free(arn.region) && free(arn.account) && arn.resource == "*" {
            return Breadth::Service(arn.service.to_owned());
        }
    }
    Breadth::Some(written.to_owned())
}
