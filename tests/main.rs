//! The core and the command line, on files alone.
// Everything here is a test: what clippy allows in tests is allowed in helpers too.
#![cfg(test)]

#[cfg(test)]
mod access;
mod architecture;
mod audit;
mod cases;
mod cli;
mod snapshot;
mod support;
