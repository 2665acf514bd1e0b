//! What is predicted from a model's header, and what a real llama-server says it took.
//!
//! `PADDOCK_TEST_ENGINE` and `PADDOCK_TEST_MODEL` name both; where they are unset, `scripts/engine`
//! and `scripts/model` find or make them, which takes minutes the first time.

#[cfg(test)]
mod gemma;
#[cfg(test)]
mod made;
#[cfg(test)]
mod support;
