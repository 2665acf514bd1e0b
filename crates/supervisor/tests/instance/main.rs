//! Instances with real processes. No test waits for a time to pass: each waits for a condition, with a
//! limit.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is test code"
)]

mod ask;
mod confined;
mod failure;
mod impostor;
mod inference;
mod lab;
mod output;
mod parent_death;
mod readiness;
mod restart;
mod stop;
mod vigil;
