//! Configurations and state directories of earlier versions are read.
//!
//! `versions/` has a directory for each released version with a configuration that sets every key, and the state that
//! the version left. The ignored test `record_this_version` writes them; a recorded directory is never changed.

#[cfg(test)]
mod configuration;
#[cfg(test)]
mod record;
#[cfg(test)]
mod state;
#[cfg(test)]
mod support;
