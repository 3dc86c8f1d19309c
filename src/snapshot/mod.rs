//! The recorded state of one scope as collected: provider-native sections in canonical JSON (RFC 8785) with digests, and the
//! reading and writing of every accepted file form (design §3.4, cases-format.md).

pub mod aws;
mod canonical;
mod envelope;
mod error;
mod node;
mod read;
mod schema;

pub use canonical::sha256;
pub use envelope::write_all;
pub use error::{Place, ReadError};
pub use read::read;
pub use schema::schema;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Provider, SnapshotRef};

/// Version of the envelope.
pub const SCHEMA: &str = "ciem.dev/snapshot/v1";

/// One scope as recorded at one time. Members stand in the order of RFC 8785, so that serialising is canonical; [`read`] reads it back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// When the collection began; unknown for files that do not say it.
    pub collected_at: Option<Timestamp>,
    /// Who recorded it: `ciem 0.1.0`, or the form of the file it was read from.
    pub collector: String,
    /// Which provider.
    pub provider: Provider,
    /// [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// Account, subscription, project or cluster.
    pub scope: String,
    /// By name, e.g. `roles`. A section that is not here was never attempted.
    pub sections: BTreeMap<String, Section>,
}

/// One part of a snapshot: read, stored and replaced singly.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Section {
    /// When it was read.
    pub at: Option<Timestamp>,
    /// Canonical JSON; `null` where nothing was read.
    #[schemars(with = "serde_json::Value")]
    pub content: Box<RawValue>,
    /// SHA-256 of the content's canonical JSON, in hexadecimal.
    pub digest: String,
    /// Which of the two digests it belongs to.
    pub kind: SectionKind,
    /// Permissions that the collector lacked, sorted: with them it would have read more.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing_permissions: Vec<String>,
    /// Why it is not whole, where it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Where it comes from: an API call, or a file's member.
    pub source: String,
    /// How far it was read.
    pub status: SectionStatus,
}

/// How far a section was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SectionStatus {
    /// Whole.
    Read,
    /// In part; what is there is right.
    Partial,
    /// The provider refused.
    Denied,
    /// Not asked for.
    NotAttempted,
}

/// Which digest a section belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SectionKind {
    /// Who may do what: changes only when somebody changes something.
    Entitlements,
    /// Last use, sign-ins, credential reports.
    Usage,
}

impl Snapshot {
    /// Digest over the digests of the sections of one kind, with their names and status: equal exactly if what was read is equal.
    /// What was never asked for is not in it.
    pub fn digest(&self, kind: SectionKind) -> String {
        let attempted = |section: &Section| section.kind == kind && section.status != SectionStatus::NotAttempted;
        let lines = self
            .sections
            .iter()
            .filter(|(_, section)| attempted(section))
            .map(|(name, section)| {
                let status = match section.status {
                    SectionStatus::Read => "read",
                    SectionStatus::Partial => "partial",
                    SectionStatus::Denied => "denied",
                    SectionStatus::NotAttempted => "not attempted",
                };
                format!("{} {status} {name}\n", section.digest)
            });
        sha256(lines.collect::<String>().as_bytes())
    }

    /// Its name by digests.
    pub fn reference(&self) -> SnapshotRef {
        SnapshotRef {
            provider: self.provider,
            scope: self.scope.clone(),
            entitlements_digest: self.digest(SectionKind::Entitlements),
            usage_digest: self.digest(SectionKind::Usage),
        }
    }
}

impl Section {
    /// A section that was read whole. Fails where the content has no canonical form (a number beyond 2⁵³, a member that appears twice).
    pub fn read(
        source: impl Into<String>,
        at: Option<Timestamp>,
        kind: SectionKind,
        content: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Self::of_canonical(source, at, kind, canonical::of_text(&serde_json::to_string(content)?)?)
    }

    /// A section of which nothing was read, and why.
    pub fn unread(source: impl Into<String>, status: SectionStatus, reason: impl Into<String>, kind: SectionKind) -> Self {
        let content = RawValue::NULL.to_owned();
        Self {
            source: source.into(),
            status,
            reason: Some(reason.into()),
            missing_permissions: Vec::new(),
            at: None,
            kind,
            digest: sha256(content.get().as_bytes()),
            content,
        }
    }

    fn of_canonical(
        source: impl Into<String>,
        at: Option<Timestamp>,
        kind: SectionKind,
        content: String,
    ) -> Result<Self, serde_json::Error> {
        let digest = sha256(content.as_bytes());
        let content = RawValue::from_string(content)?;
        Ok(Self {
            source: source.into(),
            status: SectionStatus::Read,
            reason: None,
            missing_permissions: Vec::new(),
            at,
            kind,
            digest,
            content,
        })
    }
}

#[cfg(test)]
mod tests;
