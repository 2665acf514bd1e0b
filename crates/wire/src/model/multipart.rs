use super::boundary::Delimiter;
use super::disposition::parts;
use super::name::NameBuffer;
use super::{MAX_MODEL_NAME, Scan};

/// The longest headers of a part, in bytes.
const MAX_PART_HEADERS: usize = 8 * 1024;

/// Follows the parts of a form to the first one named `model` that is not a file.
#[derive(Debug, Clone)]
pub(super) struct Multipart {
    at: At,
    delimiter: Delimiter,
    /// A line of a part's headers as far as it came, or the value and what may be the beginning
    /// of the delimiter behind it.
    kept: Vec<u8>,
    name: NameBuffer,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy)]
enum At {
    /// What comes before the first boundary, or a part that does not matter.
    Other,
    /// The line of a boundary.
    BoundaryLine(Line),
    /// A part's headers.
    Headers(Headers),
    /// The value that is looked for.
    Value,
}

/// What has come of a boundary's line, behind the boundary itself.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// Nothing.
    Start,
    /// White space.
    Padding,
    /// CR.
    End,
    /// The first dash of the two that end the body.
    Dash,
}

/// What a part's headers have told so far.
#[derive(Debug, Clone, Copy, Default)]
struct Headers {
    /// Their length.
    len: usize,
    /// There has been a Content-Disposition.
    disposed: bool,
    /// It says that this is `model`, and not a file.
    is_model: bool,
}

/// It goes on behind so many bytes, or ends.
type Step = Result<usize, Scan>;

impl Multipart {
    pub(super) fn new(boundary: &[u8]) -> Self {
        Self {
            at: At::Other,
            delimiter: Delimiter::new(boundary),
            kept: Vec::new(),
            name: NameBuffer::new(),
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.name()
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> Scan {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            let step = match self.at {
                At::Other => Ok(self.in_other(rest)),
                At::BoundaryLine(line) => self.in_boundary_line(line, *first),
                At::Headers(headers) => self.in_headers(headers, rest),
                At::Value => self.in_value(rest),
            };
            match step {
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(said) => return said,
            }
        }
        Scan::More
    }

    fn in_other(&mut self, bytes: &[u8]) -> usize {
        match self.delimiter.find(bytes) {
            Some(end) => {
                self.at = At::BoundaryLine(Line::Start);
                end
            }
            None => bytes.len(),
        }
    }

    fn in_boundary_line(&mut self, line: Line, byte: u8) -> Step {
        self.at = match (line, byte) {
            (Line::Start | Line::Padding, b' ' | b'\t') => At::BoundaryLine(Line::Padding),
            (Line::Start | Line::Padding, b'\r') => At::BoundaryLine(Line::End),
            (Line::Start, b'-') => At::BoundaryLine(Line::Dash),
            (Line::End, b'\n') => At::Headers(Headers::default()),
            // The last boundary, or none at all.
            _ => return Err(Scan::Absent),
        };
        Ok(1)
    }

    fn in_headers(&mut self, mut headers: Headers, bytes: &[u8]) -> Step {
        let end = memchr::memchr(b'\n', bytes).map(|lf| lf + 1);
        let here = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        headers.len += here.len();
        if headers.len > MAX_PART_HEADERS {
            return Err(Scan::Absent);
        }
        self.kept.extend_from_slice(here);
        if end.is_some() {
            let line = self.kept.strip_suffix(b"\r\n").ok_or(Scan::Absent)?;
            let is_last = line.is_empty();
            if !is_last {
                headers.take(line)?;
            }
            self.kept.clear();
            if is_last {
                self.start_content(headers.is_model);
                return Ok(here.len());
            }
        }
        self.at = At::Headers(headers);
        Ok(here.len())
    }

    /// The empty line behind the headers may be the line break of the next boundary: a part need
    /// not have content.
    fn start_content(&mut self, is_model: bool) {
        self.delimiter.start_behind_line_break();
        self.at = if is_model {
            self.kept.extend_from_slice(b"\r\n");
            At::Value
        } else {
            At::Other
        };
    }

    fn in_value(&mut self, bytes: &[u8]) -> Step {
        let end = self.delimiter.find(bytes);
        let here = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let behind = match end {
            Some(_) => self.delimiter.len(),
            None => self.delimiter.matched(),
        };
        // The line break before the value is kept with it.
        let value = (self.kept.len() + here.len()).saturating_sub(behind);
        if value > MAX_MODEL_NAME + 2 {
            return Err(Scan::TooLong);
        }
        self.kept.extend_from_slice(here);
        if end.is_none() {
            return Ok(here.len());
        }
        self.name
            .extend(self.kept.get(2..value).unwrap_or_default())?;
        Err(self.name.verdict())
    }
}

impl Headers {
    /// Takes one line into account, its CRLF left out.
    fn take(&mut self, line: &[u8]) -> Result<(), Scan> {
        let colon = memchr::memchr(b':', line).ok_or(Scan::Absent)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || line.contains(&b'\r') {
            return Err(Scan::Absent);
        }
        if !name.eq_ignore_ascii_case(b"content-disposition") {
            return Ok(());
        }
        if self.disposed {
            return Err(Scan::Absent);
        }
        self.disposed = true;
        self.is_model = names_model(value.get(1..).unwrap_or_default()).ok_or(Scan::Absent)?;
        Ok(())
    }
}

/// Whether this Content-Disposition is that of `model`, and not of a file; `None` where it is
/// malformed.
fn names_model(value: &[u8]) -> Option<bool> {
    let (kind, mut parameters) = parts(value);
    let name = parameters.only(b"name").ok()?;
    let is_file = parameters.any(|parameter| {
        parameter.is_ok_and(|(name, _)| {
            name.eq_ignore_ascii_case(b"filename") || name.eq_ignore_ascii_case(b"filename*")
        })
    });
    let is_model = name.is_some_and(|name| *name == *b"model");
    Some(is_model && !is_file && kind.eq_ignore_ascii_case(b"form-data"))
}
