//! The file that the collector writes: the envelope as canonical JSON in a zstd frame.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::node::{Members, Node};
use super::{ReadError, SCHEMA, Section, Snapshot, canonical, sha256};

/// What all versions of the schema's name begin with.
const SCHEMA_FAMILY: &str = "ciem.dev/snapshot/";

/// Speed over size: a snapshot is written at every collection.
const LEVEL: i32 = 3;

const MEMBERS: [&str; 6] = ["collectedAt", "collector", "provider", "schema", "scope", "sections"];

impl Snapshot {
    /// The file's bytes: canonical JSON, packed with zstd. Equal snapshots give equal bytes.
    pub fn write(&self) -> io::Result<Vec<u8>> {
        self.write_to(Vec::new())
    }

    /// As [`Snapshot::write`], without holding the file in memory.
    pub fn write_to<W: Write>(&self, out: W) -> io::Result<W> {
        let mut encoder = zstd::Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        serde_json::to_writer(&mut encoder, self)?;
        encoder.finish()
    }

    /// The file's canonical JSON, not packed.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// The bytes of a file with several snapshots of one organization: a list of what [`Snapshot::write`] writes; one alone is not in a list.
pub fn write_all(snapshots: &[Snapshot]) -> io::Result<Vec<u8>> {
    if let [only] = snapshots {
        return only.write();
    }
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    serde_json::to_writer(&mut encoder, snapshots)?;
    encoder.finish()
}

/// Whether an object says that it is a snapshot, of whichever version.
pub(super) fn recognises(node: &Node<'_>, members: &Members<'_>) -> bool {
    schema(node, members).is_some_and(|schema| schema.starts_with(SCHEMA_FAMILY))
}

fn schema(node: &Node<'_>, members: &Members<'_>) -> Option<String> {
    Some(node.member("schema", members.get("schema")?).text().ok()?.into_owned())
}

/// Reads the object. Content that does not have the digest it is recorded with is refused.
pub(super) fn read(node: &Node<'_>, members: &Members<'_>) -> Result<Snapshot, ReadError> {
    let get = |name: &'static str| {
        members
            .get(name)
            .ok_or_else(|| node.error(format!("the member '{name}' is missing")))
    };
    let schema = node.member("schema", get("schema")?);
    let version = schema.text()?;
    if version != SCHEMA {
        return Err(schema.error(format!(
            "the schema '{version}' is not known: this version of ciem reads '{SCHEMA}', use a newer one"
        )));
    }
    if let Some((name, raw)) = members.0.iter().find(|(name, _)| !MEMBERS.contains(&name.as_ref())) {
        return Err(node.member(name, raw).error(format!("no member of '{SCHEMA}'")));
    }
    let sections_node = node.member("sections", get("sections")?);
    let mut sections = BTreeMap::new();
    for (name, raw) in sections_node.members()?.0 {
        let section = section(&sections_node.member(&name, raw))?;
        sections.insert(name.into_owned(), section);
    }
    Ok(Snapshot {
        collected_at: members
            .get("collectedAt")
            .map(|raw| node.member("collectedAt", raw).typed())
            .transpose()?,
        collector: node.member("collector", get("collector")?).typed()?,
        provider: node.member("provider", get("provider")?).typed()?,
        schema: version.into_owned(),
        scope: node.member("scope", get("scope")?).typed()?,
        sections,
    })
}

fn section(node: &Node<'_>) -> Result<Section, ReadError> {
    let mut section: Section = node.typed()?;
    if sha256(section.content.get().as_bytes()) == section.digest {
        return Ok(section);
    }
    // Tools that lay JSON out anew change no content.
    let content = canonical::of_text(section.content.get())
        .ok()
        .filter(|content| sha256(content.as_bytes()) == section.digest);
    match content.and_then(|content| serde_json::value::RawValue::from_string(content).ok()) {
        Some(content) => {
            section.content = content;
            Ok(section)
        }
        None => Err(node.error("the content does not have the digest that was recorded: the file was changed or damaged, collect again")),
    }
}
