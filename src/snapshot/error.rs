//! Why a file could not be read, and where in it.

use std::fmt;

/// A file that is not in a form that ciem reads, or is malformed. One kind for all of them: exit code 65.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}{reason}")]
pub struct ReadError {
    /// Name of the file as the caller knows it.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// What is wrong and, where that helps, what to do.
    pub reason: String,
}

/// A place in a file. All empty: the file as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Path of members and indices, e.g. `RoleDetailList[0].Arn`; empty for the whole.
    pub path: String,
    /// Line from 1, of the text (of a compressed file: of what it holds); 0 where there is none.
    pub line: usize,
    /// Column from 1, in characters; 0 where there is none.
    pub column: usize,
}

impl fmt::Display for Place {
    /// Ends with a colon and a blank, so that a reason can follow; nothing for the file as a whole.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.is_empty(), self.line) {
            (true, 0) => Ok(()),
            (true, line) => write!(out, "line {line}, column {}: ", self.column),
            (false, 0) => write!(out, "{}: ", self.path),
            (false, line) => write!(out, "{} (line {line}, column {}): ", self.path, self.column),
        }
    }
}
