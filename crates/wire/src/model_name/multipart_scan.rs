//! Scans a `multipart/form-data` body for the first part named `model` that is not a file.

use super::boundary::Delimiter;
use super::field_parameters::split_parameters;
use super::name_buffer::NameBuffer;
use super::{MAX_MODEL_NAME, ScanResult};

/// Limit on the headers of one part, in bytes.
const MAX_PART_HEADER_BYTES: usize = 8 * 1024;

/// Follows the parts of a form to the first one named `model` that is not a file.
#[derive(Debug, Clone)]
pub(super) struct MultipartScan {
    state: FormScanState,
    delimiter: Delimiter,
    /// The current header line as far as it has arrived, or the value and a possible start of the
    /// delimiter after it.
    buffered: Vec<u8>,
    name: NameBuffer,
}

/// The part of the form that the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum FormScanState {
    /// The preamble before the first boundary, or a part that is not `model`.
    Skipped,
    /// The rest of a boundary line.
    BoundaryLine(BoundaryLine),
    /// The headers of a part.
    Headers(PartHeaders),
    /// The value of `model`.
    Value,
}

/// The progress within a boundary line, after the boundary itself.
#[derive(Debug, Clone, Copy)]
enum BoundaryLine {
    /// No byte yet.
    Start,
    /// After white space.
    Padding,
    /// After CR.
    End,
    /// After the first of the two dashes that end the body.
    Dash,
}

/// The state of a part's headers so far.
#[derive(Debug, Clone, Copy, Default)]
struct PartHeaders {
    /// Length in bytes.
    len: usize,
    /// A `Content-Disposition` has been seen.
    has_disposition: bool,
    /// The `Content-Disposition` names `model` and no file.
    is_model: bool,
}

/// The number of bytes taken, or the final result.
type StepResult = Result<usize, ScanResult>;

impl MultipartScan {
    pub(super) fn new(boundary: &[u8]) -> Self {
        Self {
            state: FormScanState::Skipped,
            delimiter: Delimiter::new(boundary),
            buffered: Vec::new(),
            name: NameBuffer::new(),
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.name()
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> ScanResult {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            let step = match self.state {
                FormScanState::Skipped => Ok(self.skip_to_boundary(rest)),
                FormScanState::BoundaryLine(line) => self.read_boundary_line(line, *first),
                FormScanState::Headers(headers) => self.read_headers(headers, rest),
                FormScanState::Value => self.read_value(rest),
            };
            match step {
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(result) => return result,
            }
        }
        ScanResult::More
    }

    fn skip_to_boundary(&mut self, bytes: &[u8]) -> usize {
        match self.delimiter.find(bytes) {
            Some(end) => {
                self.state = FormScanState::BoundaryLine(BoundaryLine::Start);
                end
            }
            None => bytes.len(),
        }
    }

    fn read_boundary_line(&mut self, line: BoundaryLine, byte: u8) -> StepResult {
        self.state = match (line, byte) {
            (BoundaryLine::Start | BoundaryLine::Padding, b' ' | b'\t') => {
                FormScanState::BoundaryLine(BoundaryLine::Padding)
            }
            (BoundaryLine::Start | BoundaryLine::Padding, b'\r') => {
                FormScanState::BoundaryLine(BoundaryLine::End)
            }
            (BoundaryLine::Start, b'-') => FormScanState::BoundaryLine(BoundaryLine::Dash),
            (BoundaryLine::End, b'\n') => FormScanState::Headers(PartHeaders::default()),
            // The last boundary, or a malformed one.
            _ => return Err(ScanResult::Absent),
        };
        Ok(1)
    }

    fn read_headers(&mut self, mut headers: PartHeaders, bytes: &[u8]) -> StepResult {
        let end = memchr::memchr(b'\n', bytes).map(|lf| lf + 1);
        let taken = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        headers.len += taken.len();
        if headers.len > MAX_PART_HEADER_BYTES {
            return Err(ScanResult::Absent);
        }
        self.buffered.extend_from_slice(taken);
        if end.is_some() {
            let line = self
                .buffered
                .strip_suffix(b"\r\n")
                .ok_or(ScanResult::Absent)?;
            let is_last = line.is_empty();
            if !is_last {
                headers.take(line)?;
            }
            self.buffered.clear();
            if is_last {
                self.start_content(headers.is_model);
                return Ok(taken.len());
            }
        }
        self.state = FormScanState::Headers(headers);
        Ok(taken.len())
    }

    /// Starts a part's content. The empty line after the headers may already be the line break of
    /// the next boundary, because a part may be empty.
    fn start_content(&mut self, is_model: bool) {
        self.delimiter.start_behind_line_break();
        self.state = if is_model {
            self.buffered.extend_from_slice(b"\r\n");
            FormScanState::Value
        } else {
            FormScanState::Skipped
        };
    }

    fn read_value(&mut self, bytes: &[u8]) -> StepResult {
        let end = self.delimiter.find(bytes);
        let taken = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let behind = match end {
            Some(_) => self.delimiter.len(),
            None => self.delimiter.matched_len(),
        };
        // The buffer also holds the line break before the value.
        let value = (self.buffered.len() + taken.len()).saturating_sub(behind);
        if value > MAX_MODEL_NAME + 2 {
            return Err(ScanResult::TooLong);
        }
        self.buffered.extend_from_slice(taken);
        if end.is_none() {
            return Ok(taken.len());
        }
        self.name
            .extend(self.buffered.get(2..value).unwrap_or_default())?;
        Err(self.name.result())
    }
}

impl PartHeaders {
    /// Parses one header line, given without CRLF.
    fn take(&mut self, line: &[u8]) -> Result<(), ScanResult> {
        let colon = memchr::memchr(b':', line).ok_or(ScanResult::Absent)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || line.contains(&b'\r') {
            return Err(ScanResult::Absent);
        }
        if !name.eq_ignore_ascii_case(b"content-disposition") {
            return Ok(());
        }
        if self.has_disposition {
            return Err(ScanResult::Absent);
        }
        self.has_disposition = true;
        self.is_model =
            names_model(value.get(1..).unwrap_or_default()).ok_or(ScanResult::Absent)?;
        Ok(())
    }
}

/// Returns true if a `Content-Disposition` names `model` and no file, or `None` if it is malformed.
fn names_model(value: &[u8]) -> Option<bool> {
    let (kind, mut parameters) = split_parameters(value);
    let name = parameters.get_unique(b"name").ok()?;
    let is_file = parameters.any(|parameter| {
        parameter.is_ok_and(|(name, _)| {
            name.eq_ignore_ascii_case(b"filename") || name.eq_ignore_ascii_case(b"filename*")
        })
    });
    let is_model = name.is_some_and(|name| *name == *b"model");
    Some(is_model && !is_file && kind.eq_ignore_ascii_case(b"form-data"))
}
