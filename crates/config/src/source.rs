//! The text of a configuration file, and where in it something is written.

use std::ops::Range;
use std::path::Path;

use super::problem::Place;
use crate::printable::{printable, without_credentials};

/// Characters of a line shown around a problem at most.
const SHOWN: usize = 120;

/// A configuration file's name and text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// Returns the place of a range of bytes, with its whole line.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let (line, before, rest) = self.split(span.start);
        let line_text = format!("{before}{rest}").replace('\t', " ");
        let shown = printable(&without_credentials(&line_text));
        let column = before.chars().count() + 1;
        let text: String = shown.chars().take(column.max(SHOWN)).collect();
        let meant = self.text.get(span.clone()).unwrap_or_default();
        let meant = meant.lines().next().unwrap_or_default().chars().count();
        let width = meant
            .min(text.chars().count().saturating_sub(column - 1))
            .max(1);
        Place {
            file: self.file.to_owned(),
            line,
            column,
            width,
            text,
        }
    }

    /// Returns the place of a range of bytes and shows nothing else of its line.
    ///
    /// For lines that may hold secrets.
    pub(super) fn place_alone(&self, span: &Range<usize>) -> Place {
        let mut place = self.place(span);
        let before = if place.column > 2 { "… " } else { "" };
        let meant: String = place
            .text
            .chars()
            .skip(place.column - 1)
            .take(place.width)
            .collect();
        let indent = " ".repeat((place.column - 1).saturating_sub(before.chars().count()));
        place.text = format!("{indent}{before}{meant} …");
        place
    }

    /// Returns the line's number, its text before the byte at `start`, and its text from there on.
    fn split(&self, start: usize) -> (usize, &str, &str) {
        let start = start.min(self.text.len());
        let (Some(before), Some(after)) = (self.text.get(..start), self.text.get(start..)) else {
            return (1, "", "");
        };
        let line = before.matches('\n').count() + 1;
        let before = before.rsplit('\n').next().unwrap_or_default();
        let rest = after.lines().next().unwrap_or_default();
        (line, before, rest)
    }
}
