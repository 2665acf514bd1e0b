//! Defines how a relay can end: a relay passes one request to its model and the response back.

use super::client::NextStep;
use paddock_admission::error::ProxyError;

/// The end of a relay.
#[derive(Debug)]
pub(super) enum RelayOutcome {
    /// The response is complete.
    Answered { after: NextStep },
    /// The upstream's connection ended before any byte of a response.
    Unanswered {
        /// All bytes sent are still in memory and can be sent again.
        repeatable: bool,
    },
    /// No byte of a response was passed on; the client gets this error instead.
    Failed(ProxyError),
    /// The response broke off. A client that reads a stream got an error event, if the stream allowed one.
    Broken { after: NextStep },
    /// The client has left.
    ClientGone,
}
