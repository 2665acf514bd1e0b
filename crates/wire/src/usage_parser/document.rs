//! Reads the token usage from a JSON response body that arrives in one piece or in several.

use super::incremental::IncrementalReader;
use super::single_pass;
use super::usage_fields::UsageFields;
use crate::json_skip;

/// A JSON document that is being received, and the token usage found in it.
#[derive(Debug, Clone)]
pub(super) enum Document {
    /// No byte has arrived.
    Start,
    /// The first piece held the whole document, which was read in a single pass.
    Whole(UsageFields),
    /// The document spans several pieces, or more text follows the first.
    Pieces(IncrementalReader),
}

impl Document {
    /// Returns the usage fields once the document is complete and valid.
    pub(super) fn fields(&self) -> Option<&UsageFields> {
        match self {
            Self::Start => None,
            Self::Whole(fields) => Some(fields),
            Self::Pieces(reader) => reader.fields(),
        }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        match self {
            Self::Start => match single_pass::read_object(piece) {
                Some((fields, taken)) if is_space(piece.get(taken..)) => {
                    *self = Self::Whole(fields);
                }
                _ => self.read_incrementally(IncrementalReader::new(), piece),
            },
            Self::Whole(_) if is_space(Some(piece)) => {}
            Self::Whole(_) => self.read_incrementally(IncrementalReader::after_document(), piece),
            Self::Pieces(reader) => reader.feed(piece),
        }
    }

    fn read_incrementally(&mut self, mut reader: IncrementalReader, piece: &[u8]) {
        reader.feed(piece);
        *self = Self::Pieces(reader);
    }
}

fn is_space(rest: Option<&[u8]>) -> bool {
    let mut rest = rest.unwrap_or_default().iter();
    rest.all(|byte| json_skip::is_space(*byte))
}
