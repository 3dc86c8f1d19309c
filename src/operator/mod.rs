//! The controllers. Read → validate → plan (pure) → apply, for CloudAccounts and AuditPolicies; collections and audits are jobs that a
//! reconcile never waits for; what is due is derived from status, so that a restart neither loses nor repeats a run.

mod account;
mod caches;
mod clock;
mod cluster;
mod http;
mod jobs;
mod memory;
mod metrics;
mod policy;
mod schedule;
mod settings;
mod start;
mod supported;

use std::sync::Arc;

use kube::Client;

use crate::catalogue::Catalogue;
use crate::store::Store;

pub use settings::Settings;
pub use start::run;

/// Names an object of one kind; the UID tells it from one of the same name that was there before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl ObjectKey {
    /// The key of an object that was read from the API server.
    pub fn of<K: kube::Resource>(object: &K) -> Self {
        let metadata = object.meta().clone();
        Self {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
        }
    }

    /// `namespace/name`, as metrics label it.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Wakes the reconciler of the object of a namespace and a name.
type WakeObject = Box<dyn Fn(&str, &str) + Send + Sync>;

/// What every pass and job works with.
pub struct Context {
    client: Client,
    settings: Settings,
    catalogue: Arc<Catalogue>,
    store: Arc<Store>,
    caches: Arc<caches::Caches>,
    metrics: Arc<metrics::Metrics>,
    notes: cluster::Notes,
    memory: memory::Memory,
    collections: jobs::Jobs<ObjectKey, account::Ended>,
    audits: jobs::Jobs<policy::Pair, policy::Ended>,
    /// Wakes the reconciler of an account.
    wake_account: WakeObject,
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
