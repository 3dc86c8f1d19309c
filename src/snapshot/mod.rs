//! The recorded state of one scope as collected: provider-native sections in canonical JSON (RFC 8785) with digests, and the
//! reading and writing of every accepted file form (design §3.4, cases-format.md).

pub mod aws;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::model::{Provider, SnapshotRef};

/// Version of the envelope.
pub const SCHEMA: &str = "ciem.dev/snapshot/v1";

/// One scope as recorded at one time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: String,
    /// Which provider.
    pub provider: Provider,
    /// Account, subscription, project or cluster.
    pub scope: String,
    /// When the collection began; unknown for files that do not say it.
    pub collected_at: Option<Timestamp>,
    /// Who recorded it: `ciem 0.1.0`, or the form of the file it was read from.
    pub collector: String,
    /// By name, e.g. `roles`. A section that is not here was never attempted.
    pub sections: BTreeMap<String, Section>,
}

/// One part of a snapshot: read, stored and replaced singly.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Where it comes from: an API call, or a file's member.
    pub source: String,
    /// How far it was read.
    pub status: SectionStatus,
    /// Why it is not whole, where it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When it was read.
    pub at: Option<Timestamp>,
    /// Which of the two digests it belongs to.
    pub kind: SectionKind,
    /// SHA-256 of the content's canonical JSON, in hexadecimal.
    pub digest: String,
    /// Canonical JSON; `null` where nothing was read.
    pub content: Box<RawValue>,
}

/// How far a section was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SectionKind {
    /// Who may do what: changes only when somebody changes something.
    Entitlements,
    /// Last use, sign-ins, credential reports.
    Usage,
}

impl Snapshot {
    /// Digest over the digests of the sections of one kind, with their names and status: equal exactly if what was read is equal.
    pub fn digest(&self, kind: SectionKind) -> String {
        let mut hash = Sha256::new();
        for (name, section) in self.sections.iter().filter(|(_, section)| section.kind == kind) {
            hash.update(name.as_bytes());
            hash.update([0, section.status as u8]);
            hash.update(section.digest.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
