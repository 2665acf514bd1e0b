//! The data plane: HTTP/1.1 requests pass to children, and their answers pass back, unaltered.
//!
//! Invariant: a request that finds its model's gate open takes no lock, sends no message and waits for no
//! other thread. This crate depends on neither axum nor rusqlite.
//!
//! A few workers, each a thread with a runtime of its own, serve the clients' connections from
//! first to last byte; nothing of a request crosses threads but the model's gate.
//!
//! | file | what happens there |
//! |---|---|
//! | `acceptor` | a new connection goes to the least busy worker |
//! | `connections` | how many there may be |
//! | `refused` | those that are too many |
//! | `workers` | threads, each with its connections |
//! | `worker` | what the connections of a thread share |
//! | `connection` | requests of one client, one after the other |
//! | `client` | the client's side of its connection |
//! | `request` | a whole head arrives, and is judged |
//! | `route` | whose the request is |
//! | `key` | who asks, and whether they may |
//! | `named` | which model it names in its body |
//! | `nameless` | the model of a request that names none, or why it has none |
//! | `observation` | requests that neither load their model nor count as use |
//! | `ollama` | the routes of another protocol, which are refused |
//! | `buffering` | bodies are read before their requests take a place |
//! | `held` | what has come of a body before that is known, or of an answer before it is taken |
//! | `pace` | how slow a client may be |
//! | `streams` | whose stream it wants to open, read or stop, where there are API keys |
//! | `heartbeat` | comments to streaming clients that wait |
//! | `early` | a stream that begins before the child's answer |
//! | `waits` | who it is that waits for a lease, and for what |
//! | `exchange` | a lease, an upstream connection, one silent retry |
//! | `relay` | request and answer pass, both at once |
//! | `end` | how that ended |
//! | `answer` | the answer's side of a relay; `answer/early`: behind a head that the client has had |
//! | `outbox` | what the client has not taken yet of its answer |
//! | `upload` | the request's side of a relay |
//! | `reply` | paddock's own errors, before an answer and inside a stream |
//! | `own` | paddock's own routes |
//! | `origin` | which web pages may ask, and read the answer |
//! | `preflight` | the browser's question whether a page may ask |
//! | `upstreams` | idle connections to the child |
//! | `watchdog` | the one timer of a connection |
//! | `desk` | where workers are given connections and errands |
//! | `at_hand` | which requests have begun and not ended |
//! | `linger` | closing without losing the last answer |

mod acceptor;
mod answer;
mod at_hand;
mod buffer;
mod buffering;
mod client;
mod connection;
mod connections;
pub mod descriptors;
mod desk;
mod early;
mod end;
mod errand;
mod exchange;
pub mod forward;
mod heartbeat;
mod held;
mod inference;
mod key;
mod linger;
pub mod lingering;
mod named;
mod nameless;
mod observation;
mod ollama;
mod origin;
mod outbox;
mod own;
mod pace;
mod preflight;
mod refused;
mod relay;
mod reply;
mod request;
mod request_id;
mod route;
mod stream;
mod streams;
mod upload;
mod upstreams;
mod waits;
mod watchdog;
mod worker;
mod workers;

#[cfg(test)]
mod tests;

pub use acceptor::Acceptor;
pub use at_hand::{AllAtHand, AtHand, Stage};
pub use connections::Connections;
pub use errand::Errands;
pub use forward::{
    EngineError, ForwardBody, ForwardProxy, InferenceCause, Upstream, UpstreamError,
};
pub use own::{OwnBody, OwnRequest, OwnRoutes};
pub use stream::Stream;
pub use worker::Site;
pub use workers::{Accepted, News, Workers};
