//! Formats a model's answer for a terminal or a pipe.

use anstyle::Style;

use super::answer::AnswerPiece;
use crate::output::{self, ReaderState};

/// The kind of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// A terminal: reasoning is dimmed, and terminal sequences are replaced.
    Terminal,
    /// A pipe: gets the answer unchanged, without the reasoning.
    Pipe,
}

/// Formats the parts of an answer, and keeps the state that the next part depends on.
#[derive(Debug)]
pub(super) struct AnswerRenderer {
    format: OutputFormat,
    /// The last part was reasoning, on a terminal.
    in_reasoning: bool,
    /// The last part did not end with a newline.
    in_line: bool,
}

impl OutputFormat {
    /// Returns the kind of standard output.
    pub(super) fn detect() -> Self {
        if output::is_terminal() {
            Self::Terminal
        } else {
            Self::Pipe
        }
    }

    /// Writes text of an [`AnswerRenderer`].
    pub(super) fn print(self, text: &str) -> ReaderState {
        match self {
            Self::Terminal => output::print_coloured_lines(text),
            Self::Pipe => output::print_lines(text),
        }
    }
}

impl AnswerRenderer {
    pub(super) const fn new(format: OutputFormat) -> Self {
        Self {
            format,
            in_reasoning: false,
            in_line: false,
        }
    }

    pub(super) const fn format(&self) -> OutputFormat {
        self.format
    }

    /// Formats the next part.
    pub(super) fn render(&mut self, piece: &AnswerPiece) -> String {
        match (self.format, piece) {
            (OutputFormat::Pipe, AnswerPiece::Reasoning(_)) => String::new(),
            (OutputFormat::Pipe, AnswerPiece::Text(text)) => self.track_line(text.clone()),
            (OutputFormat::Terminal, AnswerPiece::Reasoning(text)) => {
                self.in_reasoning = true;
                let dim = Style::new().dimmed();
                let text = self.track_line(output::printable_lines(text));
                format!("{dim}{text}{dim:#}")
            }
            (OutputFormat::Terminal, AnswerPiece::Text(text)) => {
                let between = match (std::mem::take(&mut self.in_reasoning), self.in_line) {
                    (false, _) => "",
                    (true, true) => "\n\n",
                    (true, false) => "\n",
                };
                let text = self.track_line(output::printable_lines(text));
                format!("{between}{text}")
            }
        }
    }

    /// Formats the end of the answer.
    pub(super) fn finish(&self) -> String {
        let end = if self.in_line { "\n" } else { "" };
        end.to_owned()
    }

    fn track_line(&mut self, text: String) -> String {
        self.in_line = !text.ends_with('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: OutputFormat) -> String {
        let mut show = AnswerRenderer::new(format);
        let pieces = [
            AnswerPiece::Reasoning("hm\u{1b}]0;x\u{7}".to_owned()),
            AnswerPiece::Text("a\n\tb\u{9b}2J\r".to_owned()),
        ];
        let text: String = pieces.iter().map(|piece| show.render(piece)).collect();
        text + &show.finish()
    }

    #[test]
    fn a_model_does_not_steer_the_terminal() {
        let expected = "\u{1b}[2mhm\u{fffd}]0;x\u{fffd}\u{1b}[0m\n\na\n\tb\u{fffd}2J\u{fffd}\n";
        assert_eq!(shown(OutputFormat::Terminal), expected);
    }

    #[test]
    fn a_pipe_gets_the_answer_alone_and_as_it_is() {
        assert_eq!(shown(OutputFormat::Pipe), "a\n\tb\u{9b}2J\r\n");
    }
}
