//! Parses `Content-Range`.

/// The range of bytes that an answer contains, and the file's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) start: u64,
    /// The position after the last byte.
    pub(crate) end: u64,
    pub(crate) size: u64,
}

/// Parses `bytes FIRST-LAST/SIZE`; returns `None` for anything else, also for an unknown size.
pub(crate) fn parse_content_range(value: &str) -> Option<ContentRange> {
    let (range, size) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let start: u64 = first.trim().parse().ok()?;
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    let size = size.trim().parse().ok()?;
    (start < end && end <= size).then_some(ContentRange { start, end, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_of_bytes_within_a_known_size_is_accepted() {
        for (value, expected) in [
            ("bytes 0-0/1", Some((0, 1, 1))),
            ("bytes 5-9/20", Some((5, 10, 20))),
            ("bytes 9-5/20", None),
            ("bytes 5-20/20", None),
            ("bytes 5-9/*", None),
            ("bytes */20", None),
            ("bytes 0-18446744073709551615/20", None),
            ("lines 0-1/2", None),
            ("", None),
        ] {
            let range =
                parse_content_range(value).map(|range| (range.start, range.end, range.size));
            assert_eq!(range, expected, "{value}");
        }
    }
}
