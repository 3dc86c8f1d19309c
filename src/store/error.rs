//! What can go wrong with the store, with the path it is about.

use std::io;
use std::path::PathBuf;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("store: cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is torn or was changed: its content does not have the digest of its name.
    #[error("store: {path} is damaged: its content does not have the digest in its name; remove it to go on without it", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file is whole, but not what stands there by its name, or of a version that is not known.
    #[error("store: {path} cannot be used: {reason}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The value cannot be written.
    #[error("store: {path} cannot be written: {reason}", path = path.display())]
    Unwritable {
        /// The directory that it was meant for.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No such file.
    #[error("store: there is no file '{0}'")]
    NotFound(String),
    /// A name that cannot be a directory of the store.
    #[error("store: '{0}' is no name: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit, up to 253")]
    Name(String),
    /// A reference or directory that leads out of where it belongs.
    #[error("store: '{0}' leads out of its folder: use a path below it without '..', and no symbolic link to elsewhere")]
    Outside(String),
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
