use std::ops::Range;

/// What ends a line, and a chunk.
pub(crate) const CRLF: &[u8] = b"\r\n";

/// The longest chunk extensions and the longest trailer section accepted, in bytes each.
const MAX_EXTRA: u32 = 16 * 1024;

/// The most digits of a chunk's size.
const MAX_DIGITS: usize = 15;

/// Fields that no trailer section may bring: they frame or route a message (RFC 9110 §6.5.1).
const NOT_TRAILERS: [&[u8]; 4] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
];

/// Fields that a request's trailer section may not bring either. A receiver that merges trailers into the
/// head would take its framing, its route or the client's credentials from bytes that nobody has checked
/// (RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, and how content is processed).
const NOT_REQUEST_TRAILERS: [&[u8]; 22] = [
    // Framing and this hop.
    b"te",
    b"trailer",
    b"upgrade",
    b"keep-alive",
    b"proxy-connection",
    // Routing, here and in the model's server.
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
    // How the content is processed.
    b"content-encoding",
    b"content-range",
    b"content-type",
];

/// The longest name in these lists.
const LONGEST: usize = 19;

/// Which message a body belongs to: their trailer sections may bring different fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client's request.
    Client,
    /// An upstream's answer.
    Upstream,
}

impl Sender {
    /// Returns whether a trailer section may bring the field of this name, which is in lower case.
    fn may_trail(self, name: &[u8]) -> bool {
        let mut dashed = [0; LONGEST];
        let Some(dashed) = dashed.get_mut(..name.len()) else {
            return true;
        };
        if NOT_TRAILERS.contains(&name) {
            return false;
        }
        // Gateways that hand fields on as variables (RFC 3875 §4.1.18) do not tell `_` from `-`.
        for (to, byte) in dashed.iter_mut().zip(name) {
            *to = if *byte == b'_' { b'-' } else { *byte };
        }
        let dashed = &*dashed;
        self == Self::Upstream
            || !(NOT_TRAILERS.contains(&dashed) || NOT_REQUEST_TRAILERS.contains(&dashed))
    }
}

/// Why a chunked body cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The size is not one to fifteen hexadecimal digits.
    #[error("a chunk's size is not a hexadecimal number of at most 15 digits")]
    Size,
    /// A control byte in an extension.
    #[error("a chunk extension holds a control byte")]
    Extension,
    /// CR and LF are not where they belong.
    #[error("a line does not end in CRLF where it must")]
    LineEnd,
    /// A trailer field is malformed, or one that cannot be a trailer.
    #[error("a trailer field is malformed or not allowed there")]
    Trailer,
    /// Extensions or trailers are longer than 16 KiB.
    #[error("chunk extensions or trailers are larger than 16 KiB")]
    TooLarge,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy)]
enum At {
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
    /// In a field's name, of which `len` bytes have come; the first are in [`Chunked::name`].
    TrailerName {
        len: usize,
    },
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// Follows a chunked body (RFC 9112 §7.1) to its end, strictly.
#[derive(Debug, Clone)]
pub(crate) struct Chunked {
    at: At,
    sender: Sender,
    /// Bytes of extensions and trailers so far.
    extra: u32,
    /// The start of a trailer field's name, in lower case.
    name: [u8; LONGEST],
}

/// One step: how many bytes it took, and whether they were the body's own data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) taken: usize,
    pub(crate) is_data: bool,
}

impl Chunked {
    pub(crate) fn new(sender: Sender) -> Self {
        Self {
            at: At::Size { digits: 0, size: 0 },
            sender,
            extra: 0,
            name: [0; LONGEST],
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.at, At::Done)
    }

    /// Between two chunks, where another one may be put.
    pub(crate) fn is_between_chunks(&self) -> bool {
        matches!(self.at, At::Size { digits: 0, .. })
    }

    /// Returns the bytes that end the chunk under way, with line feeds for the data that has not come; none between
    /// two chunks. `None` where no chunk can follow any more, or where that takes more than `max` bytes of data.
    pub(crate) fn filler(&self, max: usize) -> Option<Vec<u8>> {
        let (before, missing, after): (&[u8], u64, &[u8]) = match self.at {
            At::Size { digits: 0, .. } => (b"", 0, b""),
            // A size that is cut short is a size. One that is 0 would end the body.
            At::Size { digits, size: 0 } if usize::from(digits) < MAX_DIGITS => (b"1\r\n", 1, CRLF),
            At::Size { size, .. } | At::Extension { size } if size > 0 => (CRLF, size, CRLF),
            At::SizeLf { size } if size > 0 => (b"\n", size, CRLF),
            At::Data { left } => (b"", left, CRLF),
            At::DataCr => (b"", 0, CRLF),
            At::DataLf => (b"", 0, b"\n"),
            _ => return None,
        };
        let missing = usize::try_from(missing).ok().filter(|len| *len <= max)?;
        Some([before, &vec![b'\n'; missing], after].concat())
    }

    /// Takes the longest run of one kind at the start of `bytes`, which is not empty.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step, ChunkError> {
        if let At::Data { left } = self.at {
            let here = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - here as u64;
            self.at = match left {
                0 => At::DataCr,
                left => At::Data { left },
            };
            return Ok(Step {
                taken: here,
                is_data: true,
            });
        }
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            if matches!(self.at, At::Data { .. } | At::Done) {
                break;
            }
            self.at = self.next(*byte)?;
            taken += 1;
        }
        Ok(Step {
            taken,
            is_data: false,
        })
    }

    /// Where the data lies of a chunk that is whole at the start of `bytes`, as nearly every event's is: its
    /// size is not 0 and alone on its line. Behind it is the next one. All else is taken step by step, and so
    /// could this be.
    pub(crate) fn whole(&self, bytes: &[u8]) -> Option<Range<usize>> {
        if !self.is_between_chunks() {
            return None;
        }
        let (mut digits, mut size) = (0, 0_u64);
        while let Some(digit) = bytes.get(digits).copied().and_then(hexadecimal) {
            size = size << 4 | u64::from(digit);
            digits += 1;
            if digits > MAX_DIGITS {
                return None;
            }
        }
        let start = digits + CRLF.len();
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        let is_alone = bytes.get(digits..start) == Some(CRLF);
        let ends = bytes.get(end..)?.starts_with(CRLF);
        (size > 0 && is_alone && ends).then_some(start..end)
    }

    /// The state behind one byte of framing.
    fn next(&mut self, byte: u8) -> Result<At, ChunkError> {
        match self.at {
            At::Size { digits, size } => size_byte(digits, size, byte),
            At::Extension { size } => self.extension_byte(size, byte),
            At::SizeLf { size } => match (byte, size) {
                (b'\n', 0) => Ok(At::TrailerStart),
                (b'\n', left) => Ok(At::Data { left }),
                _ => Err(ChunkError::LineEnd),
            },
            At::DataCr => expect(byte, b'\r', At::DataLf),
            At::DataLf => expect(byte, b'\n', At::Size { digits: 0, size: 0 }),
            At::TrailerStart if byte == b'\r' => Ok(At::LastLf),
            At::TrailerStart => self.name_byte(0, byte),
            At::TrailerName { len } => self.name_byte(len, byte),
            At::TrailerValue => self.value_byte(byte),
            At::TrailerLf => expect(byte, b'\n', At::TrailerStart),
            At::LastLf => expect(byte, b'\n', At::Done),
            at @ (At::Data { .. } | At::Done) => Ok(at),
        }
    }

    fn extension_byte(&mut self, size: u64, byte: u8) -> Result<At, ChunkError> {
        self.count()?;
        match byte {
            b'\r' => Ok(At::SizeLf { size }),
            b'\t' | 0x20..=0x7e | 0x80.. => Ok(At::Extension { size }),
            _ => Err(ChunkError::Extension),
        }
    }

    fn name_byte(&mut self, len: usize, byte: u8) -> Result<At, ChunkError> {
        self.count()?;
        if byte == b':' && len > 0 {
            // A name that is longer than the buffer is in no list.
            let known = self.name.get(..len);
            return if known.is_none_or(|known| self.sender.may_trail(known)) {
                Ok(At::TrailerValue)
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
        Ok(At::TrailerName { len: len + 1 })
    }

    fn value_byte(&mut self, byte: u8) -> Result<At, ChunkError> {
        self.count()?;
        match byte {
            b'\r' => Ok(At::TrailerLf),
            b'\t' | 0x20..=0x7e | 0x80.. => Ok(At::TrailerValue),
            _ => Err(ChunkError::Trailer),
        }
    }

    fn count(&mut self) -> Result<(), ChunkError> {
        self.extra += 1;
        match self.extra {
            ..=MAX_EXTRA => Ok(()),
            _ => Err(ChunkError::TooLarge),
        }
    }
}

fn size_byte(digits: u8, size: u64, byte: u8) -> Result<At, ChunkError> {
    match (hexadecimal(byte), byte) {
        (Some(digit), _) if usize::from(digits) < MAX_DIGITS => Ok(At::Size {
            digits: digits + 1,
            size: size << 4 | u64::from(digit),
        }),
        (None, b'\r') if digits > 0 => Ok(At::SizeLf { size }),
        (None, b';') if digits > 0 => Ok(At::Extension { size }),
        _ => Err(ChunkError::Size),
    }
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn expect(byte: u8, wanted: u8, then: At) -> Result<At, ChunkError> {
    if byte == wanted {
        Ok(then)
    } else {
        Err(ChunkError::LineEnd)
    }
}

/// A byte of a field name (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
