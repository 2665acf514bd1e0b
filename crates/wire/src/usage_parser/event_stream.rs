//! Reads token usage from an event stream. Nearly every event states none and is skipped.

use super::event_lines::{EventLines, EventMeaning, ReadDepth};
use super::markers;
use super::usage_fields::UsageFields;
use memchr::{memchr2, memrchr2};

/// Reads the relevant events (with token counts, times or an error), and the last event of each
/// piece.
///
/// A complete event within a piece is searched for [`MARKERS`](super::members::MARKERS) and parsed
/// if it contains one. Of the events without a marker only the last matters: it tells whether the
/// stream has ended. An event that a piece boundary cuts is parsed incrementally. The only state is
/// the parser's, and the result does not depend on the piece boundaries.
#[derive(Debug, Clone)]
pub(super) struct EventStream {
    lines: EventLines,
}

impl EventStream {
    pub(super) fn new() -> Self {
        Self {
            lines: EventLines::new(),
        }
    }

    pub(super) fn fields(&self) -> (&UsageFields, EventMeaning) {
        (&self.lines.fields, self.lines.last_event)
    }

    /// Returns true if no event has begun.
    pub(super) fn is_between_events(&self) -> bool {
        self.lines.is_between_events()
    }

    /// Takes the next piece. `has_marker` is false if the piece contains none of
    /// [`MARKERS`](super::members::MARKERS) completely.
    pub(super) fn feed(&mut self, piece: &[u8], has_marker: bool) {
        let mut rest = piece;
        while !rest.is_empty() && !self.lines.is_between_events() {
            let taken = self.lines.read_line(rest, ReadDepth::Json);
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !has_marker && is_plain_event(rest) {
            return self.lines.skip_plain_event();
        }
        let end = last_boundary(rest);
        let (whole, open) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if has_marker {
            self.read_events(whole);
        } else {
            self.read_last_event(whole);
        }
        self.lines.read(open, ReadDepth::Json);
    }

    /// Reads complete events.
    fn read_events(&mut self, events: &[u8]) {
        let mut from = 0;
        let mut hits = markers::finders()
            .each_ref()
            .map(|finder| (finder, finder.find(events)));
        while let Some(hit) = hits.iter().filter_map(|(_, hit)| *hit).min() {
            let start = from + last_boundary(events.get(from..hit).unwrap_or_default());
            let end = hit + next_boundary(events.get(hit..).unwrap_or_default());
            let event = events.get(start..end).unwrap_or_default();
            if !self.lines.read(event, ReadDepth::Json) {
                // An event without data does not count; an earlier one is the last so far.
                self.read_last_event(events.get(from..start).unwrap_or_default());
            }
            from = end;
            for (finder, hit) in &mut hits {
                if hit.is_some_and(|hit| hit < from) {
                    let rest = events.get(from..).unwrap_or_default();
                    *hit = finder.find(rest).map(|found| from + found);
                }
            }
        }
        self.read_last_event(events.get(from..).unwrap_or_default());
    }

    /// Reads the last event with data; earlier events are irrelevant.
    fn read_last_event(&mut self, mut events: &[u8]) {
        while !events.is_empty() {
            let content = before_blank_line(events);
            let start = last_boundary(content);
            let (before, event) = events.split_at_checked(start).unwrap_or((&[], events));
            let content = content.get(start..).unwrap_or_default();
            if is_plain(content) {
                return self.lines.skip_plain_event();
            }
            if self.lines.read(event, ReadDepth::Lines) {
                return;
            }
            events = before;
        }
    }
}

/// Returns true for complete events in compact form, at least one of them with data, given that no
/// event had begun before.
pub(super) fn are_complete_events(bytes: &[u8]) -> bool {
    bytes.starts_with(b"data: {") && bytes.ends_with(b"\n\n")
}

/// Returns true for a single event in compact form: one data line with an object, and the blank
/// line.
fn is_plain_event(bytes: &[u8]) -> bool {
    are_complete_events(bytes) && memchr2(b'\r', b'\n', bytes) == Some(bytes.len() - 2)
}

/// Returns true if an event is one data line with an object.
fn is_plain(event: &[u8]) -> bool {
    let object = event.starts_with(b"data: {") || event.starts_with(b"data:{");
    let (start, _) = last_break(event).unwrap_or((0, 0));
    object && last_break(event.get(..start).unwrap_or_default()).is_none()
}

/// Returns the events without the empty line that ends them.
fn before_blank_line(events: &[u8]) -> &[u8] {
    let start = last_break(events).map_or(0, |(start, _)| start);
    events.get(..start).unwrap_or_default()
}

/// Returns the start and end of the last line break: CR, LF, or CRLF.
fn last_break(bytes: &[u8]) -> Option<(usize, usize)> {
    let found = memrchr2(b'\r', b'\n', bytes)?;
    let pair =
        found > 0 && bytes.get(found) == Some(&b'\n') && bytes.get(found - 1) == Some(&b'\r');
    Some((found - usize::from(pair), found + 1))
}

/// Returns the end of the last empty line, or 0. `bytes` start at the beginning of a line.
fn last_boundary(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((start, end)) = last_break(rest) {
        rest = rest.get(..start).unwrap_or_default();
        if matches!(rest.last(), None | Some(b'\r' | b'\n')) {
            return end;
        }
    }
    0
}

/// Returns the end of the first empty line, or of `bytes`. `bytes` start within a line.
fn next_boundary(bytes: &[u8]) -> usize {
    let mut at = 0;
    let mut blank = false;
    while let Some(found) = memchr2(b'\r', b'\n', bytes.get(at..).unwrap_or_default()) {
        let ends_line = blank && found == 0;
        at += found + 1;
        let pair = bytes.get(at - 1) == Some(&b'\r') && bytes.get(at) == Some(&b'\n');
        at += usize::from(pair);
        if ends_line {
            return at;
        }
        blank = true;
    }
    bytes.len()
}
