//! Reading what the command line names: snapshots, policies, earlier results.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;

use super::exit::{Exit, Failure, OrExit as _};
use super::output::display;
use crate::model::Provider;
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
        if self.files.iter().filter(|path| *path == Path::new("-")).count() > 1 {
            return Err(anyhow!("standard input can be read once: give '-' once")).or_exit(Exit::Usage);
        }
        let mut snapshots: Vec<Snapshot> = Vec::new();
        let mut read_from: BTreeMap<(Provider, String), String> = BTreeMap::new();
        for path in &self.files {
            let name = display(path);
            let bytes = bytes(path)?;
            for snapshot in snapshot::read(&bytes, &name).or_exit(Exit::Malformed)? {
                let account = (snapshot.provider, snapshot.scope.clone());
                // Which of two states of an account is meant, nobody can know.
                if let Some(first) = read_from.insert(account, name.clone()) {
                    let account = format!("{} {}", snapshot.provider.as_str(), snapshot.scope);
                    return Err(anyhow!("'{first}' and '{name}' are both of {account}: give one of them")).or_exit(Exit::Malformed);
                }
                snapshots.push(snapshot);
            }
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
