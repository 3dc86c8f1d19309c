//! What an open condition asks for: does it only hold where some comparison holds that a rule accepts?

use crate::model::{Atom, Residual};

/// One comparison that must hold in a branch of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// The key is there and equals one of the values.
    Is {
        /// The context key as written.
        key: &'a str,
        /// How `values` are read.
        how: How,
        /// Any of them.
        values: &'a [String],
    },
    /// The key is not in the request.
    Absent {
        /// The context key as written.
        key: &'a str,
    },
}

/// How a value of a comparison is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it stands; `*` and `?` are characters.
    Literal,
    /// With `*` and `?` over the whole text.
    Pattern,
    /// With `*` and `?` inside each of the six parts of an ARN (W21).
    Arn,
}

impl How {
    /// Whether a value names exactly one thing: no wildcard, and no variable whose value the request decides.
    pub fn fixes(self, value: &str) -> bool {
        !value.contains("${") && (self == Self::Literal || !value.contains(['*', '?']))
    }
}

/// Whether the condition can only hold where a comparison holds that `accepts` takes: in every branch of it, at least one. No
/// condition always holds, so asks for nothing.
pub fn requires(condition: Option<&Residual>, accepts: &dyn Fn(Fact<'_>) -> bool) -> bool {
    condition.is_some_and(|condition| holds_only_with(condition, true, accepts))
}

/// All comparisons of the condition that must hold in some branch, for naming what they name.
pub fn facts(condition: Option<&Residual>) -> Vec<Fact<'_>> {
    let mut found = Vec::new();
    if let Some(condition) = condition {
        collect(condition, true, &mut found);
    }
    found
}

fn holds_only_with(condition: &Residual, positive: bool, accepts: &dyn Fn(Fact<'_>) -> bool) -> bool {
    match condition {
        Residual::And(members) if positive => members.iter().any(|member| holds_only_with(member, true, accepts)),
        // An empty Or never holds, so nothing gets past it.
        Residual::Or(members) if positive => members.iter().all(|member| holds_only_with(member, true, accepts)),
        Residual::And(members) => members.iter().all(|member| holds_only_with(member, false, accepts)),
        Residual::Or(members) => members.iter().any(|member| holds_only_with(member, false, accepts)),
        Residual::Not(inner) => holds_only_with(inner, !positive, accepts),
        Residual::Atom(atom) => alternatives(atom, positive).is_some_and(|facts| facts.into_iter().flatten().all(accepts)),
    }
}

fn collect<'a>(condition: &'a Residual, positive: bool, found: &mut Vec<Fact<'a>>) {
    match condition {
        Residual::And(members) | Residual::Or(members) => members.iter().for_each(|member| collect(member, positive, found)),
        Residual::Not(inner) => collect(inner, !positive, found),
        Residual::Atom(atom) => found.extend(alternatives(atom, positive).into_iter().flatten().flatten()),
    }
}

/// What is true for certain where a comparison holds (`positive`) or does not: one of the facts. None where that limits nothing: negated
/// operators exclude values but leave all others, `ForAllValues` holds for an absent key whatever it lists (W20), and that a key is
/// present says nothing of its value.
fn alternatives(atom: &Atom, positive: bool) -> Option<[Option<Fact<'_>>; 2]> {
    let key = atom.key.as_str();
    if atom.operator == "Null" {
        let absent = atom.values.iter().any(|value| value.eq_ignore_ascii_case("true")) == positive;
        return absent.then_some([Some(Fact::Absent { key }), None]);
    }
    let (quantifier, operator) = atom.operator.split_once(':').unwrap_or(("", &atom.operator));
    let (operator, if_exists) = operator.strip_suffix("IfExists").map_or((operator, false), |base| (base, true));
    let (how, negated) = match operator {
        "StringEquals" | "StringEqualsIgnoreCase" | "Bool" => (How::Literal, false),
        "StringLike" => (How::Pattern, false),
        "ArnEquals" | "ArnLike" => (How::Arn, false),
        "StringNotEquals" | "StringNotEqualsIgnoreCase" => (How::Literal, true),
        "StringNotLike" => (How::Pattern, true),
        "ArnNotEquals" | "ArnNotLike" => (How::Arn, true),
        _ => return None,
    };
    let equals = Fact::Is {
        key,
        how,
        values: &atom.values,
    };
    match (positive, negated, quantifier) {
        (true, false, "ForAllValues") | (false, true, "ForAnyValue") => None,
        (true, false, _) => Some([Some(equals), if_exists.then_some(Fact::Absent { key })]),
        // A negated operator that does not hold: the key is there and equals, since for an absent key it would hold.
        (false, true, _) => Some([Some(equals), None]),
        _ => None,
    }
}
