//! Chunked transfer coding (RFC 9112 §7.1), followed strictly so that no other parser can see
//! another end.

use std::ops::Range;

/// The bytes that end a line and a chunk.
pub(crate) const CRLF: &[u8] = b"\r\n";

/// Limit on the chunk extensions and the trailer section of one body together.
const MAX_EXTRA_BYTES: u32 = 16 * 1024;

/// Limit on the hexadecimal digits of a chunk size, so that the size fits 60 bits.
const MAX_SIZE_DIGITS: usize = 15;

/// Fields forbidden in every trailer section because they frame or route a message (RFC 9110
/// §6.5.1).
const FORBIDDEN_TRAILERS: [&[u8]; 4] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
];

/// Fields also forbidden in a request's trailer section. A receiver that merges trailers into the
/// head would take framing, routing or credentials from bytes that nothing has checked (RFC 9110
/// §6.5.1).
const FORBIDDEN_REQUEST_TRAILERS: [&[u8]; 22] = [
    // Framing and hop-by-hop fields.
    b"te",
    b"trailer",
    b"upgrade",
    b"keep-alive",
    b"proxy-connection",
    // Routing, in paddock and in the model's server.
    b"x-paddock-model",
    b"x-request-id",
    b"x-conversation-id",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    // Authentication.
    b"authorization",
    b"proxy-authorization",
    b"x-api-key",
    b"cookie",
    b"origin",
    // Request modifiers.
    b"expect",
    b"max-forwards",
    // Content processing.
    b"content-encoding",
    b"content-range",
    b"content-type",
];

/// Length of the longest name in [`FORBIDDEN_TRAILERS`] and [`FORBIDDEN_REQUEST_TRAILERS`].
const MAX_FORBIDDEN_NAME_LEN: usize = 19;

/// The kind of message that a body belongs to: each kind forbids different trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// A client's request.
    Request,
    /// An upstream's response.
    Response,
}

impl MessageKind {
    /// Returns true if a trailer section may contain the field `name`, given in lower case.
    fn allows_trailer(self, name: &[u8]) -> bool {
        let mut dashed = [0; MAX_FORBIDDEN_NAME_LEN];
        let Some(dashed) = dashed.get_mut(..name.len()) else {
            return true;
        };
        if FORBIDDEN_TRAILERS.contains(&name) {
            return false;
        }
        // Gateways that pass fields on as variables (RFC 3875 §4.1.18) do not distinguish `_` from
        // `-`.
        for (to, byte) in dashed.iter_mut().zip(name) {
            *to = if *byte == b'_' { b'-' } else { *byte };
        }
        let dashed = &*dashed;
        self == Self::Response
            || !(FORBIDDEN_TRAILERS.contains(&dashed)
                || FORBIDDEN_REQUEST_TRAILERS.contains(&dashed))
    }
}

/// A violation of the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The chunk size is not 1 to 15 hexadecimal digits.
    #[error("a chunk size is not a hexadecimal number of at most 15 digits")]
    Size,
    /// A chunk extension contains a control byte.
    #[error("a chunk extension contains a control byte")]
    Extension,
    /// A line does not end in CRLF.
    #[error("a line of the chunked body does not end in CRLF")]
    LineEnd,
    /// A trailer field is malformed or forbidden.
    #[error("a trailer field is malformed or not allowed in a trailer section")]
    Trailer,
    /// Chunk extensions and trailers exceed 16 KiB.
    #[error("chunk extensions or trailers are larger than 16 KiB")]
    TooLarge,
}

/// The part of the coding that the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum ChunkState {
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    TrailerStart,
    /// Inside a field name after `len` bytes; [`Chunked::name`] holds the first of them.
    TrailerName {
        len: usize,
    },
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// Follows a chunked body to its end.
#[derive(Debug, Clone)]
pub(crate) struct Chunked {
    state: ChunkState,
    kind: MessageKind,
    /// Bytes of extensions and trailers seen so far.
    extra: u32,
    /// The start of the current trailer field's name, in lower case.
    name: [u8; MAX_FORBIDDEN_NAME_LEN],
}

/// The result of one step: the number of bytes taken, and whether they are body data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkStep {
    pub(crate) taken: usize,
    pub(crate) is_data: bool,
}

impl Chunked {
    pub(crate) fn new(kind: MessageKind) -> Self {
        Self {
            state: ChunkState::Size { digits: 0, size: 0 },
            kind,
            extra: 0,
            name: [0; MAX_FORBIDDEN_NAME_LEN],
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, ChunkState::Done)
    }

    /// Returns true between two chunks, where the proxy can insert a chunk of its own.
    pub(crate) fn is_between_chunks(&self) -> bool {
        matches!(self.state, ChunkState::Size { digits: 0, .. })
    }

    /// Returns the bytes that complete the current chunk, with line feeds in place of its missing
    /// data; none between two chunks. Returns `None` if no chunk can follow, or if more than `max`
    /// bytes of data are missing.
    pub(crate) fn filler(&self, max: usize) -> Option<Vec<u8>> {
        let (before, missing, after): (&[u8], u64, &[u8]) = match self.state {
            ChunkState::Size { digits: 0, .. } => (b"", 0, b""),
            // The digits so far are a valid size, except zero, which would end the body.
            ChunkState::Size { digits, size: 0 } if usize::from(digits) < MAX_SIZE_DIGITS => {
                (b"1\r\n", 1, CRLF)
            }
            ChunkState::Size { size, .. } | ChunkState::Extension { size } if size > 0 => {
                (CRLF, size, CRLF)
            }
            ChunkState::SizeLf { size } if size > 0 => (b"\n", size, CRLF),
            ChunkState::Data { left } => (b"", left, CRLF),
            ChunkState::DataCr => (b"", 0, CRLF),
            ChunkState::DataLf => (b"", 0, b"\n"),
            _ => return None,
        };
        let missing = usize::try_from(missing).ok().filter(|len| *len <= max)?;
        Some([before, &vec![b'\n'; missing], after].concat())
    }

    /// Takes the longest run of only data or only framing at the start of `bytes`, which is not
    /// empty.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<ChunkStep, ChunkError> {
        if let ChunkState::Data { left } = self.state {
            let len = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - len as u64;
            self.state = match left {
                0 => ChunkState::DataCr,
                left => ChunkState::Data { left },
            };
            return Ok(ChunkStep {
                taken: len,
                is_data: true,
            });
        }
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            if matches!(self.state, ChunkState::Data { .. } | ChunkState::Done) {
                break;
            }
            self.state = self.next(*byte)?;
            taken += 1;
        }
        Ok(ChunkStep {
            taken,
            is_data: false,
        })
    }

    /// Returns the range of the data if `bytes` start with a complete chunk, as nearly every
    /// event's chunk is. The chunk has a non-zero size and no extension; the next chunk starts
    /// after the CRLF behind the range. A fast path: [`step`](Self::step) handles every other
    /// input, and could handle this one.
    pub(crate) fn find_complete_chunk(&self, bytes: &[u8]) -> Option<Range<usize>> {
        if !self.is_between_chunks() {
            return None;
        }
        let (mut digits, mut size) = (0, 0_u64);
        while let Some(digit) = bytes.get(digits).copied().and_then(hex_digit) {
            size = size << 4 | u64::from(digit);
            digits += 1;
            if digits > MAX_SIZE_DIGITS {
                return None;
            }
        }
        let start = digits + CRLF.len();
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        let is_alone = bytes.get(digits..start) == Some(CRLF);
        let ends = bytes.get(end..)?.starts_with(CRLF);
        (size > 0 && is_alone && ends).then_some(start..end)
    }

    /// Returns the state after one byte of framing.
    fn next(&mut self, byte: u8) -> Result<ChunkState, ChunkError> {
        match self.state {
            ChunkState::Size { digits, size } => take_size_byte(digits, size, byte),
            ChunkState::Extension { size } => self.take_extension_byte(size, byte),
            ChunkState::SizeLf { size } => match (byte, size) {
                (b'\n', 0) => Ok(ChunkState::TrailerStart),
                (b'\n', left) => Ok(ChunkState::Data { left }),
                _ => Err(ChunkError::LineEnd),
            },
            ChunkState::DataCr => expect(byte, b'\r', ChunkState::DataLf),
            ChunkState::DataLf => expect(byte, b'\n', ChunkState::Size { digits: 0, size: 0 }),
            ChunkState::TrailerStart if byte == b'\r' => Ok(ChunkState::LastLf),
            ChunkState::TrailerStart => self.take_name_byte(0, byte),
            ChunkState::TrailerName { len } => self.take_name_byte(len, byte),
            ChunkState::TrailerValue => self.take_value_byte(byte),
            ChunkState::TrailerLf => expect(byte, b'\n', ChunkState::TrailerStart),
            ChunkState::LastLf => expect(byte, b'\n', ChunkState::Done),
            state @ (ChunkState::Data { .. } | ChunkState::Done) => Ok(state),
        }
    }

    fn take_extension_byte(&mut self, size: u64, byte: u8) -> Result<ChunkState, ChunkError> {
        self.count_extra_byte()?;
        match byte {
            b'\r' => Ok(ChunkState::SizeLf { size }),
            b'\t' | 0x20..=0x7e | 0x80.. => Ok(ChunkState::Extension { size }),
            _ => Err(ChunkError::Extension),
        }
    }

    fn take_name_byte(&mut self, len: usize, byte: u8) -> Result<ChunkState, ChunkError> {
        self.count_extra_byte()?;
        if byte == b':' && len > 0 {
            // A name longer than the buffer is in neither list.
            let known = self.name.get(..len);
            return if known.is_none_or(|known| self.kind.allows_trailer(known)) {
                Ok(ChunkState::TrailerValue)
            } else {
                Err(ChunkError::Trailer)
            };
        }
        if !is_token(byte) {
            return Err(ChunkError::Trailer);
        }
        if let Some(slot) = self.name.get_mut(len) {
            *slot = byte.to_ascii_lowercase();
        }
        Ok(ChunkState::TrailerName { len: len + 1 })
    }

    fn take_value_byte(&mut self, byte: u8) -> Result<ChunkState, ChunkError> {
        self.count_extra_byte()?;
        match byte {
            b'\r' => Ok(ChunkState::TrailerLf),
            b'\t' | 0x20..=0x7e | 0x80.. => Ok(ChunkState::TrailerValue),
            _ => Err(ChunkError::Trailer),
        }
    }

    fn count_extra_byte(&mut self) -> Result<(), ChunkError> {
        self.extra += 1;
        match self.extra {
            ..=MAX_EXTRA_BYTES => Ok(()),
            _ => Err(ChunkError::TooLarge),
        }
    }
}

fn take_size_byte(digits: u8, size: u64, byte: u8) -> Result<ChunkState, ChunkError> {
    match (hex_digit(byte), byte) {
        (Some(digit), _) if usize::from(digits) < MAX_SIZE_DIGITS => Ok(ChunkState::Size {
            digits: digits + 1,
            size: size << 4 | u64::from(digit),
        }),
        (None, b'\r') if digits > 0 => Ok(ChunkState::SizeLf { size }),
        (None, b';') if digits > 0 => Ok(ChunkState::Extension { size }),
        _ => Err(ChunkError::Size),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    HEX_DIGITS.get(usize::from(byte)).copied().flatten()
}

/// Values of hexadecimal digits. One lookup is cheaper than six comparisons.
const HEX_DIGITS: [Option<u8>; 256] = {
    let mut values = [None; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = Some(value);
        values[b"0123456789ABCDEF"[value as usize] as usize] = Some(value);
        value += 1;
    }
    values
};

fn expect(byte: u8, wanted: u8, then: ChunkState) -> Result<ChunkState, ChunkError> {
    if byte == wanted {
        Ok(then)
    } else {
        Err(ChunkError::LineEnd)
    }
}

/// Returns true for a byte allowed in a field name (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
