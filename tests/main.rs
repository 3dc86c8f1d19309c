//! The core and the command line, on files alone.

#[cfg(test)]
mod access;
#[cfg(test)]
mod cases;
mod snapshot;
mod support;
