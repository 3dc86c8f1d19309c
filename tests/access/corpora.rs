//! The team's data sets: everything compiles, nothing panics. Skipped with a word where they are absent.

use std::io::Read as _;

use ciem::access::aws::Organization;
use ciem::access::{Entitlements, Question};
use ciem::model::Verdict;
use ciem::snapshot::Snapshot;
use serde_json::{Value, json};

use super::{PROD, ask, from_input, organization, policy, user};
use crate::support::builder::AccountBuilder;
use crate::support::shared_data::{folder, json_files};

#[test]
fn every_account_file_answers() {
    let files = [json_files("aws/accounts"), json_files("aws/escalation")].concat();
    for file in files.iter().filter(|file| {
        file.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("account") || name == "cloudsplaining-example.json")
    }) {
        let snapshots = ciem::snapshot::read(&std::fs::read(file).unwrap(), &file.display().to_string()).unwrap();
        let organization = Organization::build(&snapshots.iter().collect::<Vec<&Snapshot>>());
        for identity in organization.identities() {
            let id = &identity.key.id;
            let wide = organization.grants(id).filter(|grant| grant.effective == Verdict::Allowed).count();
            let _ = organization.trusts(id).count() + organization.attachments(id).count() + organization.unusable(id).len();
            for (action, resource) in [("iam:CreateUser", "*"), ("s3:*", "arn:aws:s3:::*"), ("*", "*")] {
                let decision = organization.decide(&Question {
                    principal: id.clone(),
                    action: action.to_owned(),
                    resource: resource.to_owned(),
                    ..Question::default()
                });
                // A definite grant is found by the question about everything.
                assert!(
                    action != "*" || wide == 0 || decision.verdict == Verdict::Allowed,
                    "{}: {id} {decision:?}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_managed_policy_compiles_without_a_fault() {
    let Some(file) = folder("aws/managed-policies.json.gz") else {
        return println!("skipped: no managed policies, 0 documents");
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut documents = Vec::new();
    let file: Value = serde_json::from_str(&text).unwrap();
    find_documents(&file, &mut documents);
    println!("{} managed policy documents", documents.len());
    assert!(documents.len() > 1_500);
    let account = documents
        .iter()
        .enumerate()
        .fold(AccountBuilder::new(PROD), |account, (at, document)| {
            account.policy(&format!("p{at}"), (*document).clone())
        });
    let organization = organization(vec![account.user("a", |user| user).build()]);
    let faults: Vec<String> = organization
        .coverage()
        .into_iter()
        .filter(|entry| entry.place.contains("Statement"))
        .map(|entry| format!("{} {} {}", entry.entity, entry.place, entry.reason))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
}

fn find_documents<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("Statement") {
                found.push(value);
            } else {
                members.values().for_each(|member| find_documents(member, found));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_documents(item, found)),
        _ => {}
    }
}

#[test]
fn every_control_policy_compiles_and_decides() {
    for (kind, name) in [
        ("serviceControlPolicies", "aws/policies/scp"),
        ("resourceControlPolicies", "aws/policies/rcp"),
        ("serviceControlPolicies", "aws/policies/perimeter"),
    ] {
        for file in json_files(name) {
            let text = std::fs::read_to_string(&file).unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
            let account = AccountBuilder::new(PROD).user("a", |user| user.inline("p", policy(&[super::allow("*", "*")])));
            let levels = json!([{"account": PROD, "levels": [{"id": "r-1", "policies": [full, document]}]}]);
            let organization = from_input(json!({"accounts": [account.build()], kind: levels}));
            for action in ["s3:GetObject", "ec2:RunInstances", "organizations:LeaveOrganization", "iam:*"] {
                let _ = ask(&user("a"), action, "*").of(&organization);
            }
        }
    }
}
