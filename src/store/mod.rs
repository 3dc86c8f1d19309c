//! Snapshots, findings and run records in a local directory, with std alone (design §3.7):
//!
//! ```text
//! NAMESPACE/ACCOUNT/snapshots/                  the last snapshots of an account
//! NAMESPACE/ACCOUNT/policies/POLICY/findings/   the findings of the last complete runs
//! NAMESPACE/ACCOUNT/policies/POLICY/runs/       the records of the last runs
//! ```
//!
//! Each of these is a series of immutable files. Where the newest is damaged, the one before is used and the damage is reported.
//! One process writes at a time (the operator's leader); others may read.

mod error;
mod record;
mod series;

pub use error::StoreError;
pub use record::{CompleteRun, StoredRun};

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::snapshot::{self, Snapshot};
use record::Document;
use series::{Entry, Series, list, sync_directory};

/// How many snapshots and complete runs of an account stay: the last, and enough before it to survive damage.
const KEEP: usize = 3;
/// How many run records of a policy and account stay.
const KEEP_RUNS: usize = 100;
/// A file that is referred to may not be larger.
const MAX_FILE: u64 = 1 << 30;

/// A local directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A name that is a directory of the store: that of a namespace, account or policy (DNS-1123 subdomain, as Kubernetes names are).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Takes a name that is safe as a directory.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = name.bytes().next().is_some_and(inner) && name.bytes().last().is_some_and(inner);
        if ends && name.len() <= 253 && name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.') {
            Ok(Self(name.to_owned()))
        } else {
            Err(StoreError::Name(name.to_owned()))
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An account as it is called in the cluster; without a cluster the caller names the namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// Namespace of the CloudAccount.
    pub namespace: Name,
    /// Name of the CloudAccount.
    pub name: Name,
}

impl AccountKey {
    /// Takes two names that are safe as directories.
    pub fn new(namespace: &str, name: &str) -> Result<Self, StoreError> {
        Ok(Self {
            namespace: Name::new(namespace)?,
            name: Name::new(name)?,
        })
    }
}

/// What was found, where, and what newer files had to be passed over for it.
#[derive(Debug)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Path relative to the store, for [`Store::get`].
    pub reference: String,
    /// Newer files that are damaged or cannot be used. Report them: what is newer is lost.
    pub passed_over: Vec<StoreError>,
}

impl Store {
    /// Opens a store; makes the directory where it is not there.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(StoreError::io("create", &root))?;
        let root = root.canonicalize().map_err(StoreError::io("open", &root))?;
        Ok(Self { root })
    }

    /// Keeps what one collection of an account gave as its newest: one snapshot, or several of one organization. Returns its reference.
    pub fn put_snapshots(&self, account: &AccountKey, collected: &[Snapshot]) -> Result<String, StoreError> {
        let directory = self.make(&snapshots(account))?;
        let bytes = snapshot::write_all(collected).map_err(|error| StoreError::Unwritable {
            path: directory.clone(),
            reason: error.to_string(),
        })?;
        Ok(self.reference(&Series::new(directory).put(&bytes, KEEP)?))
    }

    /// What the account's newest collection gave; none: nothing was kept yet. Fails where something is there and nothing of it can be used.
    pub fn snapshots(&self, account: &AccountKey) -> Result<Option<Found<Vec<Snapshot>>>, StoreError> {
        self.newest(&snapshots(account), |bytes, name| snapshot::read(bytes, name).map_err(|error| error.reason))
    }

    /// Whether a collection of the account is kept, without reading it.
    pub fn has_snapshots(&self, account: &AccountKey) -> Result<bool, StoreError> {
        Ok(!Series::new(self.root.join(snapshots(account))).entries()?.is_empty())
    }

    /// The snapshots in a file of the store, in any form that [`snapshot::read`] takes.
    pub fn get(&self, reference: &str) -> Result<Vec<Snapshot>, StoreError> {
        match reference.split_once('/') {
            Some((namespace, path)) => self.get_below(&Name::new(namespace)?, path),
            None => Err(StoreError::NotFound(reference.to_owned())),
        }
    }

    /// As [`Store::get`], with a path below a namespace's folder: nothing outside of that is read, not through a symbolic link either.
    pub fn get_below(&self, namespace: &Name, path: &str) -> Result<Vec<Snapshot>, StoreError> {
        let outside = || StoreError::Outside(path.to_owned());
        if path.is_empty() || Path::new(path).components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(outside());
        }
        let folder = self.root.join(namespace.as_str());
        let file = match folder.join(path).canonicalize() {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::NotFound(format!("{}/{path}", namespace.as_str())));
            }
            Err(error) => return Err(StoreError::io("open", folder.join(path))(error)),
        };
        if !file.starts_with(&folder) {
            return Err(outside());
        }
        let unusable = |reason: String| StoreError::Unusable {
            path: file.clone(),
            reason,
        };
        let metadata = fs::metadata(&file).map_err(StoreError::io("read", &file))?;
        if !metadata.is_file() {
            return Err(unusable("it is no file".to_owned()));
        }
        if metadata.len() > MAX_FILE {
            return Err(unusable(format!("it is larger than {MAX_FILE} bytes")));
        }
        let bytes = fs::read(&file).map_err(StoreError::io("read", &file))?;
        snapshot::read(&bytes, path).map_err(|error| unusable(format!("{}{}", error.place, error.reason)))
    }

    /// Keeps the findings of a complete run as the newest. Returns their reference.
    pub fn put_findings(&self, account: &AccountKey, policy: &Name, run: &CompleteRun) -> Result<String, StoreError> {
        self.put(&findings(account, policy), run, KEEP)
    }

    /// The findings of the last complete run; none: there was no such run. Fails where history is there and nothing of it can be used:
    /// the caller says "history lost".
    pub fn findings(&self, account: &AccountKey, policy: &Name) -> Result<Option<Found<CompleteRun>>, StoreError> {
        self.newest(&findings(account, policy), |bytes, _| Document::unpack(bytes))
    }

    /// The findings of the kept run that left this generation of chunks; none: no such run is kept. A crash between the store's write and
    /// the report's leaves a newer run here that no report names.
    pub fn findings_of(&self, account: &AccountKey, policy: &Name, generation: &str) -> Result<Option<CompleteRun>, StoreError> {
        let mut damaged = None;
        for entry in Series::new(self.root.join(findings(account, policy))).entries()? {
            match load(&entry, |bytes, _| CompleteRun::unpack(bytes)) {
                Ok(run) if run.record.generation == generation => return Ok(Some(run)),
                Ok(_) => {}
                Err(error) => damaged = Some(error),
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    /// Keeps the record of a run.
    pub fn put_run(&self, account: &AccountKey, policy: &Name, run: &StoredRun) -> Result<String, StoreError> {
        self.put(&runs(account, policy), run, KEEP_RUNS)
    }

    /// The records of the last runs, newest first, each with its own fate.
    pub fn runs(&self, account: &AccountKey, policy: &Name) -> Result<Vec<Result<StoredRun, StoreError>>, StoreError> {
        let entries = Series::new(self.root.join(runs(account, policy))).entries()?;
        Ok(entries
            .iter()
            .map(|entry| load(entry, |bytes, _| Document::unpack(bytes)))
            .collect())
    }

    /// All accounts that something is kept of, sorted.
    pub fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
        let mut accounts = Vec::new();
        for namespace in names(&self.root)? {
            let folder = self.root.join(namespace.as_str());
            let kept = |name: &Name| {
                ["snapshots", "policies"]
                    .iter()
                    .any(|part| folder.join(name.as_str()).join(part).is_dir())
            };
            accounts.extend(names(&folder)?.into_iter().filter(kept).map(|name| AccountKey {
                namespace: namespace.clone(),
                name,
            }));
        }
        Ok(accounts)
    }

    /// The policies that something is kept of for an account, sorted.
    pub fn policies(&self, account: &AccountKey) -> Result<Vec<Name>, StoreError> {
        names(&self.root.join(folder(account)).join("policies"))
    }

    /// Forgets an account with all that is kept of it. One that is not there is no error.
    pub fn remove_account(&self, account: &AccountKey) -> Result<(), StoreError> {
        self.remove(&folder(account))
    }

    /// Forgets the findings and runs of a policy for all accounts of its namespace.
    pub fn remove_policy(&self, namespace: &Name, policy: &Name) -> Result<(), StoreError> {
        for name in names(&self.root.join(namespace.as_str()))? {
            self.remove_report(
                &AccountKey {
                    namespace: namespace.clone(),
                    name,
                },
                policy,
            )?;
        }
        Ok(())
    }

    /// Forgets the findings and runs of a policy for one account.
    pub fn remove_report(&self, account: &AccountKey, policy: &Name) -> Result<(), StoreError> {
        self.remove(&folder(account).join("policies").join(policy.as_str()))
    }

    fn put<T: Document>(&self, directory: &Path, document: &T, keep: usize) -> Result<String, StoreError> {
        let directory = self.make(directory)?;
        let bytes = document.pack().map_err(|reason| StoreError::Unwritable {
            path: directory.clone(),
            reason,
        })?;
        Ok(self.reference(&Series::new(directory).put(&bytes, keep)?))
    }

    fn newest<T>(&self, directory: &Path, parse: impl Fn(&[u8], &str) -> Result<T, String>) -> Result<Option<Found<T>>, StoreError> {
        loop {
            let (mut passed_over, mut vanished) = (Vec::new(), false);
            for entry in Series::new(self.root.join(directory)).entries()? {
                match load(&entry, &parse) {
                    Ok(value) => {
                        return Ok(Some(Found {
                            value,
                            reference: self.reference(&entry.path),
                            passed_over,
                        }));
                    }
                    // A writer put a newer file and removed this one meanwhile.
                    Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => vanished = true,
                    Err(error) => passed_over.push(error),
                }
            }
            if !vanished {
                return passed_over.into_iter().next().map_or(Ok(None), Err);
            }
        }
    }

    fn reference(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Makes a directory below the root, step by step, so that no symbolic link is followed and each name lasts.
    fn make(&self, below: &Path) -> Result<PathBuf, StoreError> {
        let mut path = self.root.clone();
        for part in below {
            let parent = path.clone();
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(StoreError::Outside(self.reference(&path))),
                Err(error) if error.kind() == ErrorKind::NotFound => match fs::create_dir(&path) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(StoreError::io("create", &path)(error)),
                    _ => sync_directory(&parent)?,
                },
                Err(error) => return Err(StoreError::io("open", &path)(error)),
            }
        }
        Ok(path)
    }

    fn remove(&self, below: &Path) -> Result<(), StoreError> {
        let path = self.root.join(below);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io("remove", &path)(error)),
            Ok(()) => path.parent().map_or(Ok(()), sync_directory),
        }
    }
}

fn load<T>(entry: &Entry, parse: impl Fn(&[u8], &str) -> Result<T, String>) -> Result<T, StoreError> {
    let bytes = entry.load()?;
    parse(&bytes, &entry.path.to_string_lossy()).map_err(|reason| StoreError::Unusable {
        path: entry.path.clone(),
        reason,
    })
}

fn folder(account: &AccountKey) -> PathBuf {
    Path::new(account.namespace.as_str()).join(account.name.as_str())
}

fn snapshots(account: &AccountKey) -> PathBuf {
    folder(account).join("snapshots")
}

fn findings(account: &AccountKey, policy: &Name) -> PathBuf {
    folder(account).join("policies").join(policy.as_str()).join("findings")
}

fn runs(account: &AccountKey, policy: &Name) -> PathBuf {
    folder(account).join("policies").join(policy.as_str()).join("runs")
}

/// The directories in a directory that have a name of the store, sorted; symbolic links are none.
fn names(directory: &Path) -> Result<Vec<Name>, StoreError> {
    let is_directory = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let mut names: Vec<Name> = list(directory)?
        .into_iter()
        .filter(is_directory)
        .filter_map(|path| Name::new(path.file_name()?.to_str()?).ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests;
