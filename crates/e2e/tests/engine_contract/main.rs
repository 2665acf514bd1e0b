//! The contract between the stand-in and llama-server: each row is checked against both.
//!
//! `PADDOCK_TEST_ENGINE` and `PADDOCK_TEST_MODEL` name the engine and its model; if they are unset, `scripts/engine` and
//! `scripts/model` find or build them.

#[cfg(test)]
mod contexts;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod switches;
