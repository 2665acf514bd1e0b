//! An event stream, of which nearly every event is passed over.

use super::lines::{Depth, Last, Lines};
use super::said::Said;
use super::signs;
use memchr::{memchr2, memrchr2};

/// Reads the events that count, and the last one of each piece.
///
/// An event that lies whole in a piece is searched for [`SIGNS`](super::members::SIGNS), and read where it has one. Of
/// those without, only the last tells anything: whether the stream has ended. An event that a
/// piece cuts is read as it comes. So nothing is kept but the state of reading, and what is found
/// does not depend on where the pieces begin.
#[derive(Debug, Clone)]
pub(super) struct Events {
    lines: Lines,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            lines: Lines::new(),
        }
    }

    pub(super) fn said(&self) -> (&Said, Last) {
        (&self.lines.said, self.lines.last)
    }

    /// No event has begun.
    pub(super) fn is_between(&self) -> bool {
        self.lines.is_between_events()
    }

    /// Takes the next piece, which may hold one of [`SIGNS`](super::members::SIGNS) whole or does not.
    pub(super) fn feed(&mut self, piece: &[u8], may_count: bool) {
        let mut rest = piece;
        while !rest.is_empty() && !self.lines.is_between_events() {
            let taken = self.lines.line(rest, Depth::Json);
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !may_count && is_plain_event(rest) {
            return self.lines.pass_plain();
        }
        let end = last_boundary(rest);
        let (whole, open) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if may_count {
            self.whole(whole);
        } else {
            self.tail(whole);
        }
        self.lines.read(open, Depth::Json);
    }

    /// Events from the first one's start to the last one's end.
    fn whole(&mut self, events: &[u8]) {
        let mut from = 0;
        let mut hits = signs::finders()
            .each_ref()
            .map(|finder| (finder, finder.find(events)));
        while let Some(hit) = hits.iter().filter_map(|(_, hit)| *hit).min() {
            let start = from + last_boundary(events.get(from..hit).unwrap_or_default());
            let end = hit + next_boundary(events.get(hit..).unwrap_or_default());
            let event = events.get(start..end).unwrap_or_default();
            if !self.lines.read(event, Depth::Json) {
                // It has no data after all, so one before it is the last so far.
                self.tail(events.get(from..start).unwrap_or_default());
            }
            from = end;
            for (finder, hit) in &mut hits {
                if hit.is_some_and(|hit| hit < from) {
                    let rest = events.get(from..).unwrap_or_default();
                    *hit = finder.find(rest).map(|found| from + found);
                }
            }
        }
        self.tail(events.get(from..).unwrap_or_default());
    }

    /// Reads the last event with data; those before it say nothing.
    fn tail(&mut self, mut events: &[u8]) {
        while !events.is_empty() {
            let content = before_blank_line(events);
            let start = last_boundary(content);
            let (before, event) = events.split_at_checked(start).unwrap_or((&[], events));
            let content = content.get(start..).unwrap_or_default();
            if is_plain(content) {
                return self.lines.pass_plain();
            }
            if self.lines.read(event, Depth::Lines) {
                return;
            }
            events = before;
        }
    }
}

/// Whether these are whole events as programs write them, at least one of which has data, if no event had
/// begun before them.
pub(super) fn are_whole(bytes: &[u8]) -> bool {
    bytes.starts_with(b"data: {") && bytes.ends_with(b"\n\n")
}

/// Whether this is one event as programs write it, a line of data that is an object, and its end.
fn is_plain_event(bytes: &[u8]) -> bool {
    are_whole(bytes) && memchr2(b'\r', b'\n', bytes) == Some(bytes.len() - 2)
}

/// Whether an event is one line of data, an object.
fn is_plain(event: &[u8]) -> bool {
    let object = event.starts_with(b"data: {") || event.starts_with(b"data:{");
    let (start, _) = last_break(event).unwrap_or((0, 0));
    object && last_break(event.get(..start).unwrap_or_default()).is_none()
}

/// The events without the empty line that ends them.
fn before_blank_line(events: &[u8]) -> &[u8] {
    let start = last_break(events).map_or(0, |(start, _)| start);
    events.get(..start).unwrap_or_default()
}

/// Where the last line break of these begins and ends: CR, LF, or both.
fn last_break(bytes: &[u8]) -> Option<(usize, usize)> {
    let found = memrchr2(b'\r', b'\n', bytes)?;
    let pair =
        found > 0 && bytes.get(found) == Some(&b'\n') && bytes.get(found - 1) == Some(&b'\r');
    Some((found - usize::from(pair), found + 1))
}

/// The end of the last empty line in bytes that begin with a line, or 0.
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

/// The end of the first empty line in bytes that begin within a line, or of them all.
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
