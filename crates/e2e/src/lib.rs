//! A stand-in llama-server, a harness, and tests of the whole.

pub mod fake;
pub mod harness;
