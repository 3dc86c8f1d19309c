//! The access cases of `cases-format.md` for AWS, run against the library. The files are given to the project and not part of it: where
//! they are absent the test says so and counts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ciem::access::{ContextValue, Decision, Entitlements, Matching, Question};
use ciem::model::Verdict;
use ciem::snapshot::Snapshot;
use serde_json::Value;

/// What a file came to.
#[derive(Default)]
struct Tally {
    agreed: usize,
    total: usize,
    disputed: usize,
    by_rule: BTreeMap<String, (usize, usize)>,
    /// `case/question: expected …, got …`
    wrong: Vec<String>,
    /// Cases with an answer that does not agree.
    cases: BTreeSet<String>,
    /// Of these, cases with a definite answer: worse than not knowing.
    definite: BTreeSet<String>,
}

fn run(path: &Path) -> Option<Tally> {
    let text = std::fs::read_to_string(path).ok()?;
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::default();
    for (at, case) in file["cases"].as_array().unwrap().iter().enumerate() {
        let id = case["id"].as_str().unwrap();
        let snapshots = ciem::snapshot::read(input_text(&text, at).as_bytes(), id).unwrap();
        let snapshots: Vec<&Snapshot> = snapshots.iter().collect();
        let organization = ciem::access::aws::Organization::build(&snapshots);
        let questions = case["questions"].as_array().unwrap();
        for (at, (question, expected)) in questions.iter().zip(case["expected"].as_array().unwrap()).enumerate() {
            if question["kind"] == "who-can" {
                continue;
            }
            let decision = organization.decide(&asked(question));
            let agrees = agrees(&decision, expected);
            if !agrees && case["disputed"] == true {
                tally.disputed += 1;
                println!("disputed: {}", difference(id, at, expected, &decision));
                continue;
            }
            tally.total += 1;
            tally.agreed += usize::from(agrees);
            for rule in case["rules"].as_array().into_iter().flatten() {
                let entry = tally.by_rule.entry(rule.as_str().unwrap().to_owned()).or_default();
                entry.0 += usize::from(agrees);
                entry.1 += 1;
            }
            if !agrees {
                tally.wrong.push(difference(id, at, expected, &decision));
                tally.cases.insert(id.to_owned());
                if matches!(decision.verdict, Verdict::Allowed | Verdict::Denied) {
                    tally.definite.insert(id.to_owned());
                }
            }
        }
    }
    Some(tally)
}

/// The input as it stands in the file: a parsed value has lost duplicate keys.
fn input_text(text: &str, at: usize) -> String {
    #[derive(serde::Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        cases: Vec<Case<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Case<'a> {
        #[serde(borrow)]
        input: &'a serde_json::value::RawValue,
    }
    serde_json::from_str::<File<'_>>(text).unwrap().cases[at].input.get().to_owned()
}

fn asked(question: &Value) -> Question {
    let text = |name: &str| question[name].as_str().unwrap_or_default().to_owned();
    let mut provider = serde_json::Map::new();
    for name in ["resourceAccount", "sessionPolicies", "vpcEndpointPolicies"] {
        if let Some(value) = question.get(name) {
            provider.insert(name.to_owned(), value.clone());
        }
    }
    Question {
        principal: text("principal"),
        action: text("action"),
        resource: text("resource"),
        context: question["context"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), serde_json::from_value::<ContextValue>(value.clone()).unwrap()))
            .collect(),
        context_complete: question["contextComplete"] == true,
        matching: if question["match"] == "all" { Matching::All } else { Matching::Any },
        provider,
        ..Question::default()
    }
}

fn agrees(decision: &Decision, expected: &Value) -> bool {
    let verdict = serde_json::to_value(decision.verdict).unwrap() == expected["verdict"];
    verdict
        && expected["reason_code"]
            .as_str()
            .is_none_or(|code| code == decision.reason_code.as_str())
}

fn difference(id: &str, at: usize, expected: &Value, decision: &Decision) -> String {
    format!(
        "{id}/{at}: expected {} {}, got {:?} {} ({})",
        expected["verdict"].as_str().unwrap_or_default(),
        expected["reason_code"].as_str().unwrap_or_default(),
        decision.verdict,
        decision.reason_code.as_str(),
        decision.reason
    )
}

fn report(name: &str, path: &str) -> Option<Tally> {
    let Some(file) = crate::support::shared_data::folder(path) else {
        println!("{name}: skipped: no ../shared/data/{path}, 0 cases");
        return None;
    };
    let tally = run(&file)?;
    println!(
        "{name}: {} of {} questions agree, {} disputed",
        tally.agreed, tally.total, tally.disputed
    );
    for (rule, (agreed, total)) in &tally.by_rule {
        println!("  {rule:<4} {agreed}/{total}");
    }
    for wrong in &tally.wrong {
        println!("  {wrong}");
    }
    Some(tally)
}

/// Cases that need what is not evaluated yet, with the reason. Their answers are unknown, never wrong.
const NOT_YET: &[(&str, &str)] = &[
    ("AW-093", "W8: Block Public Access that closes a bucket"),
    ("AW-097", "W8: whether a bucket policy counts as public"),
    ("AW-099", "W8: ACLs"),
    ("AW-101", "W8: ACLs"),
];

/// Cases whose input does not hold what their answer rests on.
const WRONG_INPUT: &[(&str, &str)] = &[(
    "IS-can-i-22",
    "in the original the account is the organization's management account; the input does not say so",
)];

#[test]
fn access_cases_by_rule() {
    let Some(tally) = report("own cases", "aws/own-cases.json") else {
        return;
    };
    assert_eq!(
        tally.cases,
        NOT_YET.iter().map(|(id, _)| (*id).to_owned()).collect(),
        "{:#?}",
        tally.wrong
    );
    assert!(tally.definite.is_empty(), "definite and wrong: {:?}", tally.definite);
}

#[test]
fn iamspy_cases() {
    let Some(tally) = report("IAMSpy", "aws/cases.json") else { return };
    assert_eq!(
        tally.cases,
        WRONG_INPUT.iter().map(|(id, _)| (*id).to_owned()).collect(),
        "{:#?}",
        tally.wrong
    );
}
