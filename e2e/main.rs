//! Tests against real parts: a control plane, the operator as a process, a local AWS endpoint. See `e2e/README.md`.
//!
//! Plain `cargo test --test e2e` runs them in parallel against one control plane, each in its own namespace; those that
//! disturb a control plane start one of their own.

mod harness;

#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod runner;
