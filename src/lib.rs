//! ciem: who can do what in AWS, Azure and GCP, which of it is excessive, and how to reduce it.
//!
//! One way through the house: `collect → snapshot → access → graph → audit → report`. Everything from `snapshot` to
//! `report` is pure: no clock, network, cluster, environment or randomness. The operator and the command line are two
//! thin shells around the same core. A module imports only modules that stand above it in the README's list (a test holds
//! it to that).

// Core.
pub mod access;
pub mod audit;
pub mod catalogue;
pub mod change;
pub mod graph;
pub mod model;
pub mod report;
pub mod snapshot;

// Shell.
#[cfg(feature = "operator")]
pub mod api;
pub mod cli;
pub mod collect;
#[cfg(feature = "operator")]
pub mod operator;
pub mod run;
pub mod store;
