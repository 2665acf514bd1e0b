//! The data plane: HTTP/1.1 requests pass to children (the llama-server processes that paddock runs), and their
//! responses pass back, unaltered.
//!
//! Invariant: a request that finds its model's gate open takes no lock, sends no message and waits for no
//! other thread. This crate depends on neither axum nor rusqlite.
//!
//! The *gate* of a model is an atomic counter of its requests in flight, open while the model serves and has a free
//! slot. A request that passes it holds a *lease*, which keeps the model in memory until it is dropped; any other
//! request waits in the runtime's queue.
//!
//! A few workers, each a thread with its own runtime, serve clients' connections from the first to the last
//! byte. A request shares nothing with other threads except its model's gate.
//!
//! | file | contents |
//! |---|---|
//! | `acceptor` | assigns each new connection to the least busy worker |
//! | `connection_limiter`, `descriptors` | how many connections may be open |
//! | `refused_connections` | answers and closes connections above the limit |
//! | `worker` | state that a thread's connections share; `worker/threads`, `worker/handle`, `worker/command` |
//! | `client_connection` | serves the requests of one connection, one after the other |
//! | `client` | the client's side of its connection |
//! | `stream`, `buffer` | sockets; buffers, which return to their worker's pool when they are dropped |
//! | `client_disconnect` | notices that a client has disconnected |
//! | `silence_timer` | the one timer of a connection |
//! | `request`, `request_id` | reads and parses a request's head; names the request |
//! | `request_status` | what other tasks of the worker may know of a connection's request |
//! | `active_requests`, `cancellation` | lists and cancels requests that have begun and not ended |
//! | `cors`, `preflight` | which web pages may send requests and read responses |
//! | `authentication` | requires an API key that allows the request, if keys are configured |
//! | `stream_access` | keeps the resumable streams of one API key from another |
//! | `route`, `ollama`, `observation` | decides where a request goes, and whether it counts as use of a model |
//! | `model_in_body`, `unnamed_model` | the model that a body names; the model of a request that names none |
//! | `body_reader`, `buffered_body` | reads bodies before their requests get a lease |
//! | `min_rate` | how slow a client may be |
//! | `lease_request` | the client and the slot that a request queues for |
//! | `heartbeat`, `early_stream` | comments to streaming clients that wait for their model |
//! | `exchange` | a lease, an upstream connection, one silent retry |
//! | `slot_actions` | refuses client access to slots that paddock saves and restores |
//! | `upstream_pool` | idle connections to children |
//! | `relay`, `relay_outcome` | passes request and response on, both at once |
//! | `upload` | the request's side of a relay |
//! | `response`, `outbox` | the response's side of a relay; bytes that the client has not taken yet |
//! | `inference_errors` | counts a child's server errors |
//! | `local_reply`, `own_routes` | paddock's own errors and responses |
//! | `lingering_close`, `linger_limits` | closes a connection without losing the last response |
//! | `forward_proxy` | the proxy as a tower service for other programs |

mod acceptor;
mod active_requests;
mod authentication;
mod body_reader;
mod buffer;
mod buffered_body;
mod cancellation;
mod client;
mod client_connection;
mod client_disconnect;
mod connection_limiter;
mod cors;
pub mod descriptors;
mod early_stream;
mod exchange;
pub mod forward_proxy;
mod heartbeat;
mod inference_errors;
mod lease_request;
pub mod linger_limits;
mod lingering_close;
mod local_reply;
mod min_rate;
mod model_in_body;
mod observation;
mod ollama;
mod outbox;
mod own_routes;
mod preflight;
mod refused_connections;
mod relay;
mod relay_outcome;
mod request;
mod request_id;
mod request_status;
mod response;
mod route;
mod silence_timer;
mod slot_actions;
mod stream;
mod stream_access;
mod unnamed_model;
mod upload;
mod upstream_pool;
mod worker;

#[cfg(test)]
mod tests;

pub use acceptor::Acceptor;
pub use active_requests::{ActiveRequest, ActiveRequests, RequestStage};
pub use connection_limiter::ConnectionLimiter;
pub use forward_proxy::{
    EngineError, ForwardBody, ForwardProxy, InferenceCause, Upstream, UpstreamError,
};
pub use own_routes::{OwnBody, OwnRequest, OwnRoutes};
pub use stream::Stream;
pub use worker::WorkerContext;
pub use worker::command::WorkersHandle;
pub use worker::threads::{AcceptedConnection, WorkerThreads, WorkerUpdates};
