use super::{BadName, percent};
use crate::Span;
use std::borrow::Cow;

/// What such a target starts with.
const PREFIX: &[u8] = b"/upstream/";

/// The most path segments that are tried as a name: each try costs as much as the name is long.
const MAX_SEGMENTS: usize = 8;

/// A target of the form `/upstream/{model}/{rest}`, which the child sees as `/{rest}`.
///
/// A model's name may hold slashes, as they are or as `%2F`, so one target can be read in several
/// ways: [`candidates`](Self::candidates) has them all, and the caller knows the models. The
/// prefix itself is taken literally. Targets in absolute form (`http://host/…`) do not come here:
/// [`RequestHead`](crate::RequestHead) refuses them.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamTarget<'a> {
    /// All that may be the name: the path behind the prefix.
    path: &'a [u8],
}

/// One way to read an [`UpstreamTarget`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The model's name, decoded and not empty.
    pub name: Cow<'a, str>,
    /// What to leave out of the target so that `/{rest}` stays, query and all, byte for byte:
    /// for [`RequestHead::cut_from_target`](crate::RequestHead::cut_from_target). It starts
    /// behind the target's first `/` and takes the one behind the name along, if there is one.
    pub cut: Span,
}

impl<'a> UpstreamTarget<'a> {
    /// The target, where it is of this form.
    pub fn of(target: &'a [u8]) -> Option<Self> {
        let rest = target.strip_prefix(PREFIX)?;
        let end = memchr::memchr(b'?', rest).unwrap_or(rest.len());
        rest.get(..end).map(|path| Self { path })
    }

    /// Every way to read it, the longest name first: of the models `org` and `org/model`, it is
    /// the latter that `/upstream/org/model/` means. Up to eight segments are tried as a name.
    /// What is no name (see [`BadName`]) is left out. There may be none at all.
    pub fn candidates(self) -> impl Iterator<Item = Candidate<'a>> {
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

    /// The shortest way to read it, up to the first slash: what to call the model where none of
    /// the [`candidates`](Self::candidates) is known. `None` where nothing is named.
    ///
    /// # Errors
    /// What stands there is no name.
    pub fn shortest(self) -> Result<Option<Candidate<'a>>, BadName> {
        let end = memchr::memchr(b'/', self.path).unwrap_or(self.path.len());
        self.candidate(end)
    }

    /// Reads the path's first `end` bytes as a name; a slash or nothing follows.
    fn candidate(self, end: usize) -> Result<Option<Candidate<'a>>, BadName> {
        let name = percent::decode(self.path.get(..end).unwrap_or_default(), false)?;
        let slash = usize::from(end < self.path.len());
        Ok((!name.is_empty()).then_some(Candidate {
            name,
            cut: Span::new(1, PREFIX.len() + end + slash),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name with the target that is left.
    fn read(target: &str) -> Vec<(String, String)> {
        let Some(upstream) = UpstreamTarget::of(target.as_bytes()) else {
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

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter()
            .map(|(name, left)| ((*name).to_owned(), (*left).to_owned()))
            .collect()
    }

    #[test]
    fn a_target_is_read_in_every_way_longest_first() {
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
            assert_eq!(read(target), pairs(expected), "{target}");
        }
    }

    #[test]
    fn the_shortest_is_what_an_error_can_name() {
        let shortest = |target: &'static str| {
            UpstreamTarget::of(target.as_bytes())
                .unwrap()
                .shortest()
                .map(|found| found.map(|candidate| candidate.name.into_owned()))
        };
        assert_eq!(shortest("/upstream/o/m/x"), Ok(Some("o".to_owned())));
        assert_eq!(shortest("/upstream/%zz/x"), Err(BadName::Percent));
        assert_eq!(shortest("/upstream/"), Ok(None));
        assert_eq!(shortest("/upstream//x"), Ok(None));
    }

    #[test]
    fn a_long_path_costs_no_more_than_a_name() {
        let target = format!("/upstream/m/{}", "a/".repeat(20_000));
        let names = read(&target);
        assert_eq!(names.last().map(|(name, _)| name.as_str()), Some("m"));
        assert_eq!(names.len(), 8);
        let target = format!("/upstream/{}/x", "a".repeat(512));
        assert_eq!(read(&target).len(), 1);
    }
}
