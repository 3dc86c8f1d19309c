//! Stands in where ciem was built without the feature `aws`.

use std::sync::Arc;

use jiff::Timestamp;

use super::collect::Reading;
use super::outcome::Failure;
use crate::api::conditions::reason;
use crate::model::CloudAccountSpec;
use crate::operator::Context;

/// Says that this build cannot.
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
pub async fn read(_: &Arc<Context>, _: &str, _: &CloudAccountSpec, _: Timestamp) -> Result<Reading, Failure> {
    Err(Failure::people(
        reason::NOT_SUPPORTED,
        "this build of ciem has no AWS collector: use one with the feature aws",
    ))
}
