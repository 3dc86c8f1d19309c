//! Where the present enters the operator.

use jiff::Timestamp;

/// The present.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the operator; everything else takes time as an argument"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The present in whole seconds, as statuses hold it.
pub fn now_in_seconds() -> Timestamp {
    let now = now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
