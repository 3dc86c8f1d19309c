//! The open comparisons of AWS conditions: what they imply about each other, and how they read.

use std::sync::Arc;

use jiff::Timestamp;

use super::operator::Comparison;
use super::value::{self, Network};
use crate::access::aws::key::Key;
use crate::access::aws::pattern::Pattern;
use crate::access::formula;
use crate::model::{Atom, Residual};

/// One value that a key is compared with.
#[derive(Debug, Clone)]
pub struct Operand {
    text: Box<str>,
    value: Parsed,
}

#[derive(Debug, Clone)]
enum Parsed {
    Text,
    Pattern(Pattern),
    Number(f64),
    Date(Timestamp),
    Bool(bool),
    Network(Network),
    /// Holds a variable that is not known.
    Open,
}

/// Lists with more pairs of values than this are not held against each other: the residual stays right, only longer.
const MOST_PAIRS: usize = 65_536;

/// How a comparison reaches over the values of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The key has one value.
    Single,
    /// Some value matches one that is listed.
    SomeMatches,
    /// Some value matches none that is listed.
    SomeMisses,
}

/// An open comparison; false where its key is absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf(Arc<Inner>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Inner {
    key: Key,
    test: Open,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    Present,
    Compare {
        comparison: Comparison,
        reach: Reach,
        operands: Box<[Operand]>,
        open: bool,
    },
    /// A resource pattern with a variable that is not known: resource, then pattern.
    Resource {
        resource: Box<str>,
        pattern: Box<str>,
    },
}

impl Comparison {
    /// Whether `*` and `?` are wildcards in its values.
    pub fn has_wildcards(self) -> bool {
        matches!(self, Self::StringLike | Self::ArnLike | Self::ArnEquals)
    }
}

impl PartialEq for Operand {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Operand {}

impl PartialOrd for Operand {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Operand {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl Operand {
    /// A value in the form that the comparison needs; none where it has another form.
    pub fn new(comparison: Comparison, text: &str, pattern: Pattern) -> Option<Self> {
        use Comparison as C;
        let plain = pattern.exact().unwrap_or(text);
        let value = match comparison {
            C::StringEquals | C::StringEqualsIgnoreCase | C::BinaryEquals => {
                return Some(Self {
                    text: plain.into(),
                    value: Parsed::Text,
                });
            }
            C::StringLike | C::ArnEquals | C::ArnLike => Parsed::Pattern(pattern),
            C::NumericEquals | C::NumericLessThan | C::NumericLessThanEquals | C::NumericGreaterThan | C::NumericGreaterThanEquals => {
                Parsed::Number(value::number(plain)?)
            }
            C::DateEquals | C::DateLessThan | C::DateLessThanEquals | C::DateGreaterThan | C::DateGreaterThanEquals => {
                Parsed::Date(value::date(plain)?)
            }
            C::Bool => {
                let truth = value::boolean(plain)?;
                return Some(Self {
                    text: if truth { "true".into() } else { "false".into() },
                    value: Parsed::Bool(truth),
                });
            }
            C::IpAddress => Parsed::Network(Network::parse(plain)?),
        };
        Some(Self { text: text.into(), value })
    }

    /// A value that holds a variable which is not known.
    pub fn open(text: &str) -> Self {
        Self {
            text: text.into(),
            value: Parsed::Open,
        }
    }

    /// Whether a value of the request matches. A value of another form does not (W21).
    pub fn matches(&self, comparison: Comparison, asked: &str) -> bool {
        use Comparison as C;
        match (&self.value, comparison) {
            (Parsed::Text, C::StringEqualsIgnoreCase) => self.text.to_lowercase() == asked.to_lowercase(),
            (Parsed::Text, _) => *self.text == *asked,
            (Parsed::Pattern(pattern), C::StringLike) => pattern.matches(asked),
            (Parsed::Pattern(pattern), _) => value::arn_matches(pattern, asked),
            (Parsed::Number(own), _) => value::number(asked).is_some_and(|asked| ordered(comparison, asked.partial_cmp(own))),
            (Parsed::Date(own), _) => value::date(asked).is_some_and(|asked| ordered(comparison, Some(asked.cmp(own)))),
            (Parsed::Bool(own), _) => value::boolean(asked) == Some(*own),
            (Parsed::Network(own), _) => Network::parse(asked).is_some_and(|asked| own.contains(&asked)),
            (Parsed::Open, _) => false,
        }
    }

    /// Whether a value of the request matches one of a sorted list.
    pub fn any_matches(operands: &[Self], comparison: Comparison, asked: &str) -> bool {
        if comparison == Comparison::StringEquals {
            return operands
                .binary_search_by(|operand| (*operand.text).cmp(asked))
                .is_ok_and(|at| operands.get(at).is_some_and(|operand| !matches!(operand.value, Parsed::Open)));
        }
        operands.iter().any(|operand| operand.matches(comparison, asked))
    }

    fn network(&self) -> Option<&Network> {
        if let Parsed::Network(network) = &self.value {
            Some(network)
        } else {
            None
        }
    }
}

/// Whether the order of the request's value against the policy's is the one asked for.
fn ordered(comparison: Comparison, order: Option<std::cmp::Ordering>) -> bool {
    use Comparison as C;
    order.is_some_and(|order| match comparison {
        C::NumericLessThan | C::DateLessThan => order.is_lt(),
        C::NumericLessThanEquals | C::DateLessThanEquals => order.is_le(),
        C::NumericGreaterThan | C::DateGreaterThan => order.is_gt(),
        C::NumericGreaterThanEquals | C::DateGreaterThanEquals => order.is_ge(),
        _ => order.is_eq(),
    })
}

impl Leaf {
    /// The key is in the request.
    pub fn present(key: Key) -> Self {
        Self(Arc::new(Inner { key, test: Open::Present }))
    }

    /// The key compared with values; `open`: some hold variables that are not known.
    pub fn compare(key: Key, comparison: Comparison, reach: Reach, operands: Box<[Operand]>, open: bool) -> Self {
        Self(Arc::new(Inner {
            key,
            test: Open::Compare {
                comparison,
                reach,
                operands,
                open,
            },
        }))
    }

    /// A resource against a pattern whose variable `key` is not known.
    pub fn resource(key: Key, resource: &str, pattern: &str) -> Self {
        Self(Arc::new(Inner {
            key,
            test: Open::Resource {
                resource: resource.into(),
                pattern: pattern.into(),
            },
        }))
    }

    /// Its truth for one value of its key; none where that cannot be said.
    fn truth(&self, asked: &str) -> Option<bool> {
        match &self.0.test {
            Open::Present => Some(true),
            Open::Compare {
                comparison,
                reach,
                operands,
                open: false,
            } => {
                let matches = Operand::any_matches(operands, *comparison, asked);
                Some(matches != (*reach == Reach::SomeMisses))
            }
            Open::Compare { .. } | Open::Resource { .. } => None,
        }
    }

    /// All values under which it holds, where these can be listed.
    fn values(&self) -> Option<&[Operand]> {
        match &self.0.test {
            Open::Compare {
                comparison: Comparison::StringEquals,
                reach: Reach::Single,
                operands,
                open: false,
            } => Some(operands),
            _ => None,
        }
    }

    /// Whether it holds for every value: `StringLike` with a lone `*`.
    fn universal(&self) -> bool {
        match &self.0.test {
            Open::Present => true,
            Open::Compare {
                comparison: Comparison::StringLike,
                reach: Reach::Single | Reach::SomeMatches,
                operands,
                ..
            } => operands
                .iter()
                .any(|operand| matches!(operand.value, Parsed::Pattern(Pattern::Anything))),
            Open::Compare { .. } | Open::Resource { .. } => false,
        }
    }

    /// Whether two comparisons have the same key and lists short enough to be held against each other.
    fn comparable(&self, other: &Self) -> bool {
        let values = |leaf: &Self| match &leaf.0.test {
            Open::Compare { comparison, operands, .. } if *comparison != Comparison::StringEquals => operands.len(),
            // Sorted texts are searched, not walked.
            Open::Compare { .. } | Open::Present | Open::Resource { .. } => 1,
        };
        self.0.key == other.0.key && values(self).saturating_mul(values(other)) <= MOST_PAIRS
    }
}

impl formula::Leaf for Leaf {
    fn implies(&self, other: &Self) -> bool {
        if !self.comparable(other) {
            return false;
        }
        if let Some(values) = self.values() {
            return values.iter().all(|value| other.truth(&value.text) == Some(true));
        }
        match (&self.0.test, &other.0.test) {
            (Open::Compare { .. } | Open::Present, _) if other.universal() => true,
            (
                Open::Compare {
                    comparison: a,
                    reach,
                    operands: own,
                    open: false,
                },
                Open::Compare {
                    comparison: b,
                    reach: other_reach,
                    operands: others,
                    open: false,
                },
            ) if a == b && reach == other_reach => {
                let covered = |inner: &[Operand], outer: &[Operand]| {
                    inner.iter().all(|x| {
                        outer
                            .iter()
                            .any(|y| x == y || matches!((x.network(), y.network()), (Some(x), Some(y)) if y.contains(x)))
                    })
                };
                match reach {
                    Reach::Single | Reach::SomeMatches => covered(own, others),
                    Reach::SomeMisses => covered(others, own),
                }
            }
            _ => false,
        }
    }

    fn excludes(&self, other: &Self) -> bool {
        if !self.comparable(other) {
            return false;
        }
        if let Some(values) = self.values() {
            return values.iter().all(|value| other.truth(&value.text) == Some(false));
        }
        if let Some(values) = other.values() {
            return values.iter().all(|value| self.truth(&value.text) == Some(false));
        }
        match (&self.0.test, &other.0.test) {
            (
                Open::Compare {
                    comparison: a,
                    reach: Reach::Single,
                    operands: own,
                    open: false,
                },
                Open::Compare {
                    comparison: b,
                    reach: Reach::Single,
                    operands: others,
                    open: false,
                },
            ) if a == b => match a {
                Comparison::Bool => own.iter().all(|x| !others.contains(x)),
                Comparison::IpAddress => own.iter().all(|x| {
                    others
                        .iter()
                        .all(|y| matches!((x.network(), y.network()), (Some(x), Some(y)) if !x.overlaps(y)))
                }),
                _ => false,
            },
            _ => false,
        }
    }

    fn narrowed(&self, other: &Self, positive: bool) -> Option<Self> {
        let values = self.values().filter(|_| self.comparable(other) && self != other)?;
        let kept: Vec<Operand> = values
            .iter()
            .filter(|value| other.truth(&value.text).is_none_or(|truth| truth == positive))
            .cloned()
            .collect();
        if kept.is_empty() || kept.len() == values.len() {
            return None;
        }
        Some(Self::compare(
            self.0.key.clone(),
            Comparison::StringEquals,
            Reach::Single,
            kept.into(),
            false,
        ))
    }

    fn residual(&self, positive: bool) -> Residual {
        let key = &self.0.key;
        let atom = |operator: String, values: Vec<String>, text: String| {
            Residual::Atom(Atom {
                key: key.as_str().to_owned(),
                operator,
                values,
                text,
                caller_controlled: key.caller_controlled(),
            })
        };
        match &self.0.test {
            Open::Present => {
                let (value, word) = if positive { ("false", "present") } else { ("true", "absent") };
                atom("Null".to_owned(), vec![value.to_owned()], format!("{} is {word}", key.as_str()))
            }
            Open::Resource { resource, pattern } => {
                let whole = atom(
                    "ResourceLike".to_owned(),
                    vec![resource.to_string(), pattern.to_string()],
                    format!("{resource} matches {pattern}"),
                );
                if positive { whole } else { Residual::Not(Box::new(whole)) }
            }
            Open::Compare {
                comparison,
                reach,
                operands,
                ..
            } => {
                let values: Vec<String> = operands.iter().map(|operand| operand.text.to_string()).collect();
                // `ForAllValues` reads better than "not any", where the operator has a negated form.
                let (prefix, every, negated) = match (reach, positive) {
                    (Reach::Single, positive) => ("", "", !positive),
                    (Reach::SomeMatches, true) => ("ForAnyValue:", "some ", false),
                    (Reach::SomeMatches, false) => ("ForAllValues:", "every ", true),
                    (Reach::SomeMisses, true) => ("ForAnyValue:", "some ", true),
                    (Reach::SomeMisses, false) => ("ForAllValues:", "every ", false),
                };
                if let Some(name) = comparison.name(negated) {
                    let text = format!("{every}{} {}", key.as_str(), words(*comparison, negated, &values));
                    return atom(format!("{prefix}{name}"), values, text);
                }
                // No negated form (`Bool`, `NumericLessThan`): the opposite statement, negated.
                let (prefix, every) = match reach {
                    Reach::Single => ("", ""),
                    Reach::SomeMatches => ("ForAnyValue:", "some "),
                    Reach::SomeMisses => ("ForAllValues:", "every "),
                };
                let name = comparison.name(false).unwrap_or_default();
                let text = format!("{every}{} {}", key.as_str(), words(*comparison, false, &values));
                Residual::Not(Box::new(atom(format!("{prefix}{name}"), values, text)))
            }
        }
    }
}

/// The comparison in words.
fn words(comparison: Comparison, negated: bool, values: &[String]) -> String {
    use Comparison as C;
    let not = if negated { "not " } else { "" };
    let list = match values {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    let many = values.len() > 1;
    match comparison {
        C::StringLike | C::ArnLike | C::ArnEquals => format!("{not}like {list}"),
        C::IpAddress => format!("{not}in {list}"),
        C::Bool => format!("is {list}"),
        C::NumericLessThan => format!("< {list}"),
        C::NumericLessThanEquals => format!("<= {list}"),
        C::NumericGreaterThan => format!("> {list}"),
        C::NumericGreaterThanEquals => format!(">= {list}"),
        C::DateLessThan => format!("before {list}"),
        C::DateLessThanEquals => format!("not after {list}"),
        C::DateGreaterThan => format!("after {list}"),
        C::DateGreaterThanEquals => format!("not before {list}"),
        C::StringEqualsIgnoreCase => format!("{not}in any case {}{list}", if many { "in " } else { "" }),
        _ if many => format!("{not}in {list}"),
        _ if negated => format!("!= {list}"),
        _ => format!("= {list}"),
    }
}
