use super::client::After;
use paddock_admission::error::ProxyError;

/// How a relay ended.
#[derive(Debug)]
pub(super) enum End {
    /// The answer is whole.
    Answered { after: After },
    /// The upstream's connection ended before anything of an answer came.
    Unanswered {
        /// All that was sent is still in memory and can be sent again.
        repeatable: bool,
    },
    /// Nothing of an answer was passed on; the client is to be told this instead.
    Failed(ProxyError),
    /// The answer broke off. The client was told as well as its format allows.
    Broken { after: After },
    /// The client has left.
    ClientGone,
}
