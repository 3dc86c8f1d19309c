//! What the tests share.

pub mod builder;
pub mod demo;
pub mod generate;
pub mod shared_data;
