//! The text of a configuration file, and the conversion of byte ranges to source spans.

use std::ops::Range;
use std::path::Path;

use super::problem::SourceSpan;
use crate::printable::{printable, without_credentials};

/// Maximum number of characters of a line shown with a problem.
const MAX_LINE_CHARS: usize = 120;

/// Name and text of a configuration file.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceText<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl SourceText<'_> {
    /// Returns the span of a byte range, with its whole line.
    pub(super) fn span(&self, span: &Range<usize>) -> SourceSpan {
        let (line, before, rest) = self.split(span.start);
        let line_text = format!("{before}{rest}").replace('\t', " ");
        let shown = printable(&without_credentials(&line_text));
        let column = before.chars().count() + 1;
        let text: String = shown.chars().take(column.max(MAX_LINE_CHARS)).collect();
        let meant = self.text.get(span.clone()).unwrap_or_default();
        let meant = meant.lines().next().unwrap_or_default().chars().count();
        let width = meant
            .min(text.chars().count().saturating_sub(column - 1))
            .max(1);
        SourceSpan {
            file: self.file.to_owned(),
            line,
            column,
            width,
            text,
        }
    }

    /// Returns the span of a byte range, without the rest of its line.
    ///
    /// For lines that may contain secrets.
    pub(super) fn span_alone(&self, span: &Range<usize>) -> SourceSpan {
        let mut found = self.span(span);
        let before = if found.column > 2 { "… " } else { "" };
        let meant: String = found
            .text
            .chars()
            .skip(found.column - 1)
            .take(found.width)
            .collect();
        let indent = " ".repeat((found.column - 1).saturating_sub(before.chars().count()));
        found.text = format!("{indent}{before}{meant} …");
        found
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
