//! What paddock sends by https: events, traces and metrics.

#![cfg(test)]

mod authority;
mod delivery;
mod receiver;
mod trouble;
