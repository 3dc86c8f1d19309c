//! What the store keeps of runs: JSON Lines in a zstd frame. The first line names the version of the form.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Finding, Provider, RunRecord};
use crate::snapshot::sha256;

/// The findings of one complete run of one policy over one account: where `firstSeen` and the delta of the next run come from.
/// In the file each finding is a line of canonical JSON, so that these lines have the digest of [`RunRecord::findings_digest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteRun {
    /// Provider of the account.
    pub provider: Provider,
    /// The account, subscription, project or cluster.
    pub scope: String,
    /// The run.
    pub record: RunRecord,
    /// All its findings, exempted and unverified ones too, sorted by id. They stand in the lines that follow.
    #[serde(skip)]
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

/// A document that the store writes. Errors are reasons.
pub(super) trait Document: Sized {
    /// The file's bytes.
    fn pack(&self) -> Result<Vec<u8>, String>;
    /// The document in a file's bytes.
    fn unpack(bytes: &[u8]) -> Result<Self, String>;
}

const LEVEL: i32 = 3;

/// No document unpacks to more.
const MAX_BYTES: u64 = 1 << 30;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head<T> {
    schema: String,
    #[serde(flatten)]
    document: T,
}

impl Document for CompleteRun {
    fn pack(&self) -> Result<Vec<u8>, String> {
        let lines = self
            .findings
            .iter()
            .map(serde_json_canonicalizer::to_string)
            .collect::<Result<Vec<_>, _>>()
            .map_err(text)?;
        check(&self.record, &lines)?;
        write(COMPLETE_RUN, self, &lines).map_err(text)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, String> {
        let (mut run, lines): (Self, _) = read(COMPLETE_RUN, bytes)?;
        check(&run.record, &lines)?;
        run.findings = lines
            .iter()
            .map(|line| serde_json::from_str(line))
            .collect::<Result<_, _>>()
            .map_err(text)?;
        Ok(run)
    }
}

impl Document for StoredRun {
    fn pack(&self) -> Result<Vec<u8>, String> {
        write(RUN_RECORD, self, &[]).map_err(text)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, String> {
        read(RUN_RECORD, bytes).map(|(run, _)| run)
    }
}

const COMPLETE_RUN: &str = "ciem.dev/findings-of-run/v1";
const RUN_RECORD: &str = "ciem.dev/run-record/v1";

/// A record vouches for its findings; one that holds no digest (of a version that had none) vouches for nothing.
fn check(record: &RunRecord, lines: &[String]) -> Result<(), String> {
    let digest = sha256(lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().as_bytes());
    if record.findings_digest.is_empty() || record.findings_digest == digest {
        return Ok(());
    }
    Err(format!(
        "its findings have the digest {digest}, its run record says {}",
        record.findings_digest
    ))
}

fn write<T: Serialize>(schema: &str, document: T, lines: &[String]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    serde_json::to_writer(
        &mut encoder,
        &Head {
            schema: schema.to_owned(),
            document,
        },
    )?;
    encoder.write_all(b"\n")?;
    for line in lines {
        encoder.write_all(line.as_bytes())?;
        encoder.write_all(b"\n")?;
    }
    encoder.finish()
}

fn read<T: for<'de> Deserialize<'de>>(schema: &str, bytes: &[u8]) -> Result<(T, Vec<String>), String> {
    #[derive(Deserialize)]
    struct Version {
        schema: String,
    }
    let decoder = zstd::Decoder::new(bytes).map_err(text)?;
    let mut lines = BufReader::new(decoder.take(MAX_BYTES)).lines();
    let head = lines.next().ok_or("it is empty")?.map_err(text)?;
    let version: Version = serde_json::from_str(&head).map_err(text)?;
    if version.schema != schema {
        return Err(format!("its schema is '{}', this version of ciem reads '{schema}'", version.schema));
    }
    let head: Head<T> = serde_json::from_str(&head).map_err(text)?;
    Ok((head.document, lines.collect::<Result<_, _>>().map_err(text)?))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
