//! A directory of numbered files that are written once and never changed: `NUMBER-SHA256.json.zst`, the last few kept.
//! The number gives the order without a clock; the digest in the name tells a torn or altered file from a whole one.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::StoreError;
use crate::snapshot::sha256;

const SUFFIX: &str = ".json.zst";
const TEMPORARY: &str = ".new-";

/// A temporary file so much older than a new one was left by a process that died.
const ABANDONED: Duration = Duration::from_hours(1);

/// The directory.
#[derive(Debug)]
pub(super) struct Series {
    directory: PathBuf,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    number: u64,
    digest: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Series {
    /// The series in a directory, which need not be there yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The files, newest first. No directory: none.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = list(&self.directory)?.into_iter().filter_map(Entry::of).collect();
        entries.sort_unstable_by(|left, right| right.cmp(left));
        Ok(entries)
    }

    /// Writes a new file and removes all but the newest `keep`. The directory must be there. Equal content is not written twice in a row.
    /// The file is there whole or not at all, also after a power cut.
    pub fn put(&self, bytes: &[u8], keep: usize) -> Result<PathBuf, StoreError> {
        let entries = self.entries()?;
        let digest = sha256(bytes);
        let newest = entries.first();
        if let Some(newest) = newest.filter(|newest| newest.digest == digest && newest.load().is_ok()) {
            return Ok(newest.path.clone());
        }
        let number = newest.map_or(1, |newest| newest.number.saturating_add(1));
        let path = self.directory.join(format!("{number:016}-{digest}{SUFFIX}"));
        self.write(bytes, &path)?;
        for old in entries.iter().skip(keep.saturating_sub(1)) {
            remove(&old.path)?;
        }
        self.sweep(&path)?;
        Ok(path)
    }

    fn write(&self, bytes: &[u8], path: &Path) -> Result<(), StoreError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let temporary = self.directory.join(format!(
            "{TEMPORARY}{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        ));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(StoreError::io("create", &temporary))?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(StoreError::io("write", &temporary));
        let renamed = written.and_then(|()| fs::rename(&temporary, path).map_err(StoreError::io("rename", &temporary)));
        if renamed.is_err() {
            // The first error is the one to report; what is left is swept later.
            drop(fs::remove_file(&temporary));
        }
        renamed.and_then(|()| sync_directory(&self.directory))
    }

    /// Removes what writers that died left behind.
    fn sweep(&self, newest: &Path) -> Result<(), StoreError> {
        let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let now = modified(newest);
        for path in list(&self.directory)? {
            let temporary = path
                .file_name()
                .and_then(OsStr::to_str)
                .is_some_and(|name| name.starts_with(TEMPORARY));
            let age = temporary.then(|| now?.duration_since(modified(&path)?).ok()).flatten();
            if age.is_some_and(|age| age > ABANDONED) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn of(path: PathBuf) -> Option<Self> {
        let (number, digest) = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.split_once('-')?;
        let (number, digest) = (number.parse().ok()?, digest.to_owned());
        Some(Self { number, digest, path })
    }

    /// The content, where it has the digest of the name.
    pub fn load(&self) -> Result<Vec<u8>, StoreError> {
        let bytes = fs::read(&self.path).map_err(StoreError::io("read", &self.path))?;
        if sha256(&bytes) == self.digest {
            Ok(bytes)
        } else {
            Err(StoreError::Damaged { path: self.path.clone() })
        }
    }
}

/// What a directory holds, in no order. No directory: nothing.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", directory)(error)),
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(StoreError::io("list", directory)))
        .collect()
}

/// Makes the names in a directory last through a power cut.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::io("sync", directory))
}

/// Removes a file; one that is gone already (by another process) is no error.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
