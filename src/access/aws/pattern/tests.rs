use proptest::prelude::*;

use super::*;

/// The definition, word by word: no thought of speed.
fn naive(units: &[Unit], text: &[char]) -> bool {
    match units.split_first() {
        None => text.is_empty(),
        Some((Unit::Char(own), rest)) => text.split_first().is_some_and(|(first, tail)| first == own && naive(rest, tail)),
        Some((Unit::One, rest)) => text.split_first().is_some_and(|(_, tail)| naive(rest, tail)),
        Some((star, rest)) => (0..=text.len()).any(|taken| {
            let (eaten, tail) = text.split_at(taken);
            (*star == Unit::Star || !eaten.contains(&':')) && naive(rest, tail)
        }),
    }
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        4 => proptest::sample::select(vec!['a', 'b', ':', 'é']).prop_map(Unit::Char),
        1 => Just(Unit::One),
        2 => Just(Unit::Star),
        1 => Just(Unit::PartStar),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    proptest::collection::vec(unit(), 0..8).prop_map(Pattern::from_units)
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec!['a', 'b', ':', 'é']), 0..9).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matches_what_the_definition_matches(pattern in pattern(), text in text()) {
        let chars: Vec<char> = text.chars().collect();
        prop_assert_eq!(pattern.matches(&text), naive(&pattern.units(), &chars), "{:?} on {}", pattern, text);
    }

    #[test]
    fn a_pattern_matches_its_own_point(pattern in pattern()) {
        prop_assert!(pattern.matches(&pattern.point()));
        prop_assert!(pattern.contains(&pattern));
    }

    #[test]
    fn a_containing_pattern_matches_all_that_the_other_does(outer in pattern(), inner in pattern(), text in text()) {
        let whole = |pattern: &Pattern| !pattern.units().contains(&Unit::PartStar);
        if whole(&outer) && outer.contains(&inner) && inner.matches(&text) {
            prop_assert!(outer.matches(&text), "{:?} contains {:?} but not {}", outer, inner, text);
        }
    }

    #[test]
    fn intersections_match_exactly_what_both_do(left in pattern(), right in pattern(), text in text()) {
        let whole = |pattern: &Pattern| !pattern.units().contains(&Unit::PartStar);
        if let (Some(found), true) = (left.intersections(&right), whole(&left) && whole(&right)) {
            let both = left.matches(&text) && right.matches(&text);
            prop_assert_eq!(found.iter().any(|pattern| pattern.matches(&text)), both, "{:?} and {:?} give {:?} on {}", left, right, found, text);
        }
    }
}

#[test]
fn forms_are_the_shortest() {
    assert_eq!(Pattern::glob("***"), Pattern::Anything);
    assert_eq!(Pattern::glob("ab"), Pattern::Exact("ab".into()));
    assert_eq!(Pattern::glob("ab**"), Pattern::Prefix("ab".into()));
    assert!(matches!(Pattern::glob("a*b"), Pattern::Units(_)));
}

#[test]
fn one_takes_a_character_not_a_byte() {
    assert!(Pattern::glob("a?c").matches("aéc"));
    assert!(!Pattern::glob("a?c").matches("aééc"));
    assert!(Pattern::glob("*?").matches("é"));
    assert!(!Pattern::glob("*??").matches("é"));
}

#[test]
fn stars_of_a_part_stop_at_its_end() {
    let pattern = Pattern::glob("arn:aws:ec2:*:*:instance/*").by_parts();
    assert!(pattern.matches("arn:aws:ec2:eu-west-1:1:instance/a:b"));
    assert!(!pattern.matches("arn:aws:ec2:eu-west-1:1:image/x:instance/a"));
    assert!(Pattern::glob("arn:aws:ec2:*:*:instance/*").matches("arn:aws:ec2:eu-west-1:1:image/x:instance/a"));
    assert_eq!(
        Pattern::glob("arn:aws:sqs:eu-*:orders").by_parts(),
        Pattern::glob("arn:aws:sqs:eu-*:orders")
    );
}

#[test]
fn too_many_intersections_are_given_up() {
    let left = Pattern::glob(&"*a".repeat(40));
    let right = Pattern::glob(&"*b".repeat(40));
    assert_eq!(left.intersections(&right), None);
    assert!(left.intersects(&right));
    assert!(!Pattern::glob("a*").intersects(&Pattern::glob("b*")));
}
