//! Names for what goes wrong between the SDK and AWS.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::client::{HalfAnswerError, OutOfCalls};
use crate::collect::{Budget, CollectError};

/// Which call went wrong, and under which limits.
pub(super) struct Place<'a> {
    pub call: &'static str,
    pub endpoint: &'a str,
    pub budget: &'a Budget,
}

/// Error codes by what they mean (common errors of IAM and STS, those of signatures; in the spellings of query and JSON services). What is not here is `Rejected` (4xx) or
/// `ServiceFailed` (5xx).
const INVALID: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];
const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"];
const SKEWED: &[&str] = &["RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"];
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Longest text of a cause that is passed on.
const DETAIL_LIMIT: usize = 200;

/// The failure's name.
pub(super) fn name<E>(error: &SdkError<E, HttpResponse>, place: &Place<'_>) -> CollectError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let endpoint = || place.endpoint.to_owned();
    let call = place.call;
    if find::<OutOfCalls>(error).is_some() {
        return CollectError::BudgetExhausted {
            call,
            max_calls: place.budget.max_calls,
        };
    }
    if find::<HalfAnswerError>(error).is_some() {
        return CollectError::IncompleteAnswer {
            call,
            endpoint: endpoint(),
        };
    }
    if let Some(error) = find::<CredentialsError>(error) {
        return no_credentials(error, place);
    }
    match error {
        SdkError::ServiceError(service) => refused(service.err(), service.raw().status().as_u16(), place),
        SdkError::TimeoutError(_) => timeout(place),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => timeout(place),
        SdkError::DispatchFailure(_) => {
            if is_cut(error) {
                CollectError::ConnectionCut {
                    call,
                    endpoint: endpoint(),
                }
            } else if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
                CollectError::MalformedAnswer {
                    call,
                    endpoint: endpoint(),
                    detail: "it is no HTTP".to_owned(),
                }
            } else {
                CollectError::Unreachable {
                    call,
                    endpoint: endpoint(),
                    detail: cause(error),
                }
            }
        }
        // The SDK puts the body into memory before it decodes it: without bytes it was not read to its end.
        SdkError::ResponseError(response) if response.raw().body().bytes().is_none() => CollectError::IncompleteAnswer {
            call,
            endpoint: endpoint(),
        },
        SdkError::ResponseError(_) => CollectError::MalformedAnswer {
            call,
            endpoint: endpoint(),
            detail: cause(error),
        },
        _ => CollectError::InvalidSource {
            what: format!("{call}: the request can't be made ({})", cause(error)),
        },
    }
}

/// An answer with an error in it.
fn refused(error: &(impl ProvideErrorMetadata + Error + 'static), status: u16, place: &Place<'_>) -> CollectError {
    let (call, endpoint) = (place.call, place.endpoint.to_owned());
    let Some(code) = error.code() else {
        return if status >= 500 {
            CollectError::ServiceFailed {
                call,
                endpoint,
                code: format!("HTTP {status}"),
            }
        } else if status == 429 {
            CollectError::Throttled { call }
        } else {
            CollectError::MalformedAnswer {
                call,
                endpoint,
                detail: format!("HTTP {status}, no answer of an AWS API"),
            }
        };
    };
    let message = error.message().unwrap_or_default();
    by_code(code, message, place).unwrap_or_else(|| {
        let code = code.chars().filter(char::is_ascii_alphanumeric).take(80).collect();
        if status >= 500 {
            CollectError::ServiceFailed { call, endpoint, code }
        } else {
            CollectError::Rejected { call, endpoint, code }
        }
    })
}

/// The provider's texts are not passed on: those about signatures may quote the request, with the session token in it.
fn by_code(code: &str, message: &str, place: &Place<'_>) -> Option<CollectError> {
    let call = place.call;
    // "Signature expired: T is now earlier than T" and "Signature not yet current: …" come under the codes of a wrong signature.
    let is_clock = message.starts_with("Signature expired") || message.starts_with("Signature not yet current");
    let known = |codes: &[&str]| codes.contains(&code);
    Some(if known(SKEWED) || known(INVALID) && is_clock {
        CollectError::ClockSkew {
            call,
            code: code.to_owned(),
        }
    } else if known(EXPIRED) {
        CollectError::CredentialsExpired {
            call,
            code: code.to_owned(),
        }
    } else if known(INVALID) {
        CollectError::CredentialsInvalid {
            call,
            code: code.to_owned(),
        }
    } else if known(DENIED) {
        CollectError::AccessDenied {
            permission: call,
            why: which_layer(message),
        }
    } else if known(THROTTLED) {
        CollectError::Throttled { call }
    } else {
        return None;
    })
}

/// The layers that AWS names in a denial.
const LAYERS: [&str; 7] = [
    "identity-based policy",
    "permissions boundary",
    "session policy",
    "service control policy",
    "resource control policy",
    "resource-based policy",
    "VPC endpoint policy",
];

/// Which layer stopped a call, out of "User: ARN is not authorized to perform: ACTION on resource: ARN (because no LAYER allows the ACTION
/// action | with an explicit deny in a LAYER)". The text itself is not passed on: it names the session, which changes.
fn which_layer(message: &str) -> String {
    let layer = LAYERS.into_iter().find(|layer| message.contains(layer));
    match (layer, message.contains("explicit deny")) {
        (Some(layer), true) => format!("explicit deny: {layer}"),
        (Some(layer), false) => format!("no {layer} allows it"),
        (None, true) => "explicit deny".to_owned(),
        (None, false) => "AWS does not say which policy stops it".to_owned(),
    }
}

/// Credentials could not be fetched. The cause may be an answer of STS, of a metadata service, or that there is nothing to ask.
fn no_credentials(error: &CredentialsError, place: &Place<'_>) -> CollectError {
    let code = find::<AssumeRoleWithWebIdentityError>(error)
        .map(ProvideErrorMetadata::meta)
        .or_else(|| find::<AssumeRoleError>(error).map(ProvideErrorMetadata::meta));
    if let Some(found) = code.and_then(|meta| by_code(meta.code()?, meta.message().unwrap_or_default(), place)) {
        return found;
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => CollectError::CredentialsNotFound {
            detail: "environment, profile, web identity token, container and instance metadata".to_owned(),
        },
        CredentialsError::ProviderTimedOut(_) => CollectError::Unreachable {
            call: place.call,
            endpoint: "the source of credentials".to_owned(),
            detail: "timeout".to_owned(),
        },
        _ => CollectError::CredentialsNotFound { detail: cause(error) },
    }
}

fn timeout(place: &Place<'_>) -> CollectError {
    CollectError::Timeout {
        call: place.call,
        endpoint: place.endpoint.to_owned(),
        limit: place.budget.call_timeout,
    }
}

/// Whether a connection was there and ended: the peer closed or reset it.
fn is_cut(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let by_system = |error: &std::io::Error| matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof);
    find::<std::io::Error>(error).is_some_and(by_system)
        || find::<hyper::Error>(error).is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref::<T>())
}

/// The innermost cause, which is the one that says something.
fn cause(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(String::new, |error| short(&error.to_string()))
}

/// One line of bounded length.
fn short(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(DETAIL_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests;
