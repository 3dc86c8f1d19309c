//! Three-valued formulas over open comparisons, the same for every provider. A decision is a formula: what is known is put in,
//! what depends on the request stays, what could not be evaluated is [`Formula::Unknown`] and spreads only as far as it matters.

#[cfg(test)]
mod tests;

use crate::model::{Atom, Residual, Verdict};

/// An open comparison. Every comparison is false where its key is absent, so that no two of them cover every request.
pub trait Leaf: Clone + Ord {
    /// Whether `self` cannot hold without `other`. May say no where it does not know.
    fn implies(&self, other: &Self) -> bool;

    /// Whether both cannot hold at once. May say no where it does not know.
    fn excludes(&self, other: &Self) -> bool;

    /// The same comparison without those of its values under which `other` does not have the truth `positive`.
    fn narrowed(&self, other: &Self, positive: bool) -> Option<Self>;

    /// As the residual shows it, with or without negation.
    fn residual(&self, positive: bool) -> Residual;
}

/// A formula in negation normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formula<L> {
    /// Holds.
    True,
    /// Does not hold.
    False,
    /// Cannot be known from what was read.
    Unknown,
    /// One comparison, or its negation where the flag is false.
    Is(L, bool),
    /// Every one holds.
    All(Vec<Formula<L>>),
    /// At least one holds.
    Any(Vec<Formula<L>>),
}

/// Past this many members of one node, members are no longer compared pairwise: the formula stays right, only longer.
const PAIRWISE: usize = 96;

impl<L> From<bool> for Formula<L> {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl<L: Leaf> Formula<L> {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, rest) | (rest, Self::True) => rest,
            (Self::Unknown, Self::Unknown) => Self::Unknown,
            (Self::All(mut left), Self::All(right)) => {
                left.extend(right);
                Self::All(left)
            }
            (Self::All(mut members), single) | (single, Self::All(mut members)) => {
                members.push(single);
                Self::All(members)
            }
            (left, right) => Self::All(vec![left, right]),
        }
    }

    /// At least one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, rest) | (rest, Self::False) => rest,
            (Self::Unknown, Self::Unknown) => Self::Unknown,
            (Self::Any(mut left), Self::Any(right)) => {
                left.extend(right);
                Self::Any(left)
            }
            (Self::Any(mut members), single) | (single, Self::Any(mut members)) => {
                members.push(single);
                Self::Any(members)
            }
            (left, right) => Self::Any(vec![left, right]),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::Is(leaf, positive) => Self::Is(leaf, !positive),
            Self::All(members) => Self::Any(members.into_iter().map(Self::negated).collect()),
            Self::Any(members) => Self::All(members.into_iter().map(Self::negated).collect()),
        }
    }

    /// Whether it can be seen without simplifying that it never holds.
    pub fn is_false(&self) -> bool {
        matches!(self, Self::False)
    }

    /// Whether it can be seen without simplifying that it always holds.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::True)
    }

    /// Whether something that could not be evaluated is still in it.
    pub fn holds_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::True | Self::False | Self::Is(..) => false,
            Self::All(members) | Self::Any(members) => members.iter().any(Self::holds_unknown),
        }
    }

    /// The verdict of a formula that says when access is given. Call it on a simplified formula.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::True => Verdict::Allowed,
            Self::False => Verdict::Denied,
            open if open.holds_unknown() => Verdict::Unknown,
            _ => Verdict::Conditional,
        }
    }

    /// The open condition; none where nothing is open or where it cannot be told whole.
    pub fn residual(&self) -> Option<Residual> {
        if self.holds_unknown() { None } else { self.partial_residual() }
    }

    /// The open condition, with an atom of the operator `NotEvaluable` for what could not be evaluated; none where nothing is open.
    pub fn partial_residual(&self) -> Option<Residual> {
        if matches!(self, Self::True | Self::False) {
            None
        } else {
            Some(self.tree())
        }
    }

    fn tree(&self) -> Residual {
        match self {
            Self::True => Residual::And(Vec::new()),
            Self::False => Residual::Or(Vec::new()),
            Self::Unknown => Residual::Atom(Atom {
                key: String::new(),
                operator: "NotEvaluable".to_owned(),
                values: Vec::new(),
                text: "something that cannot be evaluated".to_owned(),
                caller_controlled: false,
            }),
            Self::Is(leaf, positive) => leaf.residual(*positive),
            Self::All(members) => Residual::And(members.iter().map(Self::tree).collect()),
            Self::Any(members) => Residual::Or(members.iter().map(Self::tree).collect()),
        }
    }

    /// The same condition in a canonical, shorter form: contradictions become `False`, tautologies `True`, repetitions go (W23).
    #[must_use]
    pub fn simplified(self) -> Self {
        match self {
            Self::All(members) => Self::conjunction(members),
            // The dual: no second set of rules.
            Self::Any(members) => Self::conjunction(members.into_iter().map(Self::negated).collect())
                .negated()
                .sorted(),
            constant => constant,
        }
    }

    /// Members in canonical order, at every depth.
    fn sorted(self) -> Self {
        let order = |members: Vec<Self>| {
            let mut members: Vec<Self> = members.into_iter().map(Self::sorted).collect();
            members.sort_unstable();
            members
        };
        match self {
            Self::All(members) => Self::All(order(members)),
            Self::Any(members) => Self::Any(order(members)),
            other => other,
        }
    }

    /// Simplifies the members, lets each comparison act on all others, until nothing changes.
    fn conjunction(members: Vec<Self>) -> Self {
        let mut literals: Vec<(L, bool)> = Vec::new();
        let mut groups: Vec<Vec<Self>> = Vec::new();
        let mut unknown = false;
        let mut pending = members;
        while let Some(member) = pending.pop() {
            match member.simplified() {
                Self::True => {}
                Self::False => return Self::False,
                Self::Unknown => unknown = true,
                Self::Is(leaf, positive) => literals.push((leaf, positive)),
                Self::All(inner) => pending.extend(inner),
                Self::Any(inner) => groups.push(inner),
            }
        }
        let mut before = usize::MAX;
        loop {
            literals.sort_unstable();
            literals.dedup();
            if literals.len() <= PAIRWISE && !settle(&mut literals) {
                return Self::False;
            }
            let size = literals.len() + groups.iter().map(Vec::len).sum::<usize>();
            if size >= before && before != usize::MAX {
                break;
            }
            before = size;
            if literals.len() > PAIRWISE || groups.is_empty() {
                break;
            }
            let mut kept = Vec::new();
            for group in groups {
                match Self::under(group, &literals) {
                    Self::True => {}
                    Self::False => return Self::False,
                    Self::Unknown => unknown = true,
                    Self::Is(leaf, positive) => literals.push((leaf, positive)),
                    Self::Any(inner) => kept.push(inner),
                    Self::All(inner) => {
                        for member in inner {
                            match member {
                                Self::Is(leaf, positive) => literals.push((leaf, positive)),
                                Self::Any(inner) => kept.push(inner),
                                Self::False => return Self::False,
                                Self::Unknown => unknown = true,
                                Self::True | Self::All(_) => {}
                            }
                        }
                    }
                }
            }
            groups = kept;
        }
        let mut result: Vec<Self> = literals.into_iter().map(|(leaf, positive)| Self::Is(leaf, positive)).collect();
        result.extend(groups.into_iter().map(Self::Any));
        if unknown {
            result.push(Self::Unknown);
        }
        result.sort_unstable();
        result.dedup();
        match result.len() {
            0 => Self::True,
            1 => result.pop().unwrap_or(Self::True),
            _ => Self::All(result),
        }
    }

    /// A disjunction, given that the literals hold.
    fn under(group: Vec<Self>, literals: &[(L, bool)]) -> Self {
        let mut kept = Vec::new();
        for member in group {
            if let Self::Is(leaf, positive) = &member {
                if literals.iter().any(|given| entails(given, &(leaf.clone(), *positive))) {
                    return Self::True;
                }
                if literals.iter().any(|given| entails(given, &(leaf.clone(), !*positive))) {
                    continue;
                }
            }
            kept.push(member);
        }
        match kept.len() {
            0 => Self::False,
            1 => kept.pop().unwrap_or(Self::False),
            _ => Self::Any(kept),
        }
    }
}

/// Lets literals act on each other; false where they contradict.
fn settle<L: Leaf>(literals: &mut Vec<(L, bool)>) -> bool {
    for at in 0..literals.len() {
        let Some((leaf, true)) = literals.get(at).cloned() else { continue };
        let mut narrow = leaf;
        for (other, positive) in literals.iter() {
            if let Some(smaller) = narrow.narrowed(other, *positive) {
                narrow = smaller;
            }
        }
        if let Some(slot) = literals.get_mut(at) {
            slot.0 = narrow;
        }
    }
    let mut kept: Vec<(L, bool)> = Vec::with_capacity(literals.len());
    for literal in std::mem::take(literals) {
        let opposite = (literal.0.clone(), !literal.1);
        if kept.iter().any(|other| entails(other, &opposite)) {
            return false;
        }
        if kept.iter().any(|other| entails(other, &literal)) {
            continue;
        }
        kept.retain(|other| !entails(&literal, other));
        kept.push(literal);
    }
    kept.sort_unstable();
    *literals = kept;
    true
}

/// Whether the first literal cannot hold without the second.
fn entails<L: Leaf>(first: &(L, bool), second: &(L, bool)) -> bool {
    match (first, second) {
        ((a, true), (b, true)) => a == b || a.implies(b),
        ((a, true), (b, false)) => a != b && a.excludes(b),
        ((a, false), (b, false)) => a == b || b.implies(a),
        ((_, false), (_, true)) => false,
    }
}
