use proptest::prelude::*;

use super::*;

/// A comparison of one of three keys with a set of values out of four; no values: the key is present.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Set(u8, Vec<u8>);

impl Set {
    fn truth(&self, value: Option<u8>) -> bool {
        value.is_some_and(|value| self.1.is_empty() || self.1.contains(&value))
    }
}

impl Leaf for Set {
    fn implies(&self, other: &Self) -> bool {
        self.0 == other.0 && (other.1.is_empty() || (!self.1.is_empty() && self.1.iter().all(|value| other.1.contains(value))))
    }

    fn excludes(&self, other: &Self) -> bool {
        self.0 == other.0 && !self.1.is_empty() && !other.1.is_empty() && self.1.iter().all(|value| !other.1.contains(value))
    }

    fn narrowed(&self, other: &Self, positive: bool) -> Option<Self> {
        if self.0 != other.0 || self == other || self.1.is_empty() {
            return None;
        }
        let kept: Vec<u8> = self
            .1
            .iter()
            .copied()
            .filter(|value| other.truth(Some(*value)) == positive)
            .collect();
        (!kept.is_empty() && kept.len() < self.1.len()).then_some(Self(self.0, kept))
    }

    fn residual(&self, positive: bool) -> Residual {
        let atom = Residual::Atom(Atom {
            key: self.0.to_string(),
            operator: "Set".to_owned(),
            values: self.1.iter().map(u8::to_string).collect(),
            text: format!("{self:?}"),
            caller_controlled: false,
        });
        if positive { atom } else { Residual::Not(Box::new(atom)) }
    }
}

type Request = [Option<u8>; 3];

/// Kleene's three values: none is unknown.
fn evaluate(formula: &Formula<Set>, request: Request) -> Option<bool> {
    match formula {
        Formula::True => Some(true),
        Formula::False => Some(false),
        Formula::Unknown => None,
        Formula::Is(leaf, positive) => Some(leaf.truth(request[usize::from(leaf.0)]) == *positive),
        Formula::All(members) => {
            let truths: Vec<Option<bool>> = members.iter().map(|member| evaluate(member, request)).collect();
            if truths.contains(&Some(false)) {
                Some(false)
            } else if truths.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Formula::Any(members) => {
            evaluate(&Formula::All(members.iter().cloned().map(Formula::negated).collect()), request).map(|truth| !truth)
        }
    }
}

fn formula() -> impl Strategy<Value = Formula<Set>> {
    let leaf = (0..3_u8, proptest::collection::btree_set(0..4_u8, 0..3), any::<bool>())
        .prop_map(|(key, values, positive)| Formula::Is(Set(key, values.into_iter().collect()), positive));
    let start = prop_oneof![8 => leaf, 1 => Just(Formula::Unknown), 1 => any::<bool>().prop_map(Formula::from)];
    start.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|members| members.into_iter().fold(Formula::True, Formula::and)),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|members| members.into_iter().fold(Formula::False, Formula::or)),
            inner.prop_map(Formula::negated),
        ]
    })
}

fn request() -> impl Strategy<Value = Request> {
    [
        proptest::option::of(0..5_u8),
        proptest::option::of(0..5_u8),
        proptest::option::of(0..5_u8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn simplifying_keeps_the_meaning(formula in formula(), request in request()) {
        prop_assert_eq!(evaluate(&formula.clone().simplified(), request), evaluate(&formula, request));
    }

    #[test]
    fn simplifying_again_changes_nothing(formula in formula()) {
        let once = formula.simplified();
        prop_assert_eq!(once.clone().simplified(), once);
    }

    #[test]
    fn a_formula_and_its_opposite_never_hold_together(formula in formula(), request in request()) {
        let both = formula.clone().and(formula.negated());
        prop_assert_ne!(evaluate(&both.simplified(), request), Some(true));
    }
}

fn is(key: u8, values: &[u8], positive: bool) -> Formula<Set> {
    Formula::Is(Set(key, values.to_vec()), positive)
}

#[test]
fn contradictions_and_tautologies_are_seen() {
    assert_eq!(is(0, &[1], true).and(is(0, &[2], true)).simplified(), Formula::False);
    assert_eq!(is(0, &[1], true).and(is(0, &[], false)).simplified(), Formula::False);
    assert_eq!(is(0, &[1], true).or(is(0, &[1], false)).simplified(), Formula::True);
    assert_eq!(is(0, &[1], false).or(is(0, &[2], false)).simplified(), Formula::True);
    // Neither holds where the key is absent.
    assert_eq!(is(0, &[1], true).or(is(0, &[], true)).simplified(), is(0, &[], true));
}

#[test]
fn one_comparison_acts_on_all_others() {
    assert_eq!(is(0, &[1, 2], true).and(is(0, &[2, 3], true)).simplified(), is(0, &[2], true));
    let guarded = is(0, &[1], true).or(is(1, &[1], true)).and(is(0, &[1], false));
    assert_eq!(guarded.simplified(), is(0, &[1], false).and(is(1, &[1], true)));
    let absorbed = is(0, &[1], true).and(is(0, &[1], true).or(is(1, &[1], true)));
    assert_eq!(absorbed.simplified(), is(0, &[1], true));
}

#[test]
fn what_is_unknown_stays_only_where_it_matters() {
    assert_eq!(Formula::<Set>::Unknown.and(Formula::False), Formula::False);
    assert_eq!(Formula::<Set>::Unknown.or(Formula::True), Formula::True);
    let open = is(0, &[1], true).and(Formula::Unknown).simplified();
    assert_eq!((open.verdict(), open.residual()), (Verdict::Unknown, None));
    assert_eq!(
        is(0, &[1], true).and(is(0, &[1], false)).or(Formula::Unknown).simplified(),
        Formula::Unknown
    );
}
