//! Real parts for tests and for the demo: a control plane, the operator as a process, and what lies between them.
//!
//! Linux only: processes are told apart by `/proc`.

pub mod aws;
pub mod cluster;
pub mod control_plane;
pub mod namespace;
pub mod operator;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod suite;
pub mod tools;
pub mod wait;
