//! What could not be read or used. Said, never swallowed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A document, statement or scope that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverageEntry {
    /// Where it comes from: an API call (`iam:GetAccountAuthorizationDetails`), a section or a file.
    pub source: String,
    /// Whose it is: the native id of an identity, resource or scope.
    pub entity: String,
    /// Where in it: policy name, statement index, element. Empty for the whole.
    pub place: String,
    /// Why it could not be used and, where that helps, what to do.
    pub reason: String,
}

/// A rule that could not run for a scope. Never a pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotEvaluated {
    /// Rule id.
    pub rule: String,
    /// Account, subscription, project or cluster.
    pub scope: String,
    /// Why: the input that is missing.
    pub reason: String,
}
