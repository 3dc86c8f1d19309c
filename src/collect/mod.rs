//! Reads a cloud into a [`Snapshot`]: a provider's `Source` {target, credentials, endpoints, budget} in, a [`Collection`] with coverage
//! out. Knows no CRD and reads no Secret.
//!
//! A collection does not fail because one call failed: what could not be read is a section that is not `read`, with the reason, and a
//! [`Failure`] for the caller to act on. It fails as a whole ([`CollectError`]) only where nothing could be read.

#[cfg(feature = "aws")]
pub mod aws;
mod budget;
mod error;
mod secret;
#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use error::CollectError;
pub use secret::Secret;

use crate::snapshot::Snapshot;

/// What one collection gives.
#[derive(Debug, Clone)]
pub struct Collection {
    /// What was read, with the coverage of each section.
    pub snapshot: Snapshot,
    /// Who read it, as the provider says.
    pub identity: Identity,
    /// Requests sent to the provider, repetitions included; those that only fetch credentials are not counted.
    pub calls: u32,
    /// What was tried and failed, in the order of section names. Empty: all that was tried was read.
    pub failures: Vec<Failure>,
}

/// The caller, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its native id: an ARN (AWS).
    pub id: String,
    /// The scope that it belongs to: an account (AWS).
    pub scope: String,
    /// The id that is never used again after a deletion: `AIDA…`, `AROA…:session` (AWS).
    pub unique_id: String,
}

/// A section that is not whole because something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The section's name, e.g. `roles`.
    pub section: &'static str,
    /// Why.
    pub error: CollectError,
}

/// The permissions that the collector lacked, sorted: what has to be allowed so that the next collection is whole.
pub fn missing_permissions(snapshot: &Snapshot) -> Vec<String> {
    snapshot.missing_permissions()
}
