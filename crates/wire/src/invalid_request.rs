//! The reasons to refuse a request head or body.

/// The reason a request is refused before any of its bytes are forwarded. The client is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// A line of the head ends in LF without CR.
    #[error("a line of the head ends in LF without CR")]
    BareLf,
    /// The head contains a CR without LF.
    #[error("the head contains a CR without LF")]
    BareCr,
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A field line is malformed: an invalid name, a space before the colon, a folded line, or a
    /// control byte.
    #[error("a header field line is malformed")]
    FieldLine,
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    #[error("only HTTP/1.0 and HTTP/1.1 are supported")]
    Version,
    /// The head exceeds [`MAX_HEAD`](crate::MAX_HEAD) bytes.
    #[error("the request head is larger than 64 KiB")]
    HeadTooLarge,
    /// The head has more than 128 field lines.
    #[error("the request has more than 128 header fields")]
    TooManyFields,
    /// The method is CONNECT, which requests a tunnel.
    #[error("CONNECT is not supported: this is not a forward proxy")]
    Connect,
    /// The target is neither a path nor an http URL.
    #[error(
        "the request target must be a path that starts with '/', or an http URL without a user name, and contain no '#'"
    )]
    Target,
    /// An HTTP/1.1 request has no `Host`.
    #[error("an HTTP/1.1 request needs a Host header field")]
    HostMissing,
    /// The request has more than one `Host`.
    #[error("the request has more than one Host header field")]
    HostRepeated,
    /// The value of `Host` is not a host with an optional port.
    #[error("the Host header field is not a host name with an optional port")]
    HostMalformed,
    /// `Content-Length` is not a row of digits whose value fits 63 bits.
    #[error("Content-Length must be one decimal number")]
    ContentLength,
    /// The request has more than one `Content-Length`.
    #[error("the request has more than one Content-Length")]
    ContentLengthRepeated,
    /// The request has both `Content-Length` and `Transfer-Encoding`.
    #[error("the request has both Content-Length and Transfer-Encoding")]
    TwoFramings,
    /// The transfer coding is not a single `chunked`.
    #[error("the only transfer coding accepted is a single 'chunked'")]
    TransferCoding,
    /// An HTTP/1.0 request has `Transfer-Encoding`.
    #[error("HTTP/1.0 has no Transfer-Encoding")]
    TransferCodingInHttp10,
    /// Several `x-paddock-model` fields differ.
    #[error("the request has several different x-paddock-model header fields")]
    ModelRepeated,
    /// Several `Origin` fields differ.
    #[error("the request has several different Origin header fields")]
    OriginRepeated,
    /// `Connection` names an end-to-end field, which this hop must not remove.
    #[error("Connection names an end-to-end header field")]
    ConnectionOption,
    /// The head has more hop-by-hop lines than the proxy can remove.
    #[error("the request has too many hop-by-hop header fields")]
    TooManyHopByHop,
    /// The chunked body is malformed.
    #[error("the chunked body is malformed: {0}")]
    Chunk(#[from] crate::ChunkError),
}

impl InvalidRequest {
    /// Returns the HTTP status for this error.
    pub fn status(self) -> u16 {
        match self {
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            _ => 400,
        }
    }
}
