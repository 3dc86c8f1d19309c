//! The CustomResourceDefinitions as they are installed: what kube derives, mended where Kubernetes or people need it otherwise.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::columns::columns;
use super::{AuditPolicy, AuditReport, AuditReportChunk, CloudAccount};

/// Names of CloudAccounts and AuditPolicies become label values.
const LONGEST_NAME: u32 = 63;

/// Why the CustomResourceDefinitions cannot be made. A defect of the types, never of input.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// The mended definition is none any more.
    #[error("failed to mend the definition of {kind}")]
    Mend {
        /// The kind.
        kind: String,
        /// What went wrong.
        source: serde_json::Error,
    },
    /// The definition could not be written as YAML.
    #[error("failed to write the definition of {name} as YAML: {message}")]
    Yaml {
        /// Name of the definition.
        name: String,
        /// What went wrong.
        message: String,
    },
}

/// The definitions of all kinds, in a fixed order.
///
/// # Errors
/// Only where the types do not make a definition.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, CrdError> {
    [CloudAccount::crd(), AuditPolicy::crd(), AuditReport::crd(), AuditReportChunk::crd()]
        .into_iter()
        .map(mend)
        .collect()
}

/// One definition as YAML: members sorted, so that the same types give the same bytes.
///
/// # Errors
/// Where the definition cannot be written.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, CrdError> {
    let name = crd.metadata.name.clone().unwrap_or_default();
    let yaml = |error: &dyn std::fmt::Display| CrdError::Yaml {
        name: name.clone(),
        message: error.to_string(),
    };
    let value = serde_json::to_value(crd).map_err(|error| yaml(&error))?;
    serde_saphyr::to_string(&sorted(value)).map_err(|error| yaml(&error))
}

/// All definitions as one YAML stream: what `ciem crds` prints.
///
/// # Errors
/// Where a definition cannot be made or written.
pub fn crds_yaml() -> Result<String, CrdError> {
    let mut stream = String::new();
    for crd in crds()? {
        stream.push_str("---\n");
        stream.push_str(&crd_yaml(&crd)?);
    }
    Ok(stream)
}

/// Mends what kube derives; see the functions for what and why.
fn mend(mut crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, CrdError> {
    let kind = crd.spec.names.kind.clone();
    crd.metadata.labels = Some(
        [
            ("app.kubernetes.io/name", "ciem-operator"),
            ("app.kubernetes.io/part-of", "ciem-operator"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
    );
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = Some(columns(&kind));
        let Some(schema) = version.schema.as_mut().and_then(|validation| validation.open_api_v3_schema.take()) else {
            continue;
        };
        let error = |source| CrdError::Mend {
            kind: kind.clone(),
            source,
        };
        let mut value = serde_json::to_value(schema).map_err(error)?;
        mend_schema(&mut value);
        if let Some(root) = value.as_object_mut() {
            mend_root(root, &kind);
        }
        let schema = serde_json::from_value(value).map_err(error)?;
        version.schema.get_or_insert_default().open_api_v3_schema = Some(schema);
    }
    Ok(crd)
}

/// Everywhere in the schema.
fn mend_schema(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            // An explicit null would be kept and pass every `has()` rule; without this it is refused.
            schema.remove("nullable");
            // Kubernetes knows the formats int32 and int64 and warns about others.
            let signed = match schema.get("format").and_then(Value::as_str) {
                Some("uint8" | "uint16" | "int8" | "int16") => Some("int32"),
                Some("uint32" | "uint" | "uint64") => Some("int64"),
                _ => None,
            };
            if let Some(signed) = signed {
                schema.insert("format".to_owned(), signed.into());
            }
            if let Some(Value::String(description)) = schema.get_mut("description") {
                *description = unwrapped(description);
            }
            schema.values_mut().for_each(mend_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(mend_schema),
        _ => {}
    }
}

/// A doc comment's lines joined: `kubectl explain` wraps by itself. Paragraphs stay apart.
fn unwrapped(description: &str) -> String {
    let paragraphs = description
        .split("\n\n")
        .map(|paragraph| paragraph.split('\n').map(str::trim).collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// At the root of a kind.
fn mend_root(root: &mut Map<String, Value>, kind: &str) {
    // The kind's name says it.
    root.remove("title");
    let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(status) = properties.get_mut("status").and_then(Value::as_object_mut) {
        // kstatus: an object that the operator has not seen yet must not look current (operator-conventions §1, row 4).
        status.insert("default".to_owned(), json!({"observedGeneration": -1}));
    }
    if matches!(kind, "CloudAccount" | "AuditPolicy") {
        let name = json!({"type": "string", "maxLength": LONGEST_NAME, "description": "Name of the object, at most 63 characters: reports carry it as a label."});
        properties.insert("metadata".to_owned(), json!({"type": "object", "properties": {"name": name}}));
    }
}

/// Sorts the members of every object, whatever order the JSON library keeps, and writes bounds (`minimum: 0.0`) as whole numbers.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Number(number) => whole(&number).map_or(Value::Number(number), Value::from),
        other => other,
    }
}

/// A floating point number without a fraction, as an integer.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let text = number.as_f64().filter(|_| number.is_f64())?.to_string();
    text.parse().ok()
}
