//! Canonical JSON (RFC 8785), strictly: what the canonical form could not keep (a member that appears twice, an integer beyond
//! 2⁵³, text that is no Unicode, nesting beyond 128 levels) is an error, never a silent loss.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Error as _;
use sha2::{Digest as _, Sha256};

/// Integers beyond this are not exact in the doubles of RFC 8785.
const EXACT: u64 = (1 << 53) - 1;

/// A parsed value that has one canonical form.
#[derive(Debug)]
enum Json<'a> {
    Null,
    Flag(bool),
    Integer(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// Whether all numbers are integers: a fraction may be written in ways that the canonical form does not keep (`1.0`).
    fn is_exact(&self) -> bool {
        match self {
            Self::Fraction(_) => false,
            Self::List(items) => items.iter().all(Self::is_exact),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_exact()),
            _ => true,
        }
    }

    /// Its canonical form, probably about so long. Written here and not by the library for RFC 8785, which takes three times as
    /// long (a test holds the two together); numbers that are no integers are left to the library.
    fn canonical(mut self, length: usize) -> Result<String, serde_json::Error> {
        let mut text = Vec::with_capacity(length);
        self.write(&mut text)?;
        utf8(text)
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Flag(flag) => serde_json::to_writer(out, flag)?,
            Self::Integer(number) => serde_json::to_writer(out, number)?,
            Self::Fraction(number) => serde_json_canonicalizer::to_writer(number, out)?,
            Self::Text(text) => serde_json::to_writer(out, text)?,
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter_mut().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out)?;
                }
                out.push(b']');
            }
            Self::Object(members) => {
                members.sort_by(|(left, _), (right, _)| name_order(left, right));
                out.push(b'{');
                for (index, (name, value)) in members.iter_mut().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    serde_json::to_writer(&mut *out, name)?;
                    out.push(b':');
                    value.write(out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// The canonical form of a JSON text.
pub(super) fn of_text(text: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<Json<'_>>(text)?.canonical(text.len())
}

/// The canonical form of a JSON text that is an object and loses nothing by it, not even the spelling of a number.
pub(super) fn of_exact_object(text: &str) -> Option<String> {
    let json: Json<'_> = serde_json::from_str(text).ok()?;
    (matches!(json, Json::Object(_)) && json.is_exact()).then(|| json.canonical(text.len()).ok())?
}

/// The canonical form of a text value, with its quotes: what `serde_json` escapes, and how, is what RFC 8785 §3.2.2.2 says.
pub(super) fn of_string(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(text)
}

/// An object of members that are canonical already; names must differ.
pub(super) fn object(mut members: Vec<(Cow<'_, str>, String)>) -> Result<String, serde_json::Error> {
    members.sort_by(|(left, _), (right, _)| name_order(left, right));
    let mut text = Vec::with_capacity(2 + members.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>());
    for (index, (name, value)) in members.iter().enumerate() {
        text.push(if index == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut text, name)?;
        text.push(b':');
        text.extend_from_slice(value.as_bytes());
    }
    text.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
    utf8(text)
}

/// A list of items that are canonical already, in this order.
pub(super) fn list<'a>(items: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut text = String::with_capacity(2 + items.clone().map(|item| item.len() + 1).sum::<usize>());
    text.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push(']');
    text
}

/// RFC 8785 §3.2.3: names are sorted by their UTF-16 code units.
fn name_order(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Never fails: only whole texts are written.
fn utf8(text: Vec<u8>) -> Result<String, serde_json::Error> {
    String::from_utf8(text).map_err(serde_json::Error::custom)
}

/// SHA-256 in lower-case hexadecimal: the digest that is used throughout.
pub fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).into_iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        if number.unsigned_abs() > EXACT {
            Err(inexact(number))
        } else {
            Ok(Json::Integer(number))
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match i64::try_from(number) {
            Ok(integer) if number <= EXACT => Ok(Json::Integer(integer)),
            _ => Err(inexact(number)),
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Json::Fraction(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        members(access).map(Json::Object)
    }
}

fn inexact<E: de::Error>(number: impl fmt::Display) -> E {
    E::custom(format_args!(
        "the number {number} is larger than JSON keeps exactly (2^53): write it as text"
    ))
}

/// A member's name.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in the order of the text; a name that appears twice is an error.
pub(super) fn members<'de, A: MapAccess<'de>, T: Deserialize<'de>>(mut access: A) -> Result<Vec<(Cow<'de, str>, T)>, A::Error> {
    let mut members = Vec::new();
    while let Some((Name(name), value)) = access.next_entry()? {
        members.push((name, value));
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    match names.array_windows().find(|[left, right]| left == right) {
        Some([name, _]) => Err(de::Error::custom(format_args!("the member '{name}' appears twice"))),
        None => Ok(members),
    }
}
