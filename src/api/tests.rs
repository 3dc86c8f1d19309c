//! The kinds as data: `crds/` is what the types say, and the schemas keep the conventions. What the API server makes of them is
//! shown in `e2e/manifests.rs`.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use super::*;

/// Folder of the generated definitions.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
/// First line of each generated file.
const HEADER: &str = "# Generated from src/model and src/api by `make crds`; do not edit.\n";

/// Each definition as JSON, with its kind.
fn definitions() -> Vec<(String, Value)> {
    let definition = |crd: CustomResourceDefinition| (crd.spec.names.kind.clone(), serde_json::to_value(crd).unwrap());
    crds().unwrap().into_iter().map(definition).collect()
}

/// Each schema of a definition that stands for a value, with its path; the root is "".
fn schemas(definition: &Value) -> Vec<(String, &Value)> {
    let mut found = vec![(String::new(), &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])];
    let mut next = 0;
    while let Some((path, schema)) = found.get(next).cloned() {
        next += 1;
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            found.push((format!("{path}.{name}"), member));
        }
        found.extend(schema.get("items").map(|items| (format!("{path}[]"), items)));
        found.extend(schema.get("additionalProperties").map(|values| (format!("{path}{{}}"), values)));
    }
    found
}

/// Every value in a JSON document.
fn values(document: &Value) -> Vec<&Value> {
    let mut found = vec![document];
    let mut next = 0;
    while let Some(value) = found.get(next).copied() {
        next += 1;
        match value {
            Value::Object(members) => found.extend(members.values()),
            Value::Array(items) => found.extend(items),
            _ => {}
        }
    }
    found
}

#[test]
fn files_are_what_the_types_say() {
    // `make crds` sets it.
    let update = std::env::vars().any(|(key, value)| key == "UPDATE_CRDS" && value == "1");
    let mut expected = BTreeSet::from(["kustomization.yaml".to_owned()]);
    for crd in crds().unwrap() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        let path = format!("{FOLDER}/{file}");
        let made = format!("{HEADER}{}", crd_yaml(&crd).unwrap());
        if update {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{path} differs from the types: run `make crds` and commit the result");
        // Far below the 262,144 bytes that client-side apply keeps in an annotation.
        assert!(made.len() < 200_000, "{path} has {} bytes", made.len());
        expected.insert(file);
    }
    let kept: BTreeSet<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, expected, "files in crds/");
    let kustomization = std::fs::read_to_string(format!("{FOLDER}/kustomization.yaml")).unwrap();
    for file in expected.iter().filter(|file| *file != "kustomization.yaml") {
        assert!(
            kustomization.contains(&format!("- {file}\n")),
            "crds/kustomization.yaml lacks {file}"
        );
    }
}

#[test]
fn the_stream_is_stable_and_says_the_same() {
    let stream = crds_yaml().unwrap();
    assert_eq!(stream, crds_yaml().unwrap());
    let read: Vec<CustomResourceDefinition> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(read, crds().unwrap());
}

#[test]
fn nothing_is_there_that_the_api_server_drops_or_warns_about() {
    for (kind, definition) in definitions() {
        for value in values(&definition) {
            assert_ne!(value, &json!([]), "{kind}: an empty list is a permanent diff for GitOps");
            assert!(!value.is_null(), "{kind}: a null");
            if let Some(members) = value.as_object() {
                assert!(!members.contains_key("nullable"), "{kind}: an explicit null would be kept: {value}");
                for union in ["oneOf", "anyOf", "allOf", "not"] {
                    assert!(!members.contains_key(union), "{kind}: {union}: {value}");
                }
            }
        }
        for (path, schema) in schemas(&definition) {
            if let Some(format) = schema["format"].as_str() {
                assert!(["int32", "int64", "date-time"].contains(&format), "{kind}{path}: format {format}");
            }
            assert!(schema["type"].is_string(), "{kind}{path} has no type");
        }
    }
}

#[test]
fn every_member_is_explained() {
    for (kind, definition) in definitions() {
        for (path, schema) in schemas(&definition) {
            // Described by the API server itself; values of maps and lists of plain values by what holds them.
            if path == ".metadata" || ((path.ends_with("{}") || path.ends_with("[]")) && schema["type"] != "object") {
                continue;
            }
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(description.len() > 5, "{kind}{path} has no description");
            assert!(!description.contains("Auto-generated"), "{kind}{path} has kube's own description");
            assert!(!description.contains("[`"), "{kind}{path} has a link that only rustdoc follows");
        }
    }
}

/// CEL's cost is bounded only where the values are (operator-conventions §1, row 13), and etcd takes no object without bounds.
#[test]
fn everything_that_people_write_is_bounded() {
    for (kind, definition) in definitions() {
        for (path, schema) in schemas(&definition).into_iter().filter(|(path, _)| path.starts_with(".spec")) {
            let bounded = match schema["type"].as_str() {
                Some("string") => schema["maxLength"].is_u64() || schema["enum"].is_array(),
                Some("array") => schema["maxItems"].is_u64(),
                Some("object") => schema["properties"].is_object() || schema["maxProperties"].is_u64(),
                Some("integer") => schema["minimum"].is_number() && schema["maximum"].is_number(),
                _ => true,
            };
            assert!(bounded, "{kind}{path} has no bounds: {schema}");
        }
    }
}

#[test]
fn lists_say_how_they_merge() {
    for (kind, definition) in definitions() {
        for (path, schema) in schemas(&definition) {
            if schema["type"] == "array" {
                assert!(
                    schema["x-kubernetes-list-type"].is_string(),
                    "{kind}{path} does not say how it merges"
                );
            }
        }
    }
}

#[test]
fn rules_say_what_to_do_and_where() {
    let mut count = 0;
    for (kind, definition) in definitions() {
        for (path, schema) in schemas(&definition) {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                count += 1;
                let message = rule["message"].as_str().unwrap_or_default();
                assert!(message.len() > 10 && !message.ends_with('.'), "{kind}{path}: {rule}");
                let member = rule["fieldPath"]
                    .as_str()
                    .map(|member| member.split('.').nth(1).unwrap().to_owned());
                match member {
                    Some(member) => assert!(schema["properties"][&member].is_object(), "{kind}{path}: {rule}"),
                    // Of a value without members, or of the whole.
                    None => assert!(
                        schema["type"] != "object" || rule["rule"] == "self == oldSelf",
                        "{kind}{path}: {rule}"
                    ),
                }
            }
        }
    }
    assert!(count >= 50, "only {count} rules");
}

#[test]
fn defaults_are_few_and_known() {
    let mut defaults = Vec::new();
    for (kind, definition) in definitions() {
        for (path, schema) in schemas(&definition) {
            if let Some(default) = schema.get("default") {
                defaults.push((format!("{kind}{path}"), default.to_string()));
            }
        }
    }
    defaults.sort();
    let unseen = r#"{"observedGeneration":-1}"#;
    let expected = [
        ("AuditPolicy.spec.report.history.limit", "10"),
        ("AuditPolicy.status", unseen),
        ("AuditReport.status", unseen),
        ("CloudAccount.spec.aws.partition", "\"aws\""),
        ("CloudAccount.spec.azure.environment", "\"AzureCloud\""),
        ("CloudAccount.spec.interval", "\"6h\""),
        ("CloudAccount.status", unseen),
    ];
    assert_eq!(defaults, expected.map(|(path, default)| (path.to_owned(), default.to_owned())));
}

#[test]
fn a_reference_stays_in_its_namespace() {
    for (kind, definition) in definitions() {
        for (path, _) in schemas(&definition) {
            assert!(!path.to_lowercase().ends_with("namespace"), "{kind}{path}");
        }
    }
}

#[test]
fn names_and_columns_are_there() {
    let expected = [
        (
            "CloudAccount",
            "cacct",
            true,
            "Provider Account Ready Reason Collected Interval Suspended Message Age",
        ),
        (
            "AuditPolicy",
            "apol",
            true,
            "Accounts Schedule Ready Reason Last run Next run Suspended Message Age",
        ),
        (
            "AuditReport",
            "arep",
            true,
            "Policy Account Critical High Medium Low Last run Ready Stale Scope Complete Truncated Message Age",
        ),
        ("AuditReportChunk", "arepchunk", false, "Report Bucket Encoding Age"),
    ];
    for (crd, (kind, short, listed, columns)) in crds().unwrap().into_iter().zip(expected) {
        let names = crd.spec.names;
        assert_eq!((names.kind.as_str(), names.short_names), (kind, Some(vec![short.to_owned()])));
        assert_eq!(names.categories, listed.then(|| vec!["ciem".to_owned()]), "{kind}");
        let version = &crd.spec.versions[0];
        assert_eq!(version.subresources.is_some(), listed, "{kind}");
        let printed = version.additional_printer_columns.iter().flatten();
        let printed: Vec<_> = printed.map(|column| column.name.as_str()).collect();
        assert_eq!(printed.join(" "), columns, "{kind}");
    }
}

#[test]
fn a_report_without_audit_has_no_summary_and_a_broken_one_is_an_error() {
    let read = |status: Value| serde_json::from_value::<AuditReportStatus>(status);
    let unseen = read(json!({"observedGeneration": -1})).unwrap();
    assert_eq!((unseen.observed_generation, unseen.document), (Some(-1), None));
    let error = read(json!({"observedGeneration": 1, "scope": "111122223333"}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing field `provider`"), "{error}");
}
