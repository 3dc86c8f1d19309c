//! AWS objects as read → canonical JSON: types checked at their place, documents and times in one form, lists without order sorted,
//! usage set aside.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::PolicyDocument;
use super::document::is_encoded;
use super::shape::{Member, Shape};
use crate::snapshot::node::{Members, Node};
use crate::snapshot::{ReadError, canonical};

/// Section → ARN → canonical value.
pub(super) type Usage = BTreeMap<&'static str, BTreeMap<String, String>>;

/// The canonical form of a value of a known shape. What is not an entitlement goes to `usage`.
pub(super) fn normalise(node: &Node<'_>, shape: &Shape, usage: &mut Usage) -> Result<String, ReadError> {
    match shape {
        Shape::Text => string(node, &node.text()?),
        Shape::Flag => match node.json() {
            flag @ ("true" | "false") => Ok(flag.to_owned()),
            _ => Err(node.unexpected("true or false")),
        },
        Shape::Time => time(node),
        Shape::Document => document(node),
        Shape::Object(known) => object(node, known, usage),
        Shape::List(item) => list(node, item, usage),
        Shape::Set(item, key) => set(node, item, *key, usage),
        Shape::Usage(_, inner) => normalise(node, inner, usage),
    }
}

fn object(node: &Node<'_>, known: &[Member], usage: &mut Usage) -> Result<String, ReadError> {
    let members = node.members()?;
    if let Some(missing) = known.iter().find(|member| member.required && members.get(member.name).is_none()) {
        return Err(node.error(format!("the member '{}' is missing", missing.name)));
    }
    let mut canonical_members = Vec::with_capacity(members.0.len());
    for (name, raw) in &members.0 {
        let child = node.member(name, raw);
        let Some(member) = known.iter().find(|member| member.name == name) else {
            canonical_members.push((Cow::Borrowed(name.as_ref()), child.canonical()?));
            continue;
        };
        if child.is_null() {
            continue;
        }
        let value = normalise(&child, &member.shape, usage)?;
        if let Shape::Usage(section, _) = member.shape {
            usage.entry(section).or_default().insert(arn(node, &members)?, value);
        } else {
            canonical_members.push((Cow::Borrowed(name.as_ref()), value));
        }
    }
    canonical::object(canonical_members).map_err(|error| node.error(error.to_string()))
}

fn arn<'p>(node: &'p Node<'p>, members: &Members<'p>) -> Result<String, ReadError> {
    match members.get("Arn") {
        Some(raw) => Ok(node.member("Arn", raw).text()?.into_owned()),
        None => Err(node.error("the member 'Arn' is missing")),
    }
}

fn list(node: &Node<'_>, item: &Shape, usage: &mut Usage) -> Result<String, ReadError> {
    let items = node
        .items()?
        .into_iter()
        .enumerate()
        .map(|(index, raw)| normalise(&node.item(index, raw), item, usage));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Ok(canonical::list(items.iter().map(String::as_str)))
}

fn set(node: &Node<'_>, item: &Shape, key: Option<&str>, usage: &mut Usage) -> Result<String, ReadError> {
    let mut items = Vec::new();
    for (index, raw) in node.items()?.into_iter().enumerate() {
        let child = node.item(index, raw);
        let value = normalise(&child, item, usage)?;
        let key = match key {
            Some(name) => match child.members()?.get(name) {
                Some(raw) => child.member(name, raw).text()?.into_owned(),
                None => String::new(),
            },
            None => String::new(),
        };
        items.push((key, value));
    }
    items.sort_unstable();
    Ok(canonical::list(items.iter().map(|(_, value)| value.as_str())))
}

/// An object where that loses nothing; otherwise its text, so that duplicate keys and malformed parts are still there (W17).
fn document(node: &Node<'_>) -> Result<String, ReadError> {
    let document = PolicyDocument::from_json(node.json());
    if let Some(object) = canonical::of_exact_object(document.text()) {
        return Ok(object);
    }
    // Text that would be decoded once more when it is read back stays as the file wrote it.
    if is_encoded(document.text()) {
        string(node, &node.text()?)
    } else {
        string(node, document.text())
    }
}

/// RFC 3339. The times of IAM are UTC; tools print them with a blank for `T`, without offset, or as seconds of the epoch.
fn time(node: &Node<'_>) -> Result<String, ReadError> {
    if node.json().starts_with(|first: char| first.is_ascii_digit()) {
        let seconds: i64 = node.typed()?;
        let time = Timestamp::from_second(seconds).map_err(|error| node.error(format!("no time: {error}")))?;
        return string(node, &time.to_string());
    }
    let text = node.text()?;
    match parse_time(&text) {
        Some(time) => string(node, &time.to_string()),
        None => string(node, &text),
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn string(node: &Node<'_>, text: &str) -> Result<String, ReadError> {
    canonical::of_string(text).map_err(|error| node.error(error.to_string()))
}
