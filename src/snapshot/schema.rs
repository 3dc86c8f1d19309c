//! The JSON schema of the snapshot file, for `ciem schema`.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{SCHEMA, Snapshot, aws};
use crate::model::Provider;

/// JSON Schema (2020-12) of the file that the collector writes, version [`SCHEMA`], with the content of the sections that have a type.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let contents = aws::contents(&mut generator);
    let mut root = generator.into_root_schema_for::<Snapshot>().to_value();
    let sections: Map<String, Value> = contents
        .into_iter()
        .map(|(name, content)| {
            (
                name.to_owned(),
                json!({"properties": {"content": {"anyOf": [content, {"type": "null"}]}}}),
            )
        })
        .collect();
    let aws = json!({
        "if": {"properties": {"provider": {"const": Provider::Aws.as_str()}}},
        "then": {"properties": {"sections": {"properties": sections}}},
    });
    if let Some(root) = root.as_object_mut() {
        root.insert("$id".to_owned(), Value::from(format!("https://{SCHEMA}")));
        root.insert("allOf".to_owned(), json!([aws]));
    }
    root
}
