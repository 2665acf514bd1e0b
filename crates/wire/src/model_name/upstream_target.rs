//! Parses request targets of the form `/upstream/{model}/{rest}`.

use super::{InvalidModelName, percent};
use crate::ByteSpan;
use std::borrow::Cow;

/// The prefix of these targets.
const PREFIX: &[u8] = b"/upstream/";

/// Limit on the path segments tried as a name: each attempt costs time proportional to the name's
/// length.
const MAX_SEGMENTS: usize = 8;

/// A target of the form `/upstream/{model}/{rest}`, which the child receives as `/{rest}`.
///
/// Model names may contain slashes, literally or as `%2F`, so a target can be split in several
/// ways: [`candidates`](Self::candidates) returns all of them, and the caller knows the models. The
/// prefix is matched literally. [`RequestHead`](crate::RequestHead) refuses targets in absolute
/// form (`http://host/…`) before this point.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamTarget<'a> {
    /// The path after the prefix.
    path: &'a [u8],
}

/// A possible split of an [`UpstreamTarget`] into a model name and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCandidate<'a> {
    /// The model name, decoded and not empty.
    pub name: Cow<'a, str>,
    /// The part to remove so that `/{rest}` remains byte for byte, including the query; an argument
    /// for [`RequestHead::cut_from_target`](crate::RequestHead::cut_from_target). The cut starts
    /// after the target's first `/` and includes the slash after the name, if present.
    pub cut: ByteSpan,
}

impl<'a> UpstreamTarget<'a> {
    /// Returns the parsed target if it has this form.
    pub fn parse(target: &'a [u8]) -> Option<Self> {
        let rest = target.strip_prefix(PREFIX)?;
        let end = memchr::memchr(b'?', rest).unwrap_or(rest.len());
        rest.get(..end).map(|path| Self { path })
    }

    /// Iterates over the possible splits, the longest name first: with models `org` and
    /// `org/model`, `/upstream/org/model/` means the latter. Up to eight segments are tried as a
    /// name; invalid names (see [`InvalidModelName`]) are skipped. The iterator may be empty.
    pub fn candidates(self) -> impl Iterator<Item = TargetCandidate<'a>> {
        let slashes = memchr::memchr_iter(b'/', self.path);
        let mut ends = [None; MAX_SEGMENTS];
        for (end, place) in ends.iter_mut().zip(slashes.chain([self.path.len()])) {
            *end = Some(place);
        }
        ends.into_iter()
            .rev()
            .flatten()
            .filter_map(move |end| self.candidate(end).ok().flatten())
    }

    /// Returns the split at the first slash, which names the model in errors if no
    /// [`candidate`](Self::candidates) is known, or `None` if the target names no model.
    ///
    /// # Errors
    /// The text before the first slash is not a valid name.
    pub fn shortest(self) -> Result<Option<TargetCandidate<'a>>, InvalidModelName> {
        let end = memchr::memchr(b'/', self.path).unwrap_or(self.path.len());
        self.candidate(end)
    }

    /// Splits the path after `end` bytes, where a slash or the end follows.
    fn candidate(self, end: usize) -> Result<Option<TargetCandidate<'a>>, InvalidModelName> {
        let name = percent::decode(self.path.get(..end).unwrap_or_default(), false)?;
        let slash = usize::from(end < self.path.len());
        Ok((!name.is_empty()).then_some(TargetCandidate {
            name,
            cut: ByteSpan::new(1, PREFIX.len() + end + slash),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns each name with the remaining target.
    fn splits(target: &str) -> Vec<(String, String)> {
        let Some(upstream) = UpstreamTarget::parse(target.as_bytes()) else {
            return Vec::new();
        };
        upstream
            .candidates()
            .map(|candidate| {
                let (start, end) = (candidate.cut.start(), candidate.cut.end());
                let left = format!("{}{}", &target[..start], &target[end..]);
                (candidate.name.into_owned(), left)
            })
            .collect()
    }

    fn pairs(splits: &[(&str, &str)]) -> Vec<(String, String)> {
        splits
            .iter()
            .map(|(name, left)| ((*name).to_owned(), (*left).to_owned()))
            .collect()
    }

    #[test]
    fn every_split_is_returned_longest_first() {
        for (target, expected) in [
            ("/upstream/m", &[("m", "/")][..]),
            ("/upstream/m?a=/b", &[("m", "/?a=/b")]),
            ("/upstream/m/", &[("m/", "/"), ("m", "/")]),
            ("/upstream/m/?a", &[("m/", "/?a"), ("m", "/?a")]),
            ("/upstream/m/v1?a=b", &[("m/v1", "/?a=b"), ("m", "/v1?a=b")]),
            (
                "/upstream/m//x",
                &[("m//x", "/"), ("m/", "/x"), ("m", "//x")],
            ),
            (
                "/upstream/o/m/%61",
                &[("o/m/a", "/"), ("o/m", "/%61"), ("o", "/m/%61")],
            ),
            ("/upstream/o%2Fm/x+y", &[("o/m/x+y", "/"), ("o/m", "/x+y")]),
            ("/upstream/m/%zz", &[("m", "/%zz")]),
            ("/upstream//x", &[("/x", "/")]),
            ("/upstream/%ff/x", &[]),
            ("/upstream/", &[]),
            ("/upstream/?model=m", &[]),
            ("/upstream", &[]),
            ("/upstreams/m/x", &[]),
            ("/v1/upstream/m/x", &[]),
            ("http://h/upstream/m/x", &[]),
        ] {
            assert_eq!(splits(target), pairs(expected), "{target}");
        }
    }

    #[test]
    fn the_shortest_split_names_the_model_in_errors() {
        let shortest = |target: &'static str| {
            UpstreamTarget::parse(target.as_bytes())
                .unwrap()
                .shortest()
                .map(|found| found.map(|candidate| candidate.name.into_owned()))
        };
        assert_eq!(shortest("/upstream/o/m/x"), Ok(Some("o".to_owned())));
        assert_eq!(shortest("/upstream/%zz/x"), Err(InvalidModelName::Percent));
        assert_eq!(shortest("/upstream/"), Ok(None));
        assert_eq!(shortest("/upstream//x"), Ok(None));
    }

    #[test]
    fn a_long_path_costs_no_more_than_a_name() {
        let target = format!("/upstream/m/{}", "a/".repeat(20_000));
        let names = splits(&target);
        assert_eq!(names.last().map(|(name, _)| name.as_str()), Some("m"));
        assert_eq!(names.len(), 8);
        let target = format!("/upstream/{}/x", "a".repeat(512));
        assert_eq!(splits(&target).len(), 1);
    }
}
