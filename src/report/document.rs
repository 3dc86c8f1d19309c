//! The document of `ciem audit -o json` (command-line.md), written and read back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{CoverageEntry, Delta, Finding, FindingGroup, FindingId, NotEvaluated, SnapshotRef};

/// One audit, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditDocument {
    /// The snapshots that were evaluated, sorted.
    pub snapshots: Vec<SnapshotRef>,
    /// Version of ciem that evaluated.
    pub engine: String,
    /// The clock of the audit.
    pub now: Timestamp,
    /// What was not read or could not be used, sorted.
    pub coverage: Vec<CoverageEntry>,
    /// Rules that did not run, sorted. Never a pass.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Identities by kind.
    pub identities: BTreeMap<String, u32>,
    /// Sorted by id.
    pub findings: Vec<Finding>,
    /// Root causes with many identities; they refer to findings.
    pub groups: Vec<FindingGroup>,
    /// What changed since the previous audit; absent where none was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delta: Option<Delta>,
}

/// Why a file is no audit document, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ParseError {
    /// Line and column, byte, or member: `findings[17]`.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

impl AuditDocument {
    /// Reads what `ciem audit -o json` wrote, this version or another: unknown members are left aside, a missing or malformed one is an
    /// error that names its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        /// The lists stay raw, so that an error names the entry.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            #[serde(borrow)]
            snapshots: Vec<&'a RawValue>,
            engine: String,
            now: Timestamp,
            #[serde(borrow)]
            coverage: Vec<&'a RawValue>,
            #[serde(borrow, default)]
            not_evaluated: Vec<&'a RawValue>,
            identities: BTreeMap<String, u32>,
            #[serde(borrow)]
            findings: Vec<&'a RawValue>,
            #[serde(borrow)]
            groups: Vec<&'a RawValue>,
            #[serde(borrow, default)]
            delta: Option<&'a RawValue>,
        }
        let text = std::str::from_utf8(bytes).map_err(|error| ParseError {
            place: format!("byte {}", error.valid_up_to()),
            reason: "is not UTF-8".to_owned(),
        })?;
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|error| ParseError {
            place: format!("line {}, column {}", error.line(), error.column()),
            reason: format!("{}; an audit document is what `ciem audit -o json` writes", message(&error)),
        })?;
        let document = Self {
            snapshots: list("snapshots", &raw.snapshots)?,
            engine: raw.engine,
            now: raw.now,
            coverage: list("coverage", &raw.coverage)?,
            not_evaluated: list("notEvaluated", &raw.not_evaluated)?,
            identities: raw.identities,
            findings: list("findings", &raw.findings)?,
            groups: list("groups", &raw.groups)?,
            delta: raw.delta.map(|delta| member("delta".to_owned(), delta)).transpose()?,
        };
        document.check_ids()?;
        Ok(document)
    }

    /// Ids are what runs are joined by: each must be one, and stand once.
    fn check_ids(&self) -> Result<(), ParseError> {
        let mut seen: BTreeSet<&FindingId> = BTreeSet::new();
        for (index, finding) in self.findings.iter().enumerate() {
            let id = finding.id.0.as_str();
            let place = || format!("findings[{index}].id");
            if id.len() != 32 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(ParseError {
                    place: place(),
                    reason: format!("'{id}' is not 32 hexadecimal digits in lower case"),
                });
            }
            if !seen.insert(&finding.id) {
                return Err(ParseError {
                    place: place(),
                    reason: format!("'{id}' stands twice"),
                });
            }
        }
        Ok(())
    }
}

fn list<T: DeserializeOwned>(name: &str, raw: &[&RawValue]) -> Result<Vec<T>, ParseError> {
    raw.iter()
        .enumerate()
        .map(|(index, value)| member(format!("{name}[{index}]"), value))
        .collect()
}

fn member<T: DeserializeOwned>(place: String, raw: &RawValue) -> Result<T, ParseError> {
    serde_json::from_str(raw.get()).map_err(|error| ParseError {
        place,
        reason: message(&error),
    })
}

/// The message without the position, which counts from the start of the fragment.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or_else(|| text.clone(), |(message, _)| message.to_owned())
}
