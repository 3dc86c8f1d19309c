//! The tables of valid and invalid manifests: their form, and what they mean.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ciem::api::{GROUP, VERSION};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::harness::suite::repository;

/// What the schema adds where it is absent: kind, the member that must be there, the member that is added, and its value. Nothing else may
/// be added.
pub const DEFAULTS: [(&str, &str, &str, &str); 4] = [
    ("CloudAccount", "/spec", "interval", r#""6h""#),
    ("CloudAccount", "/spec/aws", "partition", r#""aws""#),
    ("CloudAccount", "/spec/azure", "environment", r#""AzureCloud""#),
    ("AuditPolicy", "/spec/report/history", "limit", "10"),
];

/// Cases of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table<Case> {
    pub kind: String,
    pub cases: Vec<Case>,
}

/// A manifest that must be accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Valid {
    pub name: String,
    pub about: String,
    pub spec: Value,
}

/// A valid manifest with something wrong in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invalid {
    pub about: String,
    /// Name of the valid manifest.
    pub from: String,
    /// JSON pointer → what is put there. Its parent must be there.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// JSON pointers of what is taken away.
    #[serde(default)]
    pub remove: Vec<String>,
    /// As an update of the valid manifest, instead of a new object.
    #[serde(default)]
    pub update: bool,
    /// All errors that the API server must name.
    pub errors: Vec<ExpectedError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    pub field: String,
    /// A part of the message.
    pub message: String,
}

/// One error of the API server.
#[derive(Debug)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

pub fn read<T: DeserializeOwned>(file: &str) -> Result<T> {
    let path = repository().join("e2e/manifests").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

pub const FILES: [&str; 4] = [
    "cloudaccounts.yaml",
    "auditpolicies.yaml",
    "auditreports.yaml",
    "auditreportchunks.yaml",
];

pub fn valid() -> Result<Vec<Table<Valid>>> {
    FILES.iter().map(|file| read(&format!("valid/{file}"))).collect()
}

pub fn manifest(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A manifest with changes.
pub fn changed(mut manifest: Value, case: &Invalid) -> Result<Value> {
    for (pointer, value) in &case.set {
        let (parent, member) = pointer.rsplit_once('/').context("a pointer starts with a slash")?;
        let parent = manifest
            .pointer_mut(parent)
            .with_context(|| format!("{pointer}: nothing to put it in"))?;
        match parent {
            Value::Object(members) => drop(members.insert(member.to_owned(), value.clone())),
            Value::Array(items) => *items.get_mut(member.parse::<usize>()?).context("no such item")? = value.clone(),
            _ => bail!("{pointer}: its parent has no members"),
        }
    }
    for pointer in &case.remove {
        let (parent, member) = pointer.rsplit_once('/').context("a pointer starts with a slash")?;
        let parent = manifest.pointer_mut(parent).and_then(Value::as_object_mut);
        ensure!(
            parent.is_some_and(|members| members.remove(member).is_some()),
            "{pointer}: nothing to remove"
        );
    }
    Ok(manifest)
}

/// Whether both are the same errors, in any order.
pub fn agree(expected: &[ExpectedError], found: &[FieldError]) -> bool {
    let fits = |expected: &ExpectedError, found: &FieldError| found.field == expected.field && found.message.contains(&expected.message);
    expected.len() == found.len()
        && expected.iter().all(|expected| found.iter().any(|found| fits(expected, found)))
        && found.iter().all(|found| expected.iter().any(|expected| fits(expected, found)))
}

/// What is left of a manifest when its nulls are dropped and the documented defaults are added.
pub fn stored_form(kind: &str, manifest: &Value) -> Result<Value> {
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let kept = members.iter().filter(|(_, value)| !value.is_null());
                Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
            }
            other => other.clone(),
        }
    }
    let mut stored = without_nulls(manifest);
    for (of, parent, member, value) in DEFAULTS {
        if of == kind
            && let Some(parent) = stored.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            parent.entry(member).or_insert(serde_json::from_str(value)?);
        }
    }
    Ok(stored)
}

/// What does not depend on how a type writes the same: times in UTC, no documented default, no member that says nothing.
pub fn normal(kind: &str, object: &Value) -> Value {
    fn walk(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), walk(value)));
                Value::Object(members.filter(|(_, value)| !value.as_object().is_some_and(Map::is_empty)).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(walk).collect()),
            Value::String(text) => text
                .parse::<jiff::Timestamp>()
                .map_or_else(|_| value.clone(), |time| time.to_string().into()),
            other => other.clone(),
        }
    }
    let mut object = object.clone();
    for (_, parent, member, value) in DEFAULTS.iter().filter(|(of, ..)| *of == kind) {
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut)
            && parent.get(*member) == serde_json::from_str(value).ok().as_ref()
        {
            parent.remove(*member);
        }
    }
    walk(&object)
}

/// Members of a schema that a value does not have; of a list, its first item counts.
pub fn missing_members(schema: &Value, value: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        match value.get(name) {
            None => missing.push(name.clone()),
            Some(value) => {
                let (schema, value) = match member.get("items") {
                    Some(items) => (items, &value[0]),
                    None => (member, value),
                };
                missing.extend(missing_members(schema, value).into_iter().map(|below| format!("{name}.{below}")));
            }
        }
    }
    missing
}

/// The CEL rules of a schema: the field that an error names, list items as `[]`, and the message.
pub fn rules(schema: &Value, path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let member = rule["fieldPath"].as_str().unwrap_or_default();
        found.push((format!("{path}{member}"), rule["message"].as_str().unwrap_or_default().to_owned()));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(rules(member, &format!("{path}.{name}")));
    }
    if let Some(items) = schema.get("items") {
        found.extend(rules(items, &format!("{path}[]")));
    }
    found
}
