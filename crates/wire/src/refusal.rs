/// Why a request is refused before anything of it is forwarded. The client is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A line ends in a bare LF.
    #[error("a line of the head ends in LF without CR")]
    BareLf,
    /// A CR without LF.
    #[error("the head holds a CR that no LF follows")]
    BareCr,
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A field line is malformed: its name, a space before its colon, a folded line, a control byte.
    #[error("a header field line is malformed")]
    FieldLine,
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
    /// The head is longer than [`MAX_HEAD`](crate::MAX_HEAD).
    #[error("the request head is larger than 64 KiB")]
    HeadTooLarge,
    /// More than 128 field lines.
    #[error("the request has more than 128 header fields")]
    TooManyFields,
    /// CONNECT asks for a tunnel.
    #[error("CONNECT asks for a tunnel, and this is not a forward proxy")]
    Connect,
    /// The target is neither a path nor an http URL.
    #[error(
        "the request target must be a path that starts with '/', or an http URL without a user name, and hold no '#'"
    )]
    Target,
    /// An HTTP/1.1 request without Host.
    #[error("an HTTP/1.1 request needs a Host header field")]
    HostMissing,
    /// More than one Host.
    #[error("the request has more than one Host header field")]
    HostRepeated,
    /// Host is not a host.
    #[error("the Host header field is not a host name with an optional port")]
    HostMalformed,
    /// Content-Length is not one row of digits that fits 63 bits.
    #[error("Content-Length must be one decimal number")]
    ContentLength,
    /// More than one Content-Length.
    #[error("the request has more than one Content-Length")]
    ContentLengthRepeated,
    /// Content-Length together with Transfer-Encoding.
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    TwoFramings,
    /// A transfer coding other than a single `chunked`.
    #[error("the only transfer coding accepted is a single 'chunked'")]
    TransferCoding,
    /// Transfer-Encoding in an HTTP/1.0 request.
    #[error("HTTP/1.0 has no Transfer-Encoding")]
    TransferCodingInHttp10,
    /// More than one `x-paddock-model`, and they differ.
    #[error("the request has several x-paddock-model header fields that differ")]
    ModelRepeated,
    /// More than one Origin, and they differ.
    #[error("the request has several Origin header fields that differ")]
    OriginRepeated,
    /// Connection names a field that is not the hop's to remove.
    #[error("Connection names a field that is meant for the recipient")]
    ConnectionOption,
    /// More hop-by-hop lines than a head can be edited for.
    #[error("the request has too many hop-by-hop header fields")]
    TooManyHopByHop,
    /// The chunked body is malformed.
    #[error("the chunked body is malformed: {0}")]
    Chunk(#[from] crate::ChunkError),
}

impl Refusal {
    /// The HTTP status that answers it.
    pub fn status(self) -> u16 {
        match self {
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            _ => 400,
        }
    }
}
