//! Runs the complete paddock as users do, and exchanges raw bytes with it.
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
//! Dropping a [`Paddock`] ends it and checks that nothing remains: no process whose command line
//! names its directory and, if it exited by itself, no socket and no runtime directory. If the test
//! fails, its standard error is printed.
//!
//! [`Connection`] is a blocking client with a time limit on every operation, which exposes the
//! bytes as received. [`wait_until`] and [`wait_for`] poll a condition; tests never sleep for a
//! fixed time.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod address;
mod connection;
mod http_response;
mod limited_socket;
mod model_file;
mod output_lines;
mod paddock;
mod paddock_builder;
mod process;
pub mod real;
mod waiting;

// Without `self::`, the compiler would look for the crate `paddock` and link it into every test.
pub use self::paddock::Paddock;
pub use address::Address;
pub use connection::{Connection, Event, get, post};
pub use http_response::{Head, HttpResponse};
pub use model_file::model;
pub use output_lines::Lines;
pub use paddock_builder::{CommandOutput, PaddockBuilder};
pub use process::{Pid, processes_with_argument};
pub use rustix::process::Signal;
pub use waiting::{LIMIT, WATCH_TIME, now, wait_for, wait_until};

/// Creates a [`PaddockBuilder`] with this package's programs. Only integration tests can expand
/// this macro.
#[macro_export]
macro_rules! paddock {
    () => {
        $crate::harness::PaddockBuilder::new(
            env!("CARGO_BIN_EXE_paddock-e2e"),
            env!("CARGO_BIN_EXE_fake-llama-server"),
        )
    };
}
