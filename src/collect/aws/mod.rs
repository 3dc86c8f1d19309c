//! Reads an AWS account: the caller's identity, then users, groups, roles and policies.
//!
//! `client` makes SDK clients out of a [`Source`], `fetch` asks and pages, `decode` turns answers into JSON (pure), `failure` gives SDK
//! errors their names, `sections` puts the snapshot together.

mod client;
mod decode;
mod failure;
mod fetch;
mod sections;
mod source;
#[cfg(test)]
mod tests;

pub use source::{CredentialSource, Endpoints, Service, Source, StaticKeys, Target};

use jiff::Timestamp;

use super::{CollectError, Collection};

/// Reads the account that `source` names. `now` is the time that the snapshot is given.
///
/// # Errors
/// The source is wrong, the caller is not who it should be, or nothing could be read for another reason than missing permissions.
/// Everything else is coverage of the snapshot and in [`Collection::failures`].
pub async fn collect(source: &Source, now: Timestamp) -> Result<Collection, CollectError> {
    let session = client::Session::open(source).await?;
    let identity = fetch::caller(&session).await?;
    if identity.scope != source.target.account {
        return Err(CollectError::AccountMismatch {
            expected: source.target.account.clone(),
            actual: identity.scope,
            caller: identity.id,
        });
    }
    let details = fetch::account_details(&session).await;
    if let Some(error) = details.hopeless() {
        return Err(error.clone());
    }
    let (snapshot, failures) = sections::assemble(&source.target.account, now, &details)
        .map_err(|error| session.malformed(Service::Iam, fetch::DETAILS, &error.to_string()))?;
    Ok(Collection {
        snapshot,
        identity,
        calls: session.calls(),
        failures,
    })
}
