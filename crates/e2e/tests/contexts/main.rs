//! Kept contexts: conversations continue after their model was unloaded. All modules except `failures` use the
//! real engine.
//!
//! `PADDOCK_TEST_ENGINE`, `PADDOCK_TEST_MODEL` and `PADDOCK_TEST_CONTEXT_MODELS` name the engine and the models; if
//! unset, `scripts/engine`, `scripts/model` and `scripts/context-models` provide them.

#[cfg(test)]
mod alternation;
#[cfg(test)]
mod answer;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod difference;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod idle_saves;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod many;
#[cfg(test)]
mod precision;
#[cfg(test)]
mod support;
