//! Whole accounts through the audit: what is planted is found, and nothing else.

use std::collections::BTreeMap;

use ciem::audit::{AuditInput, AuditOutcome, audit};
use ciem::catalogue::Catalogue;
use ciem::graph::Universe;
use ciem::model::{AuditPolicySpec, Provider};
use ciem::snapshot;
use serde_json::Value;

use crate::support::demo::{DATA, PLANTED, SHOP, demo_accounts};
use crate::support::{generate, shared_data};

fn outcome_of(account: &Value, scope: &str) -> AuditOutcome {
    let snapshots = snapshot::read(account.to_string().as_bytes(), "account.json").unwrap();
    audit(&AuditInput {
        universe: &Universe::build(&snapshots),
        provider: Provider::Aws,
        scope,
        policy: &AuditPolicySpec::default(),
        catalogue: &Catalogue::load().unwrap(),
        now: "2025-11-25T00:00:00Z".parse().unwrap(),
        previous: None,
    })
}

#[test]
fn the_demo_accounts_hold_what_is_planted_and_nothing_else() {
    let mut found: Vec<(&str, String, String)> = Vec::new();
    for (account, scope) in demo_accounts().iter().zip([SHOP, DATA]) {
        let outcome = outcome_of(account, scope);
        assert!(outcome.not_evaluated.is_empty(), "{:?}", outcome.not_evaluated);
        let named = outcome
            .findings
            .into_iter()
            .map(|finding| (scope, finding.identity.unwrap().name, finding.rule));
        found.extend(named);
    }
    found.sort();
    found.dedup();
    let mut planted = PLANTED
        .map(|(account, name, rule)| (account, name.to_owned(), rule.to_owned()))
        .to_vec();
    planted.sort();
    assert_eq!(found, planted);
}

/// Every identity of a large account is judged: a finding, a pass, or said to be without verdict.
#[test]
fn a_large_account_is_judged_whole() {
    let account = generate::generate(7, 5_000, 500, 1_000);
    let outcome = outcome_of(&account, generate::ACCOUNT);
    let listed = |list: &str| u32::try_from(account[list].as_array().unwrap().len()).unwrap();
    assert_eq!(outcome.identities["Role"], listed("RoleDetailList"));
    assert_eq!(outcome.identities["User"], listed("UserDetailList"));
    assert!(outcome.not_evaluated.is_empty(), "{:?}", outcome.not_evaluated);
    assert!(outcome.findings.iter().map(|finding| &finding.id).is_sorted());
    assert!(!outcome.findings.is_empty() && !outcome.groups.is_empty());
}

/// The example account of cloudsplaining: the counts were derived a second time by a script that reads the documents without this engine
/// (the two identities that `*` on `*` is denied again, and `iam:*` with a deny of it, are no findings).
#[test]
fn the_example_account_has_the_findings_that_were_counted_by_hand() {
    let Some(file) = shared_data::folder("aws/accounts/cloudsplaining-example.json") else {
        println!("skipped: no example account");
        return;
    };
    let account: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let outcome = outcome_of(&account, "200611803367");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &outcome.findings {
        *counts.entry(finding.rule.as_str()).or_default() += 1;
    }
    let expected = [
        ("AWS-EXC-01", 7),
        ("AWS-EXC-02", 13),
        ("AWS-EXC-03", 2),
        ("AWS-EXC-13", 42),
        ("AWS-MAP-01", 2),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    assert!(outcome.not_evaluated.is_empty(), "{:?}", outcome.not_evaluated);
    let silent = |name: &str| {
        outcome
            .findings
            .iter()
            .all(|finding| finding.identity.as_ref().unwrap().name != name)
    };
    for name in [
        "fp1-allow-and-deny-role",
        "fp2-allow-and-deny-multiple-policies-role",
        "AWSServiceRoleForSSO",
    ] {
        assert!(silent(name), "{name}");
    }
}
