//! The answer to "may P do A on R?" in words that every provider shares (design §3.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of four answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Holds whatever the unknown context is.
    Allowed,
    /// Does not hold, whatever the unknown context is.
    Denied,
    /// Holds exactly if the residual does.
    Conditional,
    /// Cannot be known from what was read.
    Unknown,
}

/// Why, as a stable word for programs. The list of `cases-format.md`; providers add to it, so it is open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ReasonCode(pub std::borrow::Cow<'static, str>);

impl ReasonCode {
    /// A code known at compile time.
    pub const fn new(code: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(code))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A condition that is still open: one tree for all providers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Residual {
    /// All hold. Empty: true.
    And(Vec<Residual>),
    /// At least one holds. Empty: false.
    Or(Vec<Residual>),
    /// Does not hold.
    Not(Box<Residual>),
    /// One comparison.
    Atom(Atom),
}

/// One comparison of a residual: `aws:SourceIp in 10.0.0.0/8`, a PIM activation, a CEL expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Atom {
    /// The context key, as the provider spells it.
    pub key: String,
    /// The provider's operator with its modifiers, e.g. `ForAnyValue:StringLikeIfExists`.
    pub operator: String,
    /// The values it is compared with.
    pub values: Vec<String>,
    /// For people: `aws:SourceIp in 10.0.0.0/8`.
    pub text: String,
    /// True where the caller chooses the value (W23): it keeps nobody from an Allow.
    pub caller_controlled: bool,
}
