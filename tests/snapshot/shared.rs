//! Every file of the team's AWS data sets is read; where the data is not beside the checkout, nothing is and a line says so.

use std::fs;

use ciem::snapshot::aws::Account;
use ciem::snapshot::read;
use serde_json::Value;

use crate::support::shared_data::json_files;

/// Reads and decodes a file; gives its accounts.
fn accounts(bytes: &[u8], name: &str) -> Vec<Account> {
    let snapshots = read(bytes, name).unwrap_or_else(|error| panic!("{error}"));
    snapshots
        .iter()
        .map(|snapshot| Account::decode(snapshot).unwrap_or_else(|error| panic!("{name}: {error}")).0)
        .collect()
}

#[test]
fn account_files_are_read() {
    let mut read = 0;
    for path in ["aws/accounts", "aws/escalation"].into_iter().flat_map(json_files) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("account") && !path.parent().unwrap().ends_with("accounts") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let accounts = accounts(&bytes, &path.to_string_lossy());
        assert_eq!(accounts.len(), 1);
        let count = |list: &str| value[list].as_array().map(Vec::len);
        assert_eq!(accounts[0].users.as_ref().map(Vec::len), count("UserDetailList"), "{name}");
        assert_eq!(accounts[0].groups.as_ref().map(Vec::len), count("GroupDetailList"), "{name}");
        assert_eq!(accounts[0].roles.as_ref().map(Vec::len), count("RoleDetailList"), "{name}");
        assert_eq!(accounts[0].policies.as_ref().map(Vec::len), count("Policies"), "{name}");
        let resources = accounts[0].resources.as_ref().zip(accounts[0].credentials.as_ref());
        assert_eq!(
            resources.map(|(resources, credentials)| resources.len() + credentials.len()),
            count("resources"),
            "{name}"
        );
        read += 1;
    }
    println!("{read} account files read");
}

#[test]
fn inputs_of_the_cases_are_read() {
    let mut read = 0;
    for path in json_files("aws")
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("cases.json")))
    {
        let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let accounts = accounts(case["input"].to_string().as_bytes(), case["id"].as_str().unwrap());
            assert_eq!(accounts.len(), case["input"]["accounts"].as_array().unwrap().len());
            for layer in ["serviceControlPolicies", "resourceControlPolicies"] {
                let decoded = |account: &Account| {
                    if layer.starts_with('s') {
                        account.service_control_policies.is_some()
                    } else {
                        account.resource_control_policies.is_some()
                    }
                };
                assert!(
                    accounts
                        .iter()
                        .all(|account| decoded(account) == case["input"].get(layer).is_some()),
                    "{}",
                    case["id"]
                );
            }
            read += 1;
        }
    }
    println!("{read} inputs read");
}

#[test]
fn every_other_file_is_told_apart() {
    let (mut accepted, mut refused) = (0, 0);
    for path in json_files("aws") {
        match read(&fs::read(&path).unwrap(), &path.to_string_lossy()) {
            Ok(_) => accepted += 1,
            Err(error) => {
                refused += 1;
                assert!(!error.reason.starts_with("not JSON") && error.place.line > 0, "{error}");
            }
        }
    }
    println!("{accepted} files are snapshots, {refused} are not");
}

#[test]
fn inputs_of_other_clouds_are_named() {
    for (folder, provider) in [("azure", "Azure"), ("gcp", "GCP")] {
        for path in json_files(folder).into_iter().filter(|path| path.ends_with("cases.json")) {
            let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for case in file["cases"].as_array().unwrap() {
                let error = read(case["input"].to_string().as_bytes(), "input").unwrap_err();
                assert!(
                    error.reason.contains(&format!("snapshots of {provider} are not supported yet")),
                    "{}: {error}",
                    case["id"]
                );
            }
        }
    }
}
