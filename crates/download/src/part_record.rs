//! The record of an unfinished file: which content it is, and which bytes of it are on disk.

use serde::{Deserialize, Serialize};

use crate::pieces::ByteRanges;
use crate::to_hex;

/// The source of an unfinished file, by the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Content with this SHA-256, from any server.
    Digest([u8; 32]),
    /// The content at a URL without its query, of which only the SHA-256 is recorded.
    Url([u8; 32]),
}

/// The content that the server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The file's size.
    pub(crate) size: u64,
    /// `ETag`, or else `Last-Modified`. Not compared if the digest is known: the nodes of a CDN may differ.
    pub(crate) validator: Option<String>,
}

/// The record, as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    source: String,
    size: u64,
    validator: Option<String>,
    complete: Vec<(u64, u64)>,
}

impl Source {
    fn to_text(&self) -> String {
        match self {
            Self::Digest(digest) => format!("sha256:{}", to_hex(digest)),
            Self::Url(digest) => format!("url:{}", to_hex(digest)),
        }
    }

    /// Returns true if two answers have the same content.
    pub(crate) fn is_same_content(&self, one: &Content, other: &Content) -> bool {
        let same_validator = match self {
            Self::Digest(_) => true,
            Self::Url(_) => one.validator == other.validator,
        };
        one.size == other.size && same_validator
    }
}

impl PartRecord {
    pub(crate) fn new(source: &Source, content: &Content, complete: &ByteRanges) -> Self {
        let pairs = complete
            .ranges()
            .iter()
            .map(|range| (range.start, range.end));
        Self {
            source: source.to_text(),
            size: content.size,
            validator: content.validator.clone(),
            complete: pairs.collect(),
        }
    }

    /// Returns what is on disk, if the record is about this source and the file contains all bytes that it claims.
    pub(crate) fn check(
        self,
        source: &Source,
        expected_size: Option<u64>,
        file_len: u64,
    ) -> Option<(Content, ByteRanges)> {
        let mut complete = ByteRanges::default();
        for (start, end) in self.complete {
            if start >= end {
                return None;
            }
            complete.insert(start..end);
        }
        // Without a validator, a changed file of the same size cannot be recognized.
        let can_resume = matches!(source, Source::Digest(_)) || self.validator.is_some();
        let is_valid = self.source == source.to_text()
            && expected_size.is_none_or(|size| size == self.size)
            && complete.end() <= self.size.min(file_len);
        let (size, validator) = (self.size, self.validator);
        (is_valid && can_resume).then_some((Content { size, validator }, complete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: Source = Source::Url([1; 32]);
    const DIGEST: Source = Source::Digest([1; 32]);

    fn record(source: &Source, validator: Option<&str>, complete: &[(u64, u64)]) -> PartRecord {
        PartRecord {
            source: source.to_text(),
            size: 100,
            validator: validator.map(str::to_owned),
            complete: complete.to_vec(),
        }
    }

    #[test]
    fn only_a_record_of_the_same_content_is_used() {
        let etag = Some("\"a\"");
        let other = Source::Url([2; 32]);
        for (case, record, source, size, file_len, expected) in [
            (
                "fits",
                record(&URL, etag, &[(0, 10), (20, 30)]),
                &URL,
                None,
                30,
                Some(20),
            ),
            (
                "size fits",
                record(&URL, etag, &[(0, 10)]),
                &URL,
                Some(100),
                30,
                Some(10),
            ),
            (
                "other size",
                record(&URL, etag, &[(0, 10)]),
                &URL,
                Some(101),
                30,
                None,
            ),
            (
                "other URL",
                record(&other, etag, &[(0, 10)]),
                &URL,
                None,
                30,
                None,
            ),
            (
                "digest for URL",
                record(&DIGEST, etag, &[(0, 10)]),
                &URL,
                None,
                30,
                None,
            ),
            (
                "no validator",
                record(&URL, None, &[(0, 10)]),
                &URL,
                None,
                30,
                None,
            ),
            (
                "digest without validator",
                record(&DIGEST, None, &[(0, 10)]),
                &DIGEST,
                None,
                30,
                Some(10),
            ),
            (
                "file too short",
                record(&URL, etag, &[(0, 10)]),
                &URL,
                None,
                9,
                None,
            ),
            (
                "past the end",
                record(&URL, etag, &[(0, 101)]),
                &URL,
                None,
                200,
                None,
            ),
            (
                "reversed",
                record(&URL, etag, &[(10, 5)]),
                &URL,
                None,
                30,
                None,
            ),
        ] {
            let complete = record
                .check(source, size, file_len)
                .map(|(_, complete)| complete.count());
            assert_eq!(complete, expected, "{case}");
        }
    }

    #[test]
    fn validators_count_only_without_a_digest() {
        let content = |validator: &str| Content {
            size: 1,
            validator: Some(validator.to_owned()),
        };
        assert!(!URL.is_same_content(&content("a"), &content("b")));
        assert!(DIGEST.is_same_content(&content("a"), &content("b")));
        let other = Content {
            size: 2,
            ..content("a")
        };
        assert!(!DIGEST.is_same_content(&content("a"), &other));
    }
}
