//! A stand-in llama-server, and a harness for end-to-end tests. Tests run real processes, listen on
//! port 0, and wait for conditions with a limit, never for a fixed time.

pub mod fake;
pub mod harness;
