//! Tests against real parts: a control plane, the operator as a process, a local AWS endpoint. See `e2e/README.md`.
//!
//! Plain `cargo test --test e2e` runs them in parallel against one control plane, each in its own namespace; those that
//! disturb a control plane start one of their own.

mod harness;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with the core's tests, which use more of it")]
mod support;

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod collect;
#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod observability;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod world;
