//! Clients that other people wrote, with nothing changed but the address they are given.
//!
//! Each runs a script of its own against a paddock with the real engine and the real model.
//! `PADDOCK_TEST_CLIENTS` names the directory they are installed in; where it is unset,
//! `scripts/clients` finds or makes it.

#[cfg(test)]
mod llm;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod support;
