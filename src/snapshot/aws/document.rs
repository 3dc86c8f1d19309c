//! A policy document as read: its JSON text, whichever way the file or API wrote it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// JSON text of a policy document: decoded from URL encoding where it was encoded; otherwise untouched, so that duplicate keys and
/// malformed parts are still there for the parser to report (W17).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyDocument(pub Arc<str>);

impl PolicyDocument {
    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for PolicyDocument {
    /// Takes an object (kept as its text), a string of plain JSON, or a string of URL-encoded JSON. Works on JSON text only (`RawValue`).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let Ok(text) = serde_json::from_str::<String>(raw.get()) else {
            return Ok(Self(raw.get().into()));
        };
        if text.trim_start().starts_with('%') {
            if let Ok(decoded) = percent_encoding::percent_decode_str(&text).decode_utf8() {
                return Ok(Self(decoded.into()));
            }
        }
        Ok(Self(text.into()))
    }
}
