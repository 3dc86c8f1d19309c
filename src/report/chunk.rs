//! Chunks: how `AuditReportChunk.spec.data` is written and read, how chunks are named, and how a generation of them joins back into findings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bounds::{TEXT_LIMIT, count};
use crate::model::{ChunkDocument, ChunkEncoding, ChunkRef, Finding, IdentityFindings, Manifest};

/// Version of [`ChunkDocument`].
pub const SCHEMA: &str = "ciem.dev/findings/v1";

/// Characters of the report's name that its chunks' names begin with: the manifest holds up to 128 of them in a bounded status.
/// The hash covers the whole name, so reports with the same beginning do not meet.
const NAME_PREFIX: usize = 40;

/// Hexadecimal digits of the hash in a chunk's name.
const NAME_HASH: usize = 16;

/// One chunk, ready to be written as `AuditReportChunk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chunk {
    /// Its line in the manifest; `name` is the object's name.
    pub reference: ChunkRef,
    /// How `data` is written.
    pub encoding: ChunkEncoding,
    /// `spec.data`.
    pub data: String,
}

/// One chunk as read from the cluster.
#[derive(Debug, Clone, Copy)]
pub struct StoredChunk<'a> {
    /// Name of the object.
    pub name: &'a str,
    /// `spec.bucket`.
    pub bucket: u32,
    /// `spec.encoding`.
    pub encoding: ChunkEncoding,
    /// `spec.data`.
    pub data: &'a str,
}

impl<'a> From<&'a Chunk> for StoredChunk<'a> {
    fn from(chunk: &'a Chunk) -> Self {
        Self {
            name: &chunk.reference.name,
            bucket: chunk.reference.bucket,
            encoding: chunk.encoding,
            data: &chunk.data,
        }
    }
}

/// Why the data of a chunk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// `data` of encoding `gzip` is no base64.
    #[error("data is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// It does not unpack.
    #[error("data is not a whole gzip of UTF-8 text: {0}")]
    Gzip(#[from] std::io::Error),
    /// It unpacks into more than any writer puts into a chunk.
    #[error("data unpacks into more than {TEXT_LIMIT} bytes")]
    TooLarge,
    /// It is no findings document.
    #[error("data is not a findings document: {0}")]
    Json(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("data has schema '{0}', this version reads '{SCHEMA}': use a newer ciem")]
    Schema(String),
}

/// Why the chunks of a report do not join into its findings.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The manifest names a chunk that is not there.
    #[error("chunk '{name}' is missing: let the next run write the report again")]
    Missing {
        /// Its name.
        name: String,
    },
    /// The manifest names a chunk that is not there, and its bucket has another: the report was rewritten while it was read.
    #[error("chunk '{name}' has been replaced by '{found}': read the report and its chunks again")]
    MixedGenerations {
        /// The name in the manifest.
        name: String,
        /// What is there for the same bucket.
        found: String,
    },
    /// A chunk is not what its name and the manifest say.
    #[error("chunk '{name}' is not what the manifest says ({reason}): delete it and let the next run write it again")]
    Torn {
        /// Its name.
        name: String,
        /// What differs.
        reason: String,
    },
    /// A chunk cannot be read.
    #[error("chunk '{name}' cannot be read: {source}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        source: DecodeError,
    },
    /// The manifest's generation is not that of its chunks.
    #[error("the manifest is not whole: its generation does not match the chunks it lists")]
    Generation,
}

/// `data` for a JSON text. The same text always gives the same bytes (within one build: compressors differ).
pub(super) fn encode(encoding: ChunkEncoding, text: &str) -> std::io::Result<String> {
    match encoding {
        ChunkEncoding::Json => Ok(text.to_owned()),
        ChunkEncoding::Gzip => {
            // The time of 0 and the fixed system keep the header out of the content.
            let mut gzip = GzBuilder::new()
                .mtime(0)
                .operating_system(255)
                .write(Vec::new(), Compression::new(6));
            gzip.write_all(text.as_bytes())?;
            Ok(BASE64.encode(gzip.finish()?))
        }
    }
}

/// The JSON text of a chunk.
fn unpack(encoding: ChunkEncoding, data: &str) -> Result<String, DecodeError> {
    if encoding == ChunkEncoding::Json {
        return Ok(data.to_owned());
    }
    let packed = BASE64.decode(data)?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .take(TEXT_LIMIT as u64 + 1)
        .read_to_string(&mut text)?;
    if text.len() > TEXT_LIMIT {
        Err(DecodeError::TooLarge)
    } else {
        Ok(text)
    }
}

fn parse(text: &str) -> Result<Vec<IdentityFindings>, DecodeError> {
    /// The version first: a newer one may hold anything else.
    #[derive(Deserialize)]
    struct Version {
        schema: String,
    }
    let Version { schema } = serde_json::from_str(text)?;
    if schema != SCHEMA {
        return Err(DecodeError::Schema(schema));
    }
    Ok(serde_json::from_str::<ChunkDocument>(text)?.identities)
}

/// Reads `data` of one chunk.
pub fn decode(encoding: ChunkEncoding, data: &str) -> Result<Vec<IdentityFindings>, DecodeError> {
    parse(&unpack(encoding, data)?)
}

/// Name of the chunk of one bucket with this JSON text: report, bucket, and a hash of both and the text. The hash is over the text and not
/// over `data`, so that another compressor does not rewrite all chunks.
pub(super) fn name(report: &str, bucket: u32, encoding: ChunkEncoding, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(report.as_bytes());
    hash.update([0, u8::from(encoding == ChunkEncoding::Gzip)]);
    hash.update(text.as_bytes());
    let digest: String = hex(&hash.finalize()).chars().take(NAME_HASH).collect();
    let prefix: String = report.chars().take(NAME_PREFIX).collect();
    format!("{}-{bucket}-{digest}", prefix.trim_end_matches(['-', '.']))
}

/// Digest of a generation: over the names of its chunks, which hold the digests of their contents.
pub(super) fn generation(chunks: &[ChunkRef]) -> String {
    let mut hash = Sha256::new();
    for chunk in chunks {
        hash.update(chunk.name.as_bytes());
        hash.update(b"\n");
    }
    hex(&hash.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The findings that a report's chunks hold, sorted by id. `chunks` may hold more than the manifest names (orphans of earlier or
/// interrupted writes): those are left aside. Everything named must be there and be what was written.
pub fn join<'a>(report: &str, manifest: &Manifest, chunks: impl IntoIterator<Item = StoredChunk<'a>>) -> Result<Vec<Finding>, JoinError> {
    if manifest.generation != generation(&manifest.chunks) {
        return Err(JoinError::Generation);
    }
    let found: BTreeMap<&str, StoredChunk<'_>> = chunks.into_iter().map(|chunk| (chunk.name, chunk)).collect();
    let mut findings = Vec::new();
    for reference in &manifest.chunks {
        let Some(chunk) = found.get(reference.name.as_str()) else {
            let other = found.values().find(|chunk| chunk.bucket == reference.bucket);
            let name = reference.name.clone();
            return Err(match other {
                Some(other) => JoinError::MixedGenerations {
                    name,
                    found: other.name.to_owned(),
                },
                None => JoinError::Missing { name },
            });
        };
        findings.extend(verified(report, reference, chunk)?);
    }
    findings.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(findings)
}

/// The findings of one chunk, after its name and its line in the manifest have been checked against its content.
fn verified(report: &str, reference: &ChunkRef, chunk: &StoredChunk<'_>) -> Result<Vec<Finding>, JoinError> {
    let unreadable = |source| JoinError::Unreadable {
        name: reference.name.clone(),
        source,
    };
    let torn = |reason: String| JoinError::Torn {
        name: reference.name.clone(),
        reason,
    };
    let text = unpack(chunk.encoding, chunk.data).map_err(unreadable)?;
    if name(report, reference.bucket, chunk.encoding, &text) != reference.name {
        return Err(torn("the content has another hash".to_owned()));
    }
    let findings: Vec<Finding> = parse(&text)
        .map_err(unreadable)?
        .into_iter()
        .flat_map(|group| group.findings)
        .collect();
    if count(findings.len()) != reference.findings {
        return Err(torn(format!("it holds {} findings, not {}", findings.len(), reference.findings)));
    }
    Ok(findings)
}
