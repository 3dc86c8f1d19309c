//! What a condition asks for, and patterns.

use proptest::prelude::*;
use rstest::rstest;

use super::super::condition::{Fact, How, facts, requires};
use super::super::glob;
use crate::model::{Atom, Residual};

fn atom(key: &str, operator: &str, values: &[&str]) -> Residual {
    Residual::Atom(Atom {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: values.iter().map(ToString::to_string).collect(),
        text: String::new(),
        caller_controlled: false,
    })
}

fn not(inner: Residual) -> Residual {
    Residual::Not(Box::new(inner))
}

/// Whether the condition requires that key `k` is one of the values of some comparison.
fn asks(condition: &Residual) -> bool {
    requires(Some(condition), &|fact| matches!(fact, Fact::Is { key: "k", .. }))
}

#[rstest]
#[case("StringEquals", true)]
#[case("StringEqualsIgnoreCase", true)]
#[case("StringLike", true)]
#[case("ArnLike", true)]
#[case("ArnEquals", true)]
#[case("Bool", true)]
#[case("ForAnyValue:StringEquals", true)]
#[case("ForAllValues:StringEquals", false)]
#[case("StringEqualsIfExists", false)]
#[case("StringNotEquals", false)]
#[case("StringNotLike", false)]
#[case("ForAnyValue:StringNotEquals", false)]
#[case("ForAllValues:StringNotEquals", false)]
#[case("NumericEquals", false)]
#[case("Null", false)]
#[case("Something", false)]
fn only_positive_operators_that_need_the_key_ask(#[case] operator: &str, #[case] expected: bool) {
    assert_eq!(asks(&atom("k", operator, &["v"])), expected);
}

/// "Does not hold" of a negated operator needs the key, except where some other value of the key suffices (`ForAnyValue`).
#[rstest]
#[case("StringNotEquals", true)]
#[case("StringNotEqualsIfExists", true)]
#[case("StringNotLike", true)]
#[case("ArnNotLike", true)]
#[case("ForAllValues:StringNotEquals", true)]
#[case("ForAnyValue:StringNotEquals", false)]
#[case("StringEquals", false)]
#[case("Null", false)]
fn a_negated_operator_that_does_not_hold_asks(#[case] operator: &str, #[case] expected: bool) {
    assert_eq!(asks(&not(atom("k", operator, &["v"]))), expected);
}

#[test]
fn every_branch_must_ask() {
    let (yes, other) = (atom("k", "StringEquals", &["v"]), atom("o", "StringEquals", &["v"]));
    assert!(asks(&Residual::And(vec![other.clone(), yes.clone()])));
    assert!(!asks(&Residual::And(vec![other.clone(), other.clone()])));
    assert!(asks(&Residual::Or(vec![yes.clone(), yes.clone()])));
    assert!(!asks(&Residual::Or(vec![yes.clone(), other.clone()])));
    // By De Morgan, and twice negated.
    let no = atom("k", "StringNotEquals", &["v"]);
    assert!(asks(&not(Residual::Or(vec![no.clone(), other.clone()]))));
    assert!(!asks(&not(Residual::And(vec![no.clone(), other]))));
    assert!(asks(&not(not(yes))));
    // What never holds lets nobody through; what always holds lets everybody.
    assert!(asks(&Residual::Or(Vec::new())));
    assert!(!asks(&Residual::And(Vec::new())));
    assert!(!requires(None, &|_| true));
}

#[test]
fn absence_is_a_fact() {
    let absent = |condition: &Residual| requires(Some(condition), &|fact| fact == Fact::Absent { key: "k" });
    assert!(absent(&atom("k", "Null", &["true"])));
    assert!(absent(&not(atom("k", "Null", &["false"]))));
    assert!(!absent(&atom("k", "Null", &["false"])));
    let tolerant = atom("k", "StringEqualsIfExists", &["v"]);
    assert!(requires(Some(&tolerant), &|fact| matches!(
        fact,
        Fact::Absent { key: "k" } | Fact::Is { key: "k", .. }
    )));
    assert_eq!(facts(Some(&tolerant)).len(), 2);
    assert!(facts(None).is_empty());
}

#[rstest]
#[case(How::Literal, "a*", true)]
#[case(How::Pattern, "a*", false)]
#[case(How::Arn, "a?", false)]
#[case(How::Pattern, "a", true)]
#[case(How::Literal, "${aws:username}", false)]
fn a_value_fixes_one_thing_or_not(#[case] how: How, #[case] value: &str, #[case] expected: bool) {
    assert_eq!(how.fixes(value), expected);
}

#[rstest]
#[case("", "", true)]
#[case("", "a", false)]
#[case("*", "", true)]
#[case("**", "abc", true)]
#[case("a*c", "abbbc", true)]
#[case("a*c", "abbbd", false)]
#[case("*ab", "aab", true)]
#[case("a?c", "abc", true)]
#[case("a?c", "ac", false)]
#[case("a.c", "abc", false)]
#[case("*-prod-*", "team-prod-prod-x", true)]
#[case("AWS-EXC-*", "AWS-EXC-01", true)]
#[case("aws-*", "AWS-EXC-01", false)]
#[case("*é?", "caféx", true)]
fn patterns_match_whole_texts(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
    assert_eq!(glob::matches(pattern, text), expected);
}

/// By the book: `*` takes some text and then the rest must match.
fn slow(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|taken| slow(rest, &text[taken..])),
        (Some((wanted, rest)), Some((found, behind))) => (*wanted == '?' || wanted == found) && slow(rest, behind),
        _ => false,
    }
}

proptest! {
    #[test]
    fn patterns_match_as_by_the_book(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        let (own, asked): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(glob::matches(&pattern, &text), slow(&own, &asked));
    }
}
