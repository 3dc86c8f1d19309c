//! Findings into report documents. Pure: the same findings, settings and previous report give the same bytes.
//!
//! - [`plan`]: what the operator writes for one (AuditPolicy, CloudAccount): a bounded [`ReportDocument`](crate::model::ReportDocument)
//!   and content-addressed chunks (operator-conventions §2.4). [`join`] and [`decode`] read them back.
//! - [`AuditDocument`]: what `ciem audit` prints, in the formats of [`Format`], and reads back with `--previous`.
//!
//! Both write a finding as the same canonical JSON (RFC 8785), byte for byte.

mod bounds;
mod chunk;
mod degrade;
mod document;
mod pack;
mod plan;
mod render;
mod status;

#[cfg(test)]
mod tests;

pub use bounds::{
    CHUNK_LIMIT, CHUNK_OVERHEAD, COMPRESS_ABOVE, CONDITIONS_ROOM, DATA_LIMIT, DOCUMENT_LIMIT, MAX_BUCKETS, STATUS_LIMIT, TEXT_LIMIT,
    TOTAL_LIMIT, stored_length,
};
pub use chunk::{Chunk, DecodeError, JoinError, SCHEMA, StoredChunk, decode, join};
pub use document::{AuditDocument, ParseError};
pub use plan::{ReportInput, ReportPlan, plan};
pub use render::{Format, Style, printable};

use serde::Serialize;

/// Why a report cannot be written. Neither happens with findings that an audit made; they are errors and no panics all the same.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A value has no JSON form.
    #[error("failed to write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The compressor failed.
    #[error("failed to compress a chunk: {0}")]
    Compress(std::io::Error),
    /// A value has no YAML form.
    #[error("failed to write the report as YAML: {0}")]
    Yaml(String),
}

/// Canonical JSON (RFC 8785) of a report value: members sorted, no white space. For values without fractions and with whole
/// numbers below 2^53, which is all that reports hold.
///
/// Report values go through a sorted map, which is several times faster than the general writer and gives the same bytes (a test holds
/// them together) except for the order of characters beyond the basic plane, which the general writer then decides.
pub(crate) fn canonical<T: Serialize>(value: &T) -> Result<String, ReportError> {
    let value = serde_json::to_value(value)?;
    let text = serde_json::to_string(&value)?;
    if text.bytes().any(|byte| byte >= 0xf0) {
        Ok(serde_json_canonicalizer::to_string(&value)?)
    } else {
        Ok(text)
    }
}
