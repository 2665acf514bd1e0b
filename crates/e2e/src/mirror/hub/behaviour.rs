//! The faults that a mirror can show.

use std::collections::VecDeque;
use std::time::Duration;

/// The behaviour of a mirror. The default is a hub without faults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubBehaviour {
    /// False if the CDN answers a request for a range with the whole file.
    pub has_ranges: bool,
    /// False if the CDN does not state the length of a whole file.
    pub has_length: bool,
    /// The token without which repositories do not exist.
    pub token: Option<String>,
    /// True if downloads are refused until the terms are accepted.
    pub is_gated: bool,
    /// Number of the next downloads that are answered by this status, and the `Retry-After` in seconds.
    pub refusals: (usize, u16, Option<u64>),
    /// Number of the next answers of the CDN that are cut, each after at most this number of bytes.
    pub cuts: (usize, usize),
    /// Seed of the lengths of cut answers; without it, each is cut at its limit.
    pub cut_seed: Option<u64>,
    /// Number of the next answers of the CDN with a wrong byte.
    pub wrong_answers: usize,
    /// True if the CDN sends Git LFS pointers in place of files.
    pub sends_pointers: bool,
    /// Bytes between two pauses, and the pause.
    pub pause: Option<(usize, Duration)>,
    /// The `ETag` of every file.
    pub etag: String,
    /// Names that are listed in addition to those of files.
    pub extra_names: Vec<String>,
    /// The `Location` of the next downloads, in this order, in place of the CDN's.
    pub locations: VecDeque<String>,
}

impl Default for HubBehaviour {
    fn default() -> Self {
        Self {
            has_ranges: true,
            has_length: true,
            token: None,
            is_gated: false,
            refusals: (0, 0, None),
            cuts: (0, 0),
            cut_seed: None,
            wrong_answers: 0,
            sends_pointers: false,
            pause: None,
            etag: "\"first\"".to_owned(),
            extra_names: Vec::new(),
            locations: VecDeque::new(),
        }
    }
}

impl HubBehaviour {
    /// Returns the status and `Retry-After` of the next download, if it is to be refused.
    pub(super) fn next_refusal(&mut self) -> Option<(u16, Option<u64>)> {
        let (left, status, retry_after) = &mut self.refusals;
        *left = left.checked_sub(1)?;
        Some((*status, *retry_after))
    }

    /// Returns the number of bytes after which the next answer is cut, if it is to be cut.
    pub(super) fn next_cut(&mut self) -> Option<usize> {
        let (left, limit) = &mut self.cuts;
        *left = left.checked_sub(1)?;
        Some(match &mut self.cut_seed {
            Some(seed) => {
                let mut rng = fastrand::Rng::with_seed(*seed);
                *seed = rng.u64(..);
                rng.usize(..=*limit)
            }
            None => *limit,
        })
    }

    /// Returns true if the next answer has a wrong byte.
    pub(super) fn next_is_wrong(&mut self) -> bool {
        let is_wrong = self.wrong_answers > 0;
        self.wrong_answers -= usize::from(is_wrong);
        is_wrong
    }
}
