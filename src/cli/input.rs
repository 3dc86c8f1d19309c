//! Reading what the command line names: snapshots, policies, earlier results.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use super::exit::{Exit, Failure, OrExit as _};
use super::output::display;
use crate::model::AuditPolicySpec;
use crate::snapshot::{self, Snapshot};

/// Which snapshots a question is asked of.
#[derive(Debug, Clone, Args)]
pub struct SnapshotArguments {
    /// A recorded snapshot; repeatable: several form one organization; `-` is standard input.
    #[arg(long = "snapshot", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl SnapshotArguments {
    /// All snapshots of all files.
    pub fn read(&self) -> Result<Vec<Snapshot>, Failure> {
        let mut snapshots = Vec::new();
        for path in &self.files {
            let bytes = bytes(path)?;
            snapshots.extend(snapshot::read(&bytes, &display(path)).or_exit(Exit::Malformed)?);
        }
        Ok(snapshots)
    }
}

/// The bytes of a file, or of standard input for `-`.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.with_context(|| format!("failed to read '{}'", display(path)))
        .or_exit(Exit::Unreadable)
}

/// An AuditPolicy manifest, as kubectl takes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    api_version: String,
    kind: String,
    spec: serde_json::Value,
}

/// The spec of an AuditPolicy manifest (YAML or JSON). A member that is not known is an error: a mistyped exemption must not be lost.
pub fn policy(path: &Path) -> Result<AuditPolicySpec, Failure> {
    let name = display(path);
    let bytes = bytes(path)?;
    let manifest: Manifest = serde_saphyr::from_slice(&bytes)
        .with_context(|| format!("'{name}' is no AuditPolicy manifest"))
        .or_exit(Exit::Malformed)?;
    if manifest.kind != "AuditPolicy" || !manifest.api_version.starts_with("ciem.dev/") {
        let error = anyhow!(
            "'{name}' holds {} {}, an AuditPolicy of ciem.dev is needed",
            manifest.api_version,
            manifest.kind
        );
        return Err(error).or_exit(Exit::Malformed);
    }
    let mut unknown = Vec::new();
    let spec = serde_ignored::deserialize(manifest.spec, |path| unknown.push(format!("spec.{path}")))
        .with_context(|| format!("'{name}': spec"))
        .or_exit(Exit::Malformed)?;
    if unknown.is_empty() {
        Ok(spec)
    } else {
        let error = anyhow!("'{name}': an AuditPolicy has no {}: correct or remove it", unknown.join(", "));
        Err(error).or_exit(Exit::Malformed)
    }
}

/// The time of the question: `--now`, else the latest collection time, else the present.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the present enters (command-line.md, `--now`)"
)]
pub fn now(given: Option<Timestamp>, snapshots: &[Snapshot]) -> Timestamp {
    given
        .or_else(|| snapshots.iter().filter_map(|snapshot| snapshot.collected_at).max())
        .unwrap_or_else(Timestamp::now)
}
