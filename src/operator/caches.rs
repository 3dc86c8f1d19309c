//! What the watches have seen: CloudAccounts, AuditPolicies and the heads of AuditReports. For finding and counting only; whoever writes an
//! object reads it from the API server first.

use std::sync::Arc;

use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};
use tokio::sync::watch;

use super::policy::ReportHead;
use crate::api::{AuditPolicy, CloudAccount};

/// An object that may be malformed: one that cannot be read must not stop the watch of the others.
pub type Guarded<K> = DeserializeGuard<K>;

/// Which caches hold the first listing of their kind. The stores' own way of waiting wakes one waiter only, and that is the controller.
pub struct Filled {
    missing: watch::Sender<u32>,
}

impl Filled {
    /// So many caches are to be filled.
    pub fn new(caches: u32) -> Self {
        Self {
            missing: watch::Sender::new(caches),
        }
    }

    /// One more is; called once for each cache.
    pub fn one_more(&self) {
        self.missing.send_modify(|missing| *missing = missing.saturating_sub(1));
    }

    /// Waits until all are.
    pub async fn all(&self) {
        // The sender lives as long as this value.
        let _ = self.missing.subscribe().wait_for(|missing| *missing == 0).await;
    }
}

/// The readers of the three caches.
pub struct Caches {
    /// Who waits for the first listings.
    pub filled: Filled,
    /// All CloudAccounts.
    pub accounts: Store<Guarded<CloudAccount>>,
    /// All AuditPolicies.
    pub policies: Store<Guarded<AuditPolicy>>,
    /// All AuditReports without their bulk.
    pub reports: Store<Guarded<ReportHead>>,
}

/// The well-formed objects that match, sorted by namespace and name. Only what matches is copied.
fn good<K>(store: &Store<Guarded<K>>, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let state = store.state();
    let found = state
        .iter()
        .filter_map(|guarded| guarded.0.as_ref().ok())
        .filter(|object| wanted(object));
    let mut objects: Vec<Arc<K>> = found.cloned().map(Arc::new).collect();
    objects.sort_by_cached_key(|object| (object.namespace(), object.name_any()));
    objects
}

impl Caches {
    /// All accounts.
    pub fn accounts(&self) -> Vec<Arc<CloudAccount>> {
        good(&self.accounts, |_| true)
    }

    /// The accounts of a namespace.
    pub fn accounts_in(&self, namespace: &str) -> Vec<Arc<CloudAccount>> {
        good(&self.accounts, |account| account.namespace().as_deref() == Some(namespace))
    }

    /// All reports.
    pub fn reports(&self) -> Vec<Arc<ReportHead>> {
        good(&self.reports, |_| true)
    }

    /// The reports of a policy, by its UID.
    pub fn reports_of(&self, policy_uid: &str) -> Vec<Arc<ReportHead>> {
        good(&self.reports, |report| report.spec.policy_ref.uid == policy_uid)
    }

    /// The policies of a namespace, as references to reconcile.
    pub fn policies_in(&self, namespace: &str) -> Vec<ObjectRef<Guarded<AuditPolicy>>> {
        let own = good(&self.policies, |policy| policy.namespace().as_deref() == Some(namespace));
        own.iter()
            .map(|policy| ObjectRef::new(&policy.name_any()).within(namespace))
            .collect()
    }
}
