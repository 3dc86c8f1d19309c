//! The core and the command line, on files alone.

mod access;
mod cases;
mod snapshot;
mod support;
