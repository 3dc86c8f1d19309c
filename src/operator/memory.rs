//! What a process remembers between passes. Only shortcuts: everything that must survive a restart is in status or in the store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::Failure;
use super::policy::{Ended, Evaluated, Pair};
use super::{ObjectKey, clock};

/// What is remembered of one (policy, account).
#[derive(Debug, Clone, Default)]
pub struct PairMemory {
    /// What the last run evaluated: newer than the watch cache at times.
    pub last: Option<Evaluated>,
    /// The last run failed, and may be tried again at this time.
    pub failed: Option<(Failure, Timestamp)>,
}

/// The memory of one process.
#[derive(Default)]
pub struct Memory {
    pairs: Mutex<HashMap<Pair, PairMemory>>,
    /// Collections that policies ask for: an account needs one that began at or after the time.
    wanted: Mutex<HashMap<(String, String), Timestamp>>,
    /// The version of the Secret or ConfigMap that the last collection of an account (by UID) saw.
    sources: Mutex<HashMap<String, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// What is remembered of a pair.
    pub fn pair(&self, pair: &Pair) -> PairMemory {
        lock(&self.pairs).get(pair).cloned().unwrap_or_default()
    }

    /// Notes how an audit ended.
    pub fn audited(&self, pair: &Pair, ended: &Ended, retry: Duration) {
        let mut pairs = lock(&self.pairs);
        let memory = pairs.entry(pair.clone()).or_default();
        match &ended.result {
            Ok(_) => {
                *memory = PairMemory {
                    last: Some(ended.evaluated.clone()),
                    failed: None,
                }
            }
            Err(failure) => {
                let wait = SignedDuration::try_from(retry).unwrap_or(SignedDuration::ZERO);
                memory.failed = clock::now().saturating_add(wait).ok().map(|retry| (failure.clone(), retry));
            }
        }
    }

    /// A policy asks for a collection of an account. True where that is new.
    pub fn want(&self, namespace: &str, account: &str, since: Timestamp) -> bool {
        let mut wanted = lock(&self.wanted);
        let known = wanted.entry((namespace.to_owned(), account.to_owned())).or_insert(Timestamp::MIN);
        let new = *known < since;
        *known = since.max(*known);
        new
    }

    /// Since when an account must have been collected.
    pub fn wanted(&self, namespace: &str, account: &str) -> Option<Timestamp> {
        lock(&self.wanted).get(&(namespace.to_owned(), account.to_owned())).copied()
    }

    /// Notes the version of the Secret or ConfigMap that a collection is about to read.
    pub fn note_source(&self, account_uid: &str, version: String) {
        lock(&self.sources).insert(account_uid.to_owned(), version);
    }

    /// Whether the Secret or ConfigMap is another than the last collection saw. After a restart nothing is known: it is, once.
    pub fn source_changed(&self, account_uid: &str, version: &str) -> bool {
        lock(&self.sources).get(account_uid).is_none_or(|seen| seen != version)
    }

    /// Forgets an account that is gone; gives the pairs that it was in.
    pub fn forget_account(&self, namespace: &str, name: &str) -> Vec<Pair> {
        lock(&self.wanted).remove(&(namespace.to_owned(), name.to_owned()));
        self.forget(|pair| &pair.account, namespace, name)
    }

    /// Forgets a policy that is gone; gives the pairs that it was in.
    pub fn forget_policy(&self, namespace: &str, name: &str) -> Vec<Pair> {
        self.forget(|pair| &pair.policy, namespace, name)
    }

    fn forget(&self, part: impl Fn(&Pair) -> &ObjectKey, namespace: &str, name: &str) -> Vec<Pair> {
        let gone = |pair: &Pair| part(pair).namespace == namespace && part(pair).name == name;
        let mut pairs = lock(&self.pairs);
        let removed: Vec<Pair> = pairs.keys().filter(|pair| gone(pair)).cloned().collect();
        for pair in &removed {
            pairs.remove(pair);
        }
        removed
    }
}
