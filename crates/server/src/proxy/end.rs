use super::client::After;
use crate::error::ProxyError;

/// How a relay ended.
#[derive(Debug)]
pub(super) enum End {
    /// The answer is whole.
    Answered { after: After },
    /// The connection died before anything of an answer, and the request can be sent again.
    Stale,
    /// Nothing of an answer was passed on; the client is to be told this instead.
    Failed(ProxyError),
    /// The answer broke off. The client was told as well as its format allows.
    Broken,
    /// The client has left.
    ClientGone,
}
