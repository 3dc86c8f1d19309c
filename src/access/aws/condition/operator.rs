//! Condition operators (W18): a comparison, its negation, set prefix and `IfExists`.

/// What is compared, without negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// Equal, case counts.
    StringEquals,
    /// Equal, case does not count.
    StringEqualsIgnoreCase,
    /// Matches a pattern.
    StringLike,
    /// Equal numbers.
    NumericEquals,
    /// Less.
    NumericLessThan,
    /// Less or equal.
    NumericLessThanEquals,
    /// More.
    NumericGreaterThan,
    /// More or equal.
    NumericGreaterThanEquals,
    /// The same moment.
    DateEquals,
    /// Before.
    DateLessThan,
    /// Before or at.
    DateLessThanEquals,
    /// After.
    DateGreaterThan,
    /// After or at.
    DateGreaterThanEquals,
    /// The same boolean.
    Bool,
    /// The same bytes, in base 64.
    BinaryEquals,
    /// In a range.
    IpAddress,
    /// Matches an ARN pattern.
    ArnEquals,
    /// The same as `ArnEquals` (W21).
    ArnLike,
}

/// `ForAllValues:` and `ForAnyValue:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// Every value of the request.
    ForAllValues,
    /// Some value of the request.
    ForAnyValue,
}

/// An operator of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `Null`
    Null,
    /// All others.
    Compare {
        /// What is compared.
        comparison: Comparison,
        /// A `Not` form.
        negated: bool,
        /// Set prefix.
        quantifier: Option<Quantifier>,
        /// `IfExists`.
        if_exists: bool,
    },
}

/// Name, comparison, negation. Names count by case, as IAM writes them.
const NAMES: &[(&str, Comparison, bool)] = &[
    ("StringEquals", Comparison::StringEquals, false),
    ("StringNotEquals", Comparison::StringEquals, true),
    ("StringEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, true),
    ("StringLike", Comparison::StringLike, false),
    ("StringNotLike", Comparison::StringLike, true),
    ("NumericEquals", Comparison::NumericEquals, false),
    ("NumericNotEquals", Comparison::NumericEquals, true),
    ("NumericLessThan", Comparison::NumericLessThan, false),
    ("NumericLessThanEquals", Comparison::NumericLessThanEquals, false),
    ("NumericGreaterThan", Comparison::NumericGreaterThan, false),
    ("NumericGreaterThanEquals", Comparison::NumericGreaterThanEquals, false),
    ("DateEquals", Comparison::DateEquals, false),
    ("DateNotEquals", Comparison::DateEquals, true),
    ("DateLessThan", Comparison::DateLessThan, false),
    ("DateLessThanEquals", Comparison::DateLessThanEquals, false),
    ("DateGreaterThan", Comparison::DateGreaterThan, false),
    ("DateGreaterThanEquals", Comparison::DateGreaterThanEquals, false),
    ("Bool", Comparison::Bool, false),
    ("BinaryEquals", Comparison::BinaryEquals, false),
    ("IpAddress", Comparison::IpAddress, false),
    ("NotIpAddress", Comparison::IpAddress, true),
    ("ArnEquals", Comparison::ArnEquals, false),
    ("ArnNotEquals", Comparison::ArnEquals, true),
    ("ArnLike", Comparison::ArnLike, false),
    ("ArnNotLike", Comparison::ArnLike, true),
];

impl Comparison {
    /// The operator's name; none for a negation that has no name.
    pub fn name(self, negated: bool) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(_, own, not)| *own == self && *not == negated)
            .map(|(name, _, _)| *name)
    }
}

impl Operator {
    /// Reads an operator; none where it is unknown: the statement is then not evaluable (W17, W18).
    pub fn parse(text: &str) -> Option<Self> {
        if text == "Null" {
            return Some(Self::Null);
        }
        let (quantifier, rest) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        let (_, comparison, negated) = NAMES.iter().find(|(own, _, _)| *own == name)?;
        Some(Self::Compare {
            comparison: *comparison,
            negated: *negated,
            quantifier,
            if_exists,
        })
    }
}
