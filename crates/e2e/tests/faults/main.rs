//! Every fault at every moment: what the client sees, what follows, what is left.

#![cfg(test)]
mod fast;
mod fault;
mod matrix;
mod moment;
mod random;
mod scene;
mod seen;
mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lets one of the tests here run at a time: each keeps a dozen paddocks busy, and two dozen are more than a
/// machine with two cores serves within their time limits.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
