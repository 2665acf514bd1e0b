//! `ForwardProxy` mounted in a router, between a client's and a child's real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod bytes;
mod ends;
mod failures;
mod support;
