//! Laws that hold for all policies (proptest). Universes are small, so that patterns, values and questions meet often.

use std::collections::BTreeMap;

use ciem::access::{ContextValue, Entitlements};
use ciem::model::{Residual, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Ask, PROD, allow, ask, deny, organization, policy, user};
use crate::support::builder::AccountBuilder;

const ACTIONS: &[&str] = &[
    "ec2:StartInstances",
    "ec2:StopInstances",
    "sqs:SendMessage",
    "sqs:DeleteQueue",
    "neverheardof:DoThing",
];
const ACTION_PATTERNS: &[&str] = &[
    "*",
    "ec2:*",
    "ec2:St*Instances",
    "EC2:S?artInstances",
    "sqs:*e*",
    "sqs:SendMessage",
    "neverheardof:Do*",
    "*:Do*",
];
const RESOURCES: &[&str] = &[
    "arn:aws:ec2:eu-west-1:111111111111:instance/i-1",
    "arn:aws:ec2:eu-west-1:111111111111:instance/web/i-2",
    "arn:aws:sqs:eu-west-1:111111111111:orders",
];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "arn:aws:ec2:*:*:instance/*",
    "arn:aws:ec2:eu-west-1:111111111111:instance/i-?",
    "arn:aws:*:eu-west-1:111111111111:*r*",
    "arn:aws:ec2:eu-west-1:111111111111:instance/${key:x}*",
];
const KEYS: &[&str] = &["key:x", "key:y"];
const VALUES: &[&str] = &["a", "b", "web"];
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIfExists",
    "StringNotEqualsIfExists",
    "StringLike",
    "StringNotLike",
    "ForAnyValue:StringEquals",
    "ForAllValues:StringEquals",
    "ForAnyValue:StringNotEquals",
    "ForAllValues:StringNotEquals",
    "Null",
];

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(list)
}

fn condition() -> impl Strategy<Value = Value> {
    let test = (
        one_of(OPERATORS),
        one_of(KEYS),
        proptest::collection::vec(one_of(VALUES), 1..3),
        any::<bool>(),
    );
    proptest::collection::vec(test, 0..3).prop_map(|tests| {
        let mut operators: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
        for (operator, key, values, truth) in tests {
            let value = if operator == "Null" {
                json!(truth.to_string())
            } else {
                json!(values)
            };
            operators.entry(operator).or_default().insert(key, value);
        }
        json!(operators)
    })
}

fn statement(effects: &'static [&'static str], resources: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let actions = proptest::collection::vec(one_of(ACTION_PATTERNS), 1..3);
    let targets = proptest::collection::vec(one_of(resources), 1..3);
    (one_of(effects), any::<bool>(), actions, any::<bool>(), targets, condition()).prop_map(
        |(effect, not_action, actions, not_resource, targets, condition)| {
            let action = if not_action { "NotAction" } else { "Action" };
            let resource = if not_resource { "NotResource" } else { "Resource" };
            json!({"Effect": effect, action: actions, resource: targets, "Condition": condition})
        },
    )
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(statement(&["Allow", "Allow", "Deny"], RESOURCE_PATTERNS), 0..5)
}

/// Each key: a value, several, absent, or unknown.
fn context() -> impl Strategy<Value = BTreeMap<String, ContextValue>> {
    let value = prop_oneof![
        one_of(VALUES).prop_map(|value| Some(ContextValue::One(value.to_owned()))),
        Just(Some(ContextValue::Absent)),
        Just(None),
    ];
    proptest::collection::vec(value, KEYS.len()).prop_map(|values| {
        KEYS.iter()
            .zip(values)
            .filter_map(|(key, value)| Some(((*key).to_owned(), value?)))
            .collect()
    })
}

fn question() -> impl Strategy<Value = Ask> {
    (one_of(ACTIONS), one_of(RESOURCES), context()).prop_map(|(action, resource, context)| {
        let mut asked = ask(&user("a"), action, resource);
        asked.0.context = context;
        asked
    })
}

fn of(statements: &[Value]) -> ciem::access::aws::Organization {
    super::user_with(statements)
}

fn bounded(statements: &[Value], boundary: &[Value]) -> ciem::access::aws::Organization {
    let account = AccountBuilder::new(PROD)
        .policy("limit", policy(boundary))
        .user("a", |user| user.inline("p", policy(statements)).boundary("limit"));
    organization(vec![account.build()])
}

/// Truth of a residual for one request, written apart from the engine: one value or none for each key.
fn holds(residual: &Residual, request: &BTreeMap<String, String>, resource: &str) -> bool {
    match residual {
        Residual::And(members) => members.iter().all(|member| holds(member, request, resource)),
        Residual::Or(members) => members.iter().any(|member| holds(member, request, resource)),
        Residual::Not(inner) => !holds(inner, request, resource),
        Residual::Atom(atom) => {
            let value = request.get(&atom.key);
            let listed = |value: &String| atom.values.contains(value);
            match atom.operator.as_str() {
                "Null" => value.is_none() == (atom.values == ["true"]),
                "ResourceLike" => value.is_some_and(|value| resource.contains(&format!("instance/{value}"))),
                // No value of the universe holds a wildcard.
                "StringEquals" | "StringLike" | "ForAnyValue:StringEquals" | "ForAnyValue:StringLike" => value.is_some_and(listed),
                "StringNotEquals" | "StringNotLike" | "ForAllValues:StringNotEquals" => !value.is_some_and(listed),
                "ForAllValues:StringEquals" => value.is_none_or(listed),
                "ForAnyValue:StringNotEquals" => value.is_some_and(|value| !listed(value)),
                other => panic!("no such operator here: {other}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deny_wins(mut list in statements(), asked in question()) {
        list.push(deny("*", "*"));
        prop_assert_eq!(asked.to(&of(&list)), (Verdict::Denied, "explicit-deny".to_owned()));
    }

    #[test]
    fn adding_an_allow_never_removes_access(list in statements(), more in statement(&["Allow"], RESOURCE_PATTERNS), asked in question()) {
        let before = asked.of(&of(&list)).verdict;
        let after = asked.of(&of(&[list, vec![more]].concat())).verdict;
        match before {
            Verdict::Allowed => prop_assert_eq!(after, Verdict::Allowed),
            Verdict::Conditional => prop_assert_ne!(after, Verdict::Denied),
            _ => {}
        }
    }

    #[test]
    fn adding_a_boundary_never_adds_access(list in statements(), boundary in statements(), asked in question()) {
        let before = asked.of(&of(&list)).verdict;
        let after = asked.of(&bounded(&list, &boundary)).verdict;
        match before {
            Verdict::Denied => prop_assert_eq!(after, Verdict::Denied),
            Verdict::Conditional => prop_assert_ne!(after, Verdict::Allowed),
            _ => {}
        }
        prop_assert_eq!(asked.of(&bounded(&list, &[allow("*", "*")])).verdict, before);
    }

    #[test]
    fn order_of_statements_and_policies_never_matters(list in statements(), asked in question(), at in any::<prop::sample::Index>()) {
        let mut turned = list.clone();
        if !turned.is_empty() {
            let middle = at.index(turned.len());
            turned.rotate_left(middle);
        }
        let split = at.index(list.len() + 1);
        let (one, other) = list.split_at(split);
        let account = AccountBuilder::new(PROD).user("a", |user| user.inline("z", policy(one)).inline("b", policy(other)));
        let expected = asked.of(&of(&list));
        for found in [asked.of(&of(&turned)), asked.of(&organization(vec![account.build()]))] {
            prop_assert_eq!(&found.verdict, &expected.verdict);
            prop_assert_eq!(&found.residual, &expected.residual);
            prop_assert_eq!(&found.reason_code, &expected.reason_code);
        }
    }

    #[test]
    fn not_action_complements_action(patterns in proptest::collection::vec(one_of(ACTION_PATTERNS), 1..4), action in one_of(ACTIONS), resource in one_of(RESOURCES)) {
        let says = |element: &str| {
            let organization = of(&[json!({"Effect": "Allow", element: patterns, "Resource": "*"})]);
            ask(&user("a"), action, resource).of(&organization).verdict == Verdict::Allowed
        };
        prop_assert_ne!(says("Action"), says("NotAction"));
    }

    #[test]
    fn residual_and_request_give_the_direct_answer(list in statements(), action in one_of(ACTIONS), resource in one_of(RESOURCES),
                                                   values in proptest::collection::vec(proptest::option::of(one_of(VALUES)), KEYS.len())) {
        let organization = of(&list);
        let open = ask(&user("a"), action, resource).of(&organization);
        let request: BTreeMap<String, String> =
            KEYS.iter().zip(values).filter_map(|(key, value)| Some(((*key).to_owned(), value?.to_owned()))).collect();
        let mut asked = ask(&user("a"), action, resource).complete();
        asked.0.context = request.iter().map(|(key, value)| (key.clone(), ContextValue::One(value.clone()))).collect();
        let direct = asked.of(&organization).verdict;
        prop_assert!(matches!(direct, Verdict::Allowed | Verdict::Denied));
        let expected = match open.verdict {
            Verdict::Allowed => true,
            Verdict::Denied => false,
            _ => holds(open.residual.as_ref().unwrap(), &request, resource),
        };
        prop_assert_eq!(direct == Verdict::Allowed, expected, "{:?}", open);
    }

    #[test]
    fn wildcard_questions_bound_their_matches(list in statements(), boundary in proptest::option::of(statements()), action in one_of(ACTION_PATTERNS)) {
        let organization = match &boundary { Some(boundary) => bounded(&list, boundary), None => of(&list) };
        let any = ask(&user("a"), action, "*").of(&organization).verdict;
        let all = ask(&user("a"), action, "*").all().of(&organization).verdict;
        let matches = |concrete: &&&str| {
            let probe = super::user_with(&[allow(action, "*")]);
            ask(&user("a"), concrete, RESOURCES[0]).of(&probe).verdict == Verdict::Allowed
        };
        for concrete in ACTIONS.iter().filter(matches) {
            for resource in RESOURCES {
                let one = ask(&user("a"), concrete, resource).of(&organization).verdict;
                if one == Verdict::Allowed {
                    prop_assert_eq!(any, Verdict::Allowed, "any misses {} on {}", concrete, resource);
                }
                if one == Verdict::Conditional {
                    prop_assert!(matches!(any, Verdict::Allowed | Verdict::Conditional), "any misses {} on {}", concrete, resource);
                }
                if all == Verdict::Allowed {
                    prop_assert_eq!(one, Verdict::Allowed, "all overlooks {} on {}", concrete, resource);
                }
            }
        }
    }
}

#[test]
fn grants_never_claim_more_than_decide() {
    // A definite grant of everything is one that `decide` allows for an action and a resource that nothing names.
    let organization = of(&[allow("*", "*"), deny("iam:*", "*")]);
    let grant = organization.grants(&user("a")).next().unwrap();
    assert_eq!(grant.effective, Verdict::Allowed);
    ask(
        &user("a"),
        "neverheardof:DoThing",
        "arn:aws:neverheardof:eu-west-1:111111111111:thing",
    )
    .allowed(&organization);
}
