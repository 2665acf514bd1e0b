//! Tests of instances with real processes. No test sleeps to wait: each waits for a condition, with a limit.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is test code"
)]

mod confined;
mod failure;
mod harness;
mod impostor;
mod inference;
mod liveness;
mod output;
mod parent_death;
mod readiness;
mod restart;
mod run_program;
mod stop;
