//! The core and the command line, on files alone.

mod cases;
mod snapshot;
mod support;
