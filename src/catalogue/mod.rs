//! Tables as data files, embedded in the binary: the rules with their texts and compliance references, and the `OpenID` Connect
//! issuers. What a rule computes is in `audit`; a rule's text lives here once and in no finding.

mod issuers;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub use issuers::{Issuer, Issuers};
pub use rule::{Facts, Parameter, ParameterValue, RemediationKind, RemediationText, Rule, Step};

/// The files, embedded: one for each provider and step.
const RULE_FILES: &[(&str, &str)] = &[
    ("rules/aws-excess.yaml", include_str!("rules/aws-excess.yaml")),
    ("rules/aws-map.yaml", include_str!("rules/aws-map.yaml")),
];
const COMMON_FILE: (&str, &str) = ("rules/catalogue.yaml", include_str!("rules/catalogue.yaml"));
const ISSUER_FILE: (&str, &str) = ("issuers.yaml", include_str!("issuers.yaml"));

/// A data file is wrong. As the files are embedded and tested, only a broken build shows it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file does not parse.
    #[error("catalogue file {file} cannot be read: {reason}")]
    Unreadable {
        /// Name of the file.
        file: &'static str,
        /// What the parser says, with the place.
        reason: String,
    },
    /// A rule says something that cannot be.
    #[error("rule {rule} in the catalogue: {reason}")]
    Rule {
        /// Rule id.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A compliance framework and the versions whose control ids are used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Framework {
    /// Its full name.
    pub title: String,
    /// The versions that references name, e.g. `v5.0`.
    pub versions: Vec<String>,
}

/// All rules and tables of this build.
#[derive(Debug, Clone)]
pub struct Catalogue {
    version: String,
    frameworks: BTreeMap<String, Framework>,
    rules: Vec<Rule>,
    issuers: Issuers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Common {
    version: String,
    frameworks: BTreeMap<String, Framework>,
    references: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<Rule>,
}

impl Catalogue {
    /// Reads and checks the embedded files.
    pub fn load() -> Result<Self, CatalogueError> {
        Self::read(COMMON_FILE, RULE_FILES, ISSUER_FILE)
    }

    fn read(
        common: (&'static str, &str),
        rule_files: &[(&'static str, &str)],
        issuers: (&'static str, &str),
    ) -> Result<Self, CatalogueError> {
        let Common {
            version,
            frameworks,
            references,
        } = parse(common)?;
        let mut rules = Vec::new();
        for file in rule_files {
            rules.extend(parse::<RuleFile>(*file)?.rules);
        }
        for rule in &mut rules {
            rule.references.extend(references.iter().cloned());
            rule.references.sort_unstable();
        }
        rules.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let catalogue = Self {
            version,
            frameworks,
            rules,
            issuers: parse(issuers)?,
        };
        catalogue.check()?;
        Ok(catalogue)
    }

    /// Version of the rules, e.g. `2026.11.1`. It changes when any rule does.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rules, sorted by id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One rule by its id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules
            .binary_search_by(|rule| rule.id.as_str().cmp(id))
            .ok()
            .and_then(|index| self.rules.get(index))
    }

    /// The compliance frameworks by name, e.g. `CIS-AWS`.
    pub fn frameworks(&self) -> &BTreeMap<String, Framework> {
        &self.frameworks
    }

    /// The `OpenID` Connect issuers.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    fn check(&self) -> Result<(), CatalogueError> {
        let mut ids = BTreeSet::new();
        for rule in &self.rules {
            let wrong = |reason: String| CatalogueError::Rule {
                rule: rule.id.clone(),
                reason,
            };
            if !ids.insert(&rule.id) {
                return Err(wrong("the id stands twice".to_owned()));
            }
            rule.check().map_err(wrong)?;
            for reference in &rule.references {
                self.check_reference(reference).map_err(wrong)?;
            }
            if let Some([twice, _]) = rule.references.array_windows().find(|[one, other]| one == other) {
                return Err(wrong(format!("the reference {twice} stands twice")));
            }
        }
        Ok(())
    }

    /// A reference is `framework/version/id`, with a framework and version that the catalogue knows.
    fn check_reference(&self, reference: &str) -> Result<(), String> {
        let mut parts = reference.splitn(3, '/');
        let (Some(name), Some(version), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("the reference '{reference}' is not framework/version/id"));
        };
        let framework = self
            .frameworks
            .get(name)
            .ok_or_else(|| format!("the reference '{reference}' names an unknown framework"))?;
        if !framework.versions.iter().any(|known| known == version) {
            return Err(format!("the reference '{reference}' names an unknown version of {name}"));
        }
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(format!("the reference '{reference}' has no usable id"));
        }
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>((file, text): (&'static str, &str)) -> Result<T, CatalogueError> {
    serde_saphyr::from_str(text).map_err(|error| CatalogueError::Unreadable {
        file,
        reason: error.to_string(),
    })
}
