//! Tests of the proxy without a child: the test holds both ends of every connection.

mod absolute;
mod answers;
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
mod slot_actions;
mod slow;
mod streams;
mod traces;
