//! Names of audits, and how they ended.

use super::plan::Evaluated;
use crate::api::{AuditPolicy, CloudAccount};
use crate::operator::ObjectKey;
use crate::operator::account::Failure;

/// One (policy, account), by UIDs: a recreated object is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The policy.
    pub policy: ObjectKey,
    /// The account, of the same namespace.
    pub account: ObjectKey,
}

impl Pair {
    /// The pair of two objects of one namespace.
    pub fn of(policy: &AuditPolicy, account: &CloudAccount) -> Self {
        Self {
            policy: ObjectKey::of(policy),
            account: ObjectKey::of(account),
        }
    }
}

/// The end of one audit job.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it evaluated.
    pub evaluated: Evaluated,
    /// What came of it; the report itself is in the cluster.
    pub result: Result<Audited, Failure>,
}

/// An audit that left a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Chunks written.
    pub chunks_written: usize,
    /// The audited provider.
    pub provider: &'static str,
}
