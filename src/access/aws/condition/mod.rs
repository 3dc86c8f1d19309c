//! Conditions (W18–W23): compiled tests, evaluated against what is known of a request. What depends on the request stays as a formula.

mod leaf;
mod operator;
mod value;

use std::borrow::Cow;

pub use leaf::{Leaf, Operand, Reach};
pub use operator::{Comparison, Operator, Quantifier};

use super::key::Key;
use super::variables::{Bound, Filled, Template, Text, Wildcards};
use crate::access::formula::Formula;

/// What is known about one key of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<'a> {
    /// It has this value.
    One(Cow<'a, str>),
    /// It has these values.
    Many(Cow<'a, [String]>),
    /// It is not in the request.
    Absent,
    /// It is in the request; its value is not known.
    Present,
    /// Nothing.
    Unknown,
}

impl<'a> Fact<'a> {
    /// A single value.
    pub fn one(value: impl Into<Cow<'a, str>>) -> Self {
        Self::One(value.into())
    }

    fn values(&self) -> Option<Vec<&str>> {
        match self {
            Self::One(value) => Some(vec![value]),
            Self::Many(values) => Some(values.iter().map(String::as_str).collect()),
            Self::Absent | Self::Present | Self::Unknown => None,
        }
    }
}

/// Where conditions and variables look keys up.
pub trait Lookup {
    /// What is known about a key.
    fn fact(&self, key: &Key) -> Fact<'_>;

    /// What stands for a variable. Multivalued keys are no variables (W16).
    fn bound(&self, key: &Key) -> Bound {
        match self.fact(key) {
            Fact::One(value) => Bound::Value(value.into_owned()),
            Fact::Absent => Bound::Absent,
            Fact::Many(_) | Fact::Present | Fact::Unknown => Bound::Unknown,
        }
    }
}

/// One key of one operator, with its values.
#[derive(Debug, Clone)]
pub struct Test {
    key: Key,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// `Null`: whether absent, present or (both values listed) either is asked for.
    Null {
        absent: bool,
        present: bool,
    },
    Compare(Compare),
    /// An unknown operator or unreadable values.
    NotEvaluable,
}

#[derive(Debug, Clone)]
struct Compare {
    comparison: Comparison,
    negated: bool,
    quantifier: Option<Quantifier>,
    if_exists: bool,
    fixed: Box<[Operand]>,
    templates: Box<[Template]>,
    /// The comparison that stays open where the key is unknown; built once where no variable stands in it.
    leaf: Option<Leaf>,
}

impl Test {
    /// A test that cannot be evaluated: whatever it belongs to is unknown where it would matter.
    pub fn not_evaluable(key: &str) -> Self {
        Self {
            key: Key::new(key),
            kind: Kind::NotEvaluable,
        }
    }

    /// Compiles one key of an operator. `Err`: the value that cannot be read, with the reason.
    pub fn compile(operator: Operator, key: &str, values: &[String], variables: bool) -> Result<Self, (usize, String)> {
        let key = Key::new(key);
        let Operator::Compare {
            comparison,
            negated,
            quantifier,
            if_exists,
        } = operator
        else {
            let mut null = (false, false);
            for (at, value) in values.iter().enumerate() {
                match value::boolean(value) {
                    Some(true) => null.0 = true,
                    Some(false) => null.1 = true,
                    None => return Err((at, format!("'{value}' is neither true nor false"))),
                }
            }
            return Ok(Self {
                key,
                kind: Kind::Null {
                    absent: null.0,
                    present: null.1,
                },
            });
        };
        let wildcards = if comparison.has_wildcards() {
            Wildcards::Yes
        } else {
            Wildcards::No
        };
        let mut fixed = Vec::new();
        let mut templates = Vec::new();
        for (at, value) in values.iter().enumerate() {
            match Text::read(value, wildcards, variables) {
                Text::Plain(pattern) => match Operand::new(comparison, value, pattern) {
                    Some(operand) => fixed.push(operand),
                    None => {
                        return Err((
                            at,
                            format!("'{value}' is no value for {}", comparison.name(false).unwrap_or_default()),
                        ));
                    }
                },
                Text::Template(template) => templates.push(template),
            }
        }
        fixed.sort_unstable();
        fixed.dedup();
        let mut compare = Compare {
            comparison,
            negated,
            quantifier,
            if_exists,
            fixed: fixed.into(),
            templates: templates.into(),
            leaf: None,
        };
        if compare.templates.is_empty() {
            compare.leaf = Some(Leaf::compare(
                key.clone(),
                comparison,
                compare.reach(),
                compare.fixed.clone(),
                false,
            ));
        }
        Ok(Self {
            key,
            kind: Kind::Compare(compare),
        })
    }

    /// `StringEquals` with one value, without variables.
    pub fn equals(key: &str, value: &str) -> Self {
        let operator = Operator::Compare {
            comparison: Comparison::StringEquals,
            negated: false,
            quantifier: None,
            if_exists: false,
        };
        Self::compile(operator, key, &[value.to_owned()], false).unwrap_or_else(|_| Self::not_evaluable(key))
    }

    /// Evaluates against what is known.
    pub fn evaluate(&self, lookup: &impl Lookup) -> Formula<Leaf> {
        match &self.kind {
            Kind::NotEvaluable => Formula::Unknown,
            Kind::Null { absent, present } => match (lookup.fact(&self.key), absent, present) {
                (_, true, true) => Formula::True,
                (Fact::Absent, absent, _) => (*absent).into(),
                (Fact::Many(values), absent, _) if values.is_empty() => (*absent).into(),
                (Fact::Unknown, true, false) => Formula::Is(Leaf::present(self.key.clone()), false),
                (Fact::Unknown, false, true) => Formula::Is(Leaf::present(self.key.clone()), true),
                (_, _, present) => (*present).into(),
            },
            Kind::Compare(compare) => compare.evaluate(&self.key, lookup),
        }
    }
}

impl Compare {
    /// How the open comparison reaches over the values of the request. `ForAllValues` is the negation of the opposite `ForAnyValue`.
    fn reach(&self) -> Reach {
        match (self.quantifier, self.negated) {
            (None, _) => Reach::Single,
            (Some(Quantifier::ForAnyValue), false) | (Some(Quantifier::ForAllValues), true) => Reach::SomeMatches,
            (Some(Quantifier::ForAnyValue), true) | (Some(Quantifier::ForAllValues), false) => Reach::SomeMisses,
        }
    }

    /// Whether the open comparison stands negated in the test.
    fn turned(&self) -> bool {
        match self.quantifier {
            None => self.negated,
            Some(Quantifier::ForAnyValue) => false,
            Some(Quantifier::ForAllValues) => true,
        }
    }

    /// W20: what an absent key means.
    fn absent(&self) -> bool {
        match self.quantifier {
            // With IfExists: doubt, reported false.
            Some(Quantifier::ForAnyValue) => false,
            Some(Quantifier::ForAllValues) => true,
            None => self.negated || self.if_exists,
        }
    }

    fn evaluate(&self, key: &Key, lookup: &impl Lookup) -> Formula<Leaf> {
        let fact = lookup.fact(key);
        if matches!(&fact, Fact::Absent) || matches!(&fact, Fact::Many(values) if values.is_empty()) {
            return self.absent().into();
        }
        let (operands, open) = self.operands(lookup);
        let Some(values) = fact.values() else {
            let leaf = match &self.leaf {
                Some(leaf) => leaf.clone(),
                None => Leaf::compare(key.clone(), self.comparison, self.reach(), operands.into_owned().into(), open),
            };
            let asked = Formula::Is(leaf, !self.turned());
            // A comparison that does not already hold where the key is absent.
            let excused = self.if_exists && self.absent() && !self.turned() && fact == Fact::Unknown;
            return if excused {
                Formula::Is(Leaf::present(key.clone()), false).or(asked)
            } else {
                asked
            };
        };
        let known = |value: &str| Operand::any_matches(&operands, self.comparison, value);
        // A multivalued key without a set operator does not match (W20: doubt).
        if self.quantifier.is_none() && values.len() > 1 {
            return Formula::False;
        }
        // What an open value would do: it can only add matches.
        let least = match self.reach() {
            Reach::Single | Reach::SomeMatches => values.iter().any(|value| known(value)),
            Reach::SomeMisses => values.iter().any(|value| !known(value)),
        };
        let settled = !open || (least == (self.reach() != Reach::SomeMisses));
        if settled {
            return (least != self.turned()).into();
        }
        let leaf = Leaf::compare(key.clone(), self.comparison, self.reach(), operands.into_owned().into(), true);
        Formula::Is(leaf, !self.turned())
    }

    /// The values with variables put in, and whether some are open.
    fn operands(&self, lookup: &impl Lookup) -> (Cow<'_, [Operand]>, bool) {
        if self.templates.is_empty() {
            return (Cow::Borrowed(&self.fixed), false);
        }
        let mut operands = self.fixed.to_vec();
        let mut open = false;
        for template in &self.templates {
            match template.fill(|key| lookup.bound(key)) {
                // A value that has the wrong form for the operator matches nothing.
                Filled::Pattern(pattern) => {
                    let text = pattern.text();
                    operands.extend(Operand::new(self.comparison, &text, pattern));
                }
                Filled::Nothing => {}
                Filled::Open(_) => {
                    open = true;
                    operands.push(Operand::open(&template.text));
                }
            }
        }
        operands.sort_unstable();
        operands.dedup();
        (Cow::Owned(operands), open)
    }
}
