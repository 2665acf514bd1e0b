//! With a real llama-server and a real model: what the stand-in stands in for.
//!
//! `PADDOCK_TEST_ENGINE` and `PADDOCK_TEST_MODEL` name both; where they are unset, `scripts/engine`
//! and `scripts/model` find or make them, which takes minutes the first time.

#[cfg(test)]
mod cancel;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod support;
#[cfg(test)]
mod text;
#[cfg(test)]
mod three_models;
#[cfg(test)]
mod wrap;
