//! Work that takes longer than a reconcile may: collections and audits. One at a time for each key, bounded in all; the reconciler is
//! woken when one has ended, writes its outcome down and settles it. Nothing here survives a restart: what is due is derived from status again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a reconciler learns of the job of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState<O> {
    /// Neither waiting nor running.
    Idle,
    /// Waiting for a place, or running.
    Busy,
    /// Ended with this outcome, which [`Jobs::settle`] has not taken yet.
    Ended(O),
}

/// Jobs of one kind.
pub struct Jobs<K, O> {
    places: Arc<Semaphore>,
    state: Arc<Mutex<HashMap<K, Option<O>>>>,
    running: Mutex<JoinSet<()>>,
    wake: Arc<dyn Fn(&K) + Send + Sync>,
}

impl<K, O> Jobs<K, O>
where
    K: Clone + Eq + Hash + Send + 'static,
    O: Clone + Send + 'static,
{
    /// At most `limit` run at once; `wake` is called with the key when one has ended.
    pub fn new(limit: usize, wake: impl Fn(&K) + Send + Sync + 'static) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit.max(1))),
            state: Arc::default(),
            running: Mutex::default(),
            wake: Arc::new(wake),
        }
    }

    /// Starts the work unless the key is busy or its outcome is not settled yet. True where it was started.
    pub fn start<F>(&self, key: K, work: F) -> bool
    where
        F: Future<Output = O> + Send + 'static,
    {
        {
            let mut state = lock(&self.state);
            if state.contains_key(&key) {
                return false;
            }
            state.insert(key.clone(), None);
        }
        let (places, state, wake) = (self.places.clone(), self.state.clone(), self.wake.clone());
        let mut running = lock(&self.running);
        // Ended tasks are dropped here, so that the set does not grow.
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            // A panic of the work ends here as well: the key is freed, and the reconciler starts it again with its back-off.
            let mut guard = Freed {
                key: key.clone(),
                state: state.clone(),
                wake,
                ended: false,
            };
            let Ok(_place) = places.acquire_owned().await else { return };
            let outcome = work.await;
            lock(&state).insert(key, Some(outcome));
            guard.ended = true;
        });
        true
    }

    /// The state of a key. An outcome stays until it is settled, so that a reconcile that fails half way sees it again.
    pub fn state(&self, key: &K) -> JobState<O> {
        match lock(&self.state).get(key) {
            None => JobState::Idle,
            Some(None) => JobState::Busy,
            Some(Some(outcome)) => JobState::Ended(outcome.clone()),
        }
    }

    /// The outcome has been written down: the key is free again.
    pub fn settle(&self, key: &K) {
        let mut state = lock(&self.state);
        if matches!(state.get(key), Some(Some(_))) {
            state.remove(key);
        }
    }

    /// Ends all that runs, at shutdown. Every job can be cut anywhere: what it left is completed or removed by the next run.
    pub fn abort_all(&self) {
        lock(&self.running).abort_all();
    }
}

/// Frees a key whose work did not end with an outcome (panic, shutdown), and wakes its reconciler either way.
struct Freed<K: Eq + Hash, O> {
    key: K,
    state: Arc<Mutex<HashMap<K, Option<O>>>>,
    wake: Arc<dyn Fn(&K) + Send + Sync>,
    ended: bool,
}

impl<K: Eq + Hash, O> Drop for Freed<K, O> {
    fn drop(&mut self) {
        if !self.ended {
            lock(&self.state).remove(&self.key);
        }
        (self.wake)(&self.key);
    }
}

/// A lock whose holder panicked is still good: every critical section above leaves the map whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    async fn until(condition: impl Fn() -> bool) {
        for _ in 0..500 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("did not happen");
    }

    #[tokio::test]
    async fn one_at_a_time_for_each_key_and_the_outcome_until_it_is_settled() {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let jobs: Jobs<&str, u32> = Jobs::new(2, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert!(jobs.start("a", async { 7 }));
        assert!(!jobs.start("a", async { 8 }));
        until(|| woken.load(Ordering::SeqCst) == 1).await;
        assert!(
            !jobs.start("a", async { 9 }),
            "an outcome that is not settled must not be overwritten"
        );
        assert_eq!(jobs.state(&"a"), JobState::Ended(7));
        assert_eq!(jobs.state(&"a"), JobState::Ended(7));
        jobs.settle(&"a");
        assert_eq!(jobs.state(&"a"), JobState::Idle);
    }

    #[tokio::test]
    async fn never_more_than_the_limit() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs: Jobs<u32, ()> = Jobs::new(2, |_| {});
        for key in 0..8 {
            let (now, most) = (now.clone(), most.clone());
            jobs.start(key, async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
        until(|| (0..8).all(|key| jobs.state(&key) != JobState::Busy)).await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_panic_frees_the_key() {
        let jobs: Jobs<&str, u32> = Jobs::new(1, |_| {});
        jobs.start("a", async { panic!("on purpose") });
        until(|| jobs.state(&"a") == JobState::Idle).await;
        assert!(jobs.start("a", async { 1 }));
    }
}
