//! The proxy without a child: both ends of every connection in the test's hands.

mod absolute;
mod bytes;
mod edges;
mod framing;
mod harness;
mod heartbeat;
mod keys;
mod linger;
mod pages;
mod records;
mod refused;
mod retry;
mod slow;
mod streams;
mod traces;
