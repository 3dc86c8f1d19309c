//! A policy document as read: its JSON text, whichever way the file or API wrote it.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// JSON text of a policy document: decoded from URL encoding where it was encoded; otherwise untouched, so that duplicate keys and
/// malformed parts are still there for the parser to report (W17).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyDocument(pub Arc<str>);

impl PolicyDocument {
    /// From a file's JSON value: an object (kept as its text), a string of plain JSON, or a string of URL-encoded JSON.
    pub(super) fn from_json(json: &str) -> Self {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let Ok(Text(text)) = serde_json::from_str(json) else {
            return Self(json.into());
        };
        if is_encoded(&text)
            && let Ok(decoded) = percent_encoding::percent_decode_str(&text).decode_utf8()
        {
            return Self(decoded.into());
        }
        Self(text.into())
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Whether a text is URL-encoded. The IAM API encodes every character that is not a letter, digit or one of `-._~`, so that a document begins with `%7B`.
pub(super) fn is_encoded(text: &str) -> bool {
    text.trim_start().starts_with('%')
}

impl<'de> Deserialize<'de> for PolicyDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::from_json(raw.get()))
    }
}

impl JsonSchema for PolicyDocument {
    fn schema_name() -> Cow<'static, str> {
        "PolicyDocument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A policy document: an object, or its text where an object would lose something (a member twice, no JSON).",
            "type": ["object", "string"],
        })
    }
}
