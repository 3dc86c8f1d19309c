//! How a collection ended.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{CallerIdentity, Digests};
use crate::model::{CoverageEntry, Provider};

/// The end of one collection job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The generation of the CloudAccount that it read.
    pub generation: Option<i64>,
    /// The run-now annotation that it handled.
    pub run_now: Option<String>,
    /// What came of it.
    pub result: Result<Collected, Failure>,
}

/// A collection that gave a snapshot; the snapshot itself is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The provider, where all snapshots have one.
    pub provider: Option<Provider>,
    /// The account that was read; several are joined by commas.
    pub account: String,
    /// Who the cloud says we are.
    pub identity: Option<CallerIdentity>,
    /// Digests over all its snapshots.
    pub digests: Digests,
    /// Entities by section.
    pub counts: BTreeMap<String, u32>,
    /// Calls made to the cloud.
    pub api_calls: u32,
    /// What could not be read.
    pub coverage: Vec<CoverageEntry>,
    /// Permissions that the cloud refused.
    pub missing_permissions: Vec<String>,
}

/// A collection that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// CamelCase reason for conditions.
    pub reason: &'static str,
    /// What happened and what to do. Holds no secret.
    pub message: String,
    /// Trying again does not help until somebody changes something.
    pub needs_people: bool,
    /// The credentials are at fault.
    pub about_credentials: bool,
}

impl Failure {
    /// Needs people, but not about credentials.
    pub fn people(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            needs_people: true,
            about_credentials: false,
        }
    }

    /// Needs people: the credentials are at fault.
    pub fn credentials(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            about_credentials: true,
            ..Self::people(reason, message)
        }
    }

    /// May pass by itself.
    pub fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            needs_people: false,
            ..Self::people(reason, message)
        }
    }
}
