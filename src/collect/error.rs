//! Why a collection, or one call of it, failed. Texts hold no secret and nothing that changes from one try to the next (request ids,
//! times), so that a condition that shows them changes only when the cause does.

use std::time::Duration;

use thiserror::Error;

/// A failure, with what to do about it. `call` is an API call as permissions name it, e.g. `iam:GetAccountAuthorizationDetails`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollectError {
    /// The source itself is wrong: nothing was asked.
    #[error("{what}")]
    InvalidSource {
        /// What is wrong and what to do.
        what: String,
    },
    /// No credentials where the source says to look.
    #[error("no credentials found ({detail}): give the operator's pod an identity, or name credentials for this account")]
    CredentialsNotFound {
        /// Where it was looked.
        detail: String,
    },
    /// The provider does not accept the credentials.
    #[error("{call}: the credentials are not valid ({code}): check that key id, secret and session token belong together and are active")]
    CredentialsInvalid {
        /// The call.
        call: &'static str,
        /// The provider's error code.
        code: String,
    },
    /// The credentials were valid once.
    #[error("{call}: the credentials have expired ({code}): renew them")]
    CredentialsExpired {
        /// The call.
        call: &'static str,
        /// The provider's error code.
        code: String,
    },
    /// The credentials belong elsewhere. Nothing of that account was read.
    #[error(
        "the credentials belong to account {actual} ({caller}), not to {expected}: use credentials of {expected}, or correct the account id"
    )]
    AccountMismatch {
        /// The account that was to be read.
        expected: String,
        /// The account of the credentials.
        actual: String,
        /// The caller, as the provider names it.
        caller: String,
    },
    /// A call is not allowed to the caller.
    #[error("the caller may not call {permission} ({why}): allow it on all resources")]
    AccessDenied {
        /// The permission, which is the call.
        permission: &'static str,
        /// The layer that stopped it, as far as the provider says it.
        why: String,
    },
    /// The provider asks to slow down, after all repetitions.
    #[error("{call}: throttled, after waiting too: others use up the account's API limits; it is tried again later")]
    Throttled {
        /// The call.
        call: &'static str,
    },
    /// No connection: name resolution, refusal, TLS.
    #[error("{call}: {endpoint} can't be reached ({detail}): check DNS, egress rules, proxy and certificates")]
    Unreachable {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
        /// The cause.
        detail: String,
    },
    /// The connection ended before an answer began.
    #[error(
        "{call}: the connection to {endpoint} was cut before an answer came: check what stands between (proxy, firewall); it is tried again later"
    )]
    ConnectionCut {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
    },
    /// The answer began and did not end.
    #[error("{call}: the answer of {endpoint} ended in the middle: check what stands between (proxy, firewall); it is tried again later")]
    IncompleteAnswer {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
    },
    /// An answer that is not the service's.
    #[error(
        "{call}: the answer of {endpoint} can't be used ({detail}): check what stands between (proxy, captive portal) and the endpoint"
    )]
    MalformedAnswer {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// One call took too long, after all repetitions.
    #[error("{call}: no whole answer of {endpoint} within {limit:?}: check the network; it is tried again later")]
    Timeout {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
        /// Time allowed for one request.
        limit: Duration,
    },
    /// The whole collection took too long.
    #[error("{call}: the collection did not end within {limit:?}: allow it more time, or find out what makes the account slow to read")]
    DeadlineExceeded {
        /// The call that was under way or next.
        call: &'static str,
        /// Time allowed for the collection.
        limit: Duration,
    },
    /// The collection used up its requests.
    #[error("{call}: the collection used up its {max_calls} requests: raise its budget")]
    BudgetExhausted {
        /// The call that was next.
        call: &'static str,
        /// Requests allowed.
        max_calls: u32,
    },
    /// The provider's clock and ours differ too much for signatures to be valid.
    #[error("{call}: the clock of this machine is off ({code}): set it by NTP")]
    ClockSkew {
        /// The call.
        call: &'static str,
        /// The provider's error code.
        code: String,
    },
    /// The provider failed.
    #[error("{call}: {endpoint} failed ({code}): it is tried again later")]
    ServiceFailed {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
        /// The provider's error code, or the HTTP status.
        code: String,
    },
    /// The provider refused the request for another reason.
    #[error("{call}: {endpoint} refused the request ({code}): check partition, regions and endpoint of the account")]
    Rejected {
        /// The call.
        call: &'static str,
        /// Which endpoint.
        endpoint: String,
        /// The provider's error code.
        code: String,
    },
}

impl CollectError {
    /// One word for conditions, events and metric labels: the variant's name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidSource { .. } => "InvalidSource",
            Self::CredentialsNotFound { .. } => "CredentialsNotFound",
            Self::CredentialsInvalid { .. } => "CredentialsInvalid",
            Self::CredentialsExpired { .. } => "CredentialsExpired",
            Self::AccountMismatch { .. } => "AccountMismatch",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::Throttled { .. } => "Throttled",
            Self::Unreachable { .. } => "Unreachable",
            Self::ConnectionCut { .. } => "ConnectionCut",
            Self::IncompleteAnswer { .. } => "IncompleteAnswer",
            Self::MalformedAnswer { .. } => "MalformedAnswer",
            Self::Timeout { .. } => "Timeout",
            Self::DeadlineExceeded { .. } => "DeadlineExceeded",
            Self::BudgetExhausted { .. } => "BudgetExhausted",
            Self::ClockSkew { .. } => "ClockSkew",
            Self::ServiceFailed { .. } => "ServiceFailed",
            Self::Rejected { .. } => "Rejected",
        }
    }

    /// Whether somebody has to change the account's declaration, its credentials or their rights before a repetition can succeed
    /// (kstatus `Stalled`). All others may pass by themselves.
    pub const fn is_user_error(&self) -> bool {
        self.is_credential_error() || matches!(self, Self::InvalidSource { .. } | Self::AccessDenied { .. } | Self::Rejected { .. })
    }

    /// Whether the credentials themselves are the cause (condition `CredentialsValid`).
    pub const fn is_credential_error(&self) -> bool {
        matches!(
            self,
            Self::CredentialsNotFound { .. }
                | Self::CredentialsInvalid { .. }
                | Self::CredentialsExpired { .. }
                | Self::AccountMismatch { .. }
        )
    }

    /// The permission that is missing, where that is the cause.
    pub const fn missing_permission(&self) -> Option<&'static str> {
        match self {
            Self::AccessDenied { permission, .. } => Some(permission),
            _ => None,
        }
    }
}
