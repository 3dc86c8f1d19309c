//! The core and the command line, on files alone.

mod snapshot;
mod support;
