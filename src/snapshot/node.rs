//! A walk over a JSON text that is parsed one level at a time, so that no tree of the whole file is ever in memory, policy
//! documents keep their text, and every error can say where it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Place, ReadError, canonical};

/// A file's text with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s> {
    /// Name of the file as the caller knows it.
    pub name: &'s str,
    /// What it holds.
    pub text: &'s str,
}

impl<'s> Source<'s> {
    /// The whole text as one JSON value. A file that is no JSON fails here.
    pub fn root(&'s self) -> Result<Node<'s>, ReadError> {
        let raw: &RawValue = serde_json::from_str(self.text).map_err(|error| self.syntax(&error))?;
        Ok(Node {
            source: self,
            raw,
            above: None,
            step: Step::Root,
        })
    }

    fn syntax(&self, error: &serde_json::Error) -> ReadError {
        let reason = if error.is_eof() {
            "not JSON: the file ends too early".to_owned()
        } else {
            format!("not JSON: {}", reason(error))
        };
        ReadError {
            file: self.name.to_owned(),
            place: Place {
                path: String::new(),
                line: error.line(),
                column: error.column().max(1),
            },
            reason,
        }
    }

    /// Line and column where a part of the text begins.
    fn position(&self, part: &str) -> (usize, usize) {
        let offset = part.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        self.text.get(..offset).map_or((0, 0), end_of)
    }
}

/// Line and column right after a text, both from 1, the column in characters.
pub(super) fn end_of(text: &str) -> (usize, usize) {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    (text.matches('\n').count() + 1, last_line.chars().count() + 1)
}

/// How a node hangs below another.
#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'p str),
    Item(usize),
}

/// One value of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'p> {
    source: &'p Source<'p>,
    raw: &'p RawValue,
    above: Option<&'p Node<'p>>,
    step: Step<'p>,
}

impl<'p> Node<'p> {
    /// Its JSON text.
    pub fn json(&self) -> &'p str {
        self.raw.get()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.json() == "null"
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.json().bytes().next() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "text",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// The members of an object.
    pub fn members(&self) -> Result<Members<'p>, ReadError> {
        if !self.json().starts_with('{') {
            return Err(self.unexpected("an object"));
        }
        serde_json::from_str(self.json()).map_err(|error| self.error(reason(&error)))
    }

    /// The items of a list.
    pub fn items(&self) -> Result<Vec<&'p RawValue>, ReadError> {
        if !self.json().starts_with('[') {
            return Err(self.unexpected("a list"));
        }
        serde_json::from_str(self.json()).map_err(|error| self.error(reason(&error)))
    }

    /// The text value.
    pub fn text(&self) -> Result<Cow<'p, str>, ReadError> {
        #[derive(serde::Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        if !self.json().starts_with('"') {
            return Err(self.unexpected("text"));
        }
        serde_json::from_str(self.json())
            .map(|Text(text)| text)
            .map_err(|error| self.error(reason(&error)))
    }

    /// The canonical form of whatever it is.
    pub fn canonical(&self) -> Result<String, ReadError> {
        canonical::of_text(self.json()).map_err(|error| self.error(reason(&error)))
    }

    /// A value typed by serde.
    pub fn typed<T: Deserialize<'p>>(&self) -> Result<T, ReadError> {
        serde_json::from_str(self.json()).map_err(|error| self.error(reason(&error)))
    }

    /// The node of one of its members.
    pub fn member(&'p self, name: &'p str, raw: &'p RawValue) -> Self {
        Self {
            source: self.source,
            raw,
            above: Some(self),
            step: Step::Member(name),
        }
    }

    /// The node of one of its items.
    pub fn item(&'p self, index: usize, raw: &'p RawValue) -> Self {
        Self {
            source: self.source,
            raw,
            above: Some(self),
            step: Step::Item(index),
        }
    }

    /// An error at this place.
    pub fn error(&self, reason: impl Into<String>) -> ReadError {
        let (line, column) = self.source.position(self.json());
        ReadError {
            file: self.source.name.to_owned(),
            place: Place {
                path: self.path(),
                line,
                column,
            },
            reason: reason.into(),
        }
    }

    /// The error of a value of the wrong type.
    pub fn unexpected(&self, expected: &str) -> ReadError {
        self.error(format!("expected {expected}, found {}", self.kind()))
    }

    fn path(&self) -> String {
        let mut path = self.above.map(Node::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Member(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Item(index) => path.extend(["[", &index.to_string(), "]"]),
        }
        path
    }
}

/// The members of an object, in the order of the text.
#[derive(Debug)]
pub(super) struct Members<'p>(pub Vec<(Cow<'p, str>, &'p RawValue)>);

impl<'p> Members<'p> {
    /// Whether there is such a member, `null` included.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// A member's value. `null` is as good as absent.
    pub fn get(&self, name: &str) -> Option<&'p RawValue> {
        self.0
            .iter()
            .find(|(own, raw)| own == name && raw.get() != "null")
            .map(|(_, raw)| *raw)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
                canonical::members(access).map(Members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// `serde_json`'s message without its own place, which counts from the start of the part.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}
