//! Exit codes of the contract.

use std::process::ExitCode;

/// What a command tells scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; allowed; agrees.
    Success,
    /// Denied; found something under `--fail-on`; disagrees.
    Negative,
    /// A question's answer is conditional.
    Conditional,
    /// A question's answer is unknown.
    Unknown,
    /// The command line is wrong.
    Usage,
    /// An input is malformed.
    Malformed,
    /// An input cannot be read.
    Unreadable,
    /// A cloud or cluster cannot be reached.
    Unreachable,
    /// A fault of ours.
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Negative => 1,
            Exit::Conditional => 2,
            Exit::Unknown => 3,
            Exit::Usage => 64,
            Exit::Malformed => 65,
            Exit::Unreadable => 66,
            Exit::Unreachable => 69,
            Exit::Internal => 70,
        })
    }
}

/// A command that could not answer.
#[derive(Debug)]
pub struct Failure {
    /// What scripts are told.
    pub exit: Exit,
    /// What people are told.
    pub error: anyhow::Error,
}

/// Attaches the exit code to an error.
pub trait OrExit<T> {
    /// The value, or a failure with this code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}
