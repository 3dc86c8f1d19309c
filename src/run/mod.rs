//! One audit run, shared by the operator, the job and the command line (design §3.7).
//!
//! - [`execute`] is the run itself: snapshots in, outcomes and documents out, without I/O. `ciem audit` and the operator both come through
//!   it, so they find the same.
//! - [`run`] is around it what the operator needs: a serialisable [`RunRequest`] names snapshots in the store; findings and the run's record
//!   go into the store, and the [`RunResult`] says what to write into the cluster.

mod execute;
mod request;
mod supported;

#[cfg(test)]
mod tests;

pub use execute::{Account, AccountRun, Execution, Inputs, execute};
pub use request::{AccountRef, PolicyRef, RunError, RunRequest, RunResult, SCHEMA, run};
pub use supported::unsupported;

/// Version of ciem, as run records name it.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");
