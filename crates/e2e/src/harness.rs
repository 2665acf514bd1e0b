//! Runs the whole of paddock as its users do, and speaks to it in bytes.
//!
//! ```text
//! let paddock = paddock_e2e::paddock!()
//!     .engine_args(["--fake-load-ms", "500"])
//!     .config("server.drain_timeout = '1s'")
//!     .start();
//! paddock.wait_ready();
//! let answer = paddock.post("/completion", r#"{"prompt":"a","n_predict":3}"#);
//! assert_eq!(answer.status, 200);
//! assert!(paddock.stop(Signal::TERM).success());
//! ```
//!
//! A [`Paddock`] that is dropped is ended, and nothing may be left of it: no process whose command
//! line names its directory and, where it ended by itself, no socket and no directory of its own.
//! What it wrote to standard error is shown when its test fails.
//!
//! [`Connection`] is a client that blocks, with a limit to everything, and sees bytes as they are.
//! [`wait_until`] and [`wait_for`] look again and again; no test sleeps for a time it made up.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod address;
mod answer;
mod builder;
mod clock;
mod connection;
mod files;
mod lines;
mod paddock;
mod process;
pub mod real;
mod socket;

pub use address::Address;
pub use answer::{Answer, Head};
pub use builder::{Builder, Finished};
pub use clock::{A_WHILE, LIMIT, now, wait_for, wait_until};
pub use connection::{Connection, Event, get, post};
pub use files::model;
pub use lines::Lines;
pub use paddock::Paddock;
pub use process::{Pid, with_words};
pub use rustix::process::Signal;

/// Begins a [`Builder`] with this package's programs. Only integration tests can expand it.
#[macro_export]
macro_rules! paddock {
    () => {
        $crate::harness::Builder::new(
            env!("CARGO_BIN_EXE_paddock-e2e"),
            env!("CARGO_BIN_EXE_fake-llama-server"),
        )
    };
}
