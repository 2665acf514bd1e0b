//! The example `forward_proxy`: a `ForwardProxy` mounted in a router, between a client's and a child's real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod bytes;
mod ends;
#[path = "../../examples/forward_proxy.rs"]
#[expect(dead_code, reason = "the tests call `serve` instead of `main`")]
mod example;
mod failures;
mod support;
