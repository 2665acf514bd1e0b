//! Supports end-to-end tests: a fake `llama-server` ([`fake`]), a harness that runs the complete
//! paddock against it ([`harness`]), and servers that it downloads from ([`mirror`]). Tests run
//! real processes, listen on port 0, and wait for conditions with a time limit, never for a fixed
//! time.

pub mod fake;
pub mod harness;
pub mod mirror;
