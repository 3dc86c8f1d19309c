//! How much of a provider's API one collection may use.

use std::time::Duration;

/// Limits of one collection. A limit that is reached ends the reading, not the collection: what was read stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Requests at most, repetitions included.
    pub max_calls: u32,
    /// Requests under way at the same time; at least 1.
    pub concurrency: u32,
    /// Time for the whole collection, waiting between repetitions included.
    pub deadline: Duration,
    /// Time for one request, from connecting to the last byte of the answer.
    pub call_timeout: Duration,
    /// How often a request is sent at most when it is throttled or fails on the way; at least 1.
    pub attempts: u32,
    /// Pause before the first repetition, with random variation; it doubles each time.
    pub first_pause: Duration,
    /// The longest pause before a repetition. When the provider throttles, the rate that it takes is measured and pauses follow it up to here.
    pub longest_pause: Duration,
    /// Entities asked for per page; 1 to 1,000 (AWS).
    pub page_size: u16,
}

impl Default for Budget {
    /// Enough for 10,000 roles and as many policies; IAM's limits are unpublished and shared with everybody who works in the account,
    /// hence few requests at a time and large pages.
    fn default() -> Self {
        Self {
            max_calls: 5_000,
            concurrency: 2,
            deadline: Duration::from_mins(15),
            call_timeout: Duration::from_mins(1),
            attempts: 6,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
            page_size: 500,
        }
    }
}
