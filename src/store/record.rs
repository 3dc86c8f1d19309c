//! What the store keeps of runs.

use std::io::Read as _;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Finding, Provider, RunRecord};

/// The findings of one complete run of one policy over one account: where `firstSeen` and the delta of the next run come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteRun {
    /// Provider of the account.
    pub provider: Provider,
    /// The account, subscription, project or cluster.
    pub scope: String,
    /// The run.
    pub record: RunRecord,
    /// All its findings, exempted and unverified ones too, sorted by id.
    pub findings: Vec<Finding>,
}

/// The record of any run, complete or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredRun {
    /// Whether it read all that it needed, so that its findings stand in a [`CompleteRun`].
    pub complete: bool,
    /// The run.
    pub record: RunRecord,
}

/// A document that the store writes, with the version of its form.
pub(super) trait Document: Serialize + DeserializeOwned {
    /// The version of the form.
    const SCHEMA: &'static str;
}

impl Document for CompleteRun {
    const SCHEMA: &'static str = "ciem.dev/findings-of-run/v1";
}

impl Document for StoredRun {
    const SCHEMA: &'static str = "ciem.dev/run-record/v1";
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    schema: &'a str,
    document: &'a T,
}

const LEVEL: i32 = 3;

/// No document unpacks to more.
const MAX_BYTES: u64 = 1 << 30;

/// The file's bytes.
pub(super) fn pack<T: Document>(document: &T) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    serde_json::to_writer(
        &mut encoder,
        &Envelope {
            schema: T::SCHEMA,
            document,
        },
    )?;
    encoder.finish()
}

/// The document in a file's bytes, or why it cannot be used.
pub(super) fn unpack<T: Document>(bytes: &[u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    #[derive(Deserialize)]
    struct Content<T> {
        document: T,
    }
    let mut text = String::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| error.to_string())?;
    decoder
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let Schema { schema } = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if schema != T::SCHEMA {
        return Err(format!("its schema is '{schema}', this version of ciem reads '{}'", T::SCHEMA));
    }
    serde_json::from_str(&text)
        .map(|Content { document }| document)
        .map_err(|error| error.to_string())
}
