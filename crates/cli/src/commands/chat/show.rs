//! How an answer is shown.

use anstyle::Style;

use super::answer::Piece;
use crate::output::{self, Reader};

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// People: thoughts are dimmed, and nothing a model writes steers the terminal.
    Terminal,
    /// A program: the answer, as the model wrote it.
    Pipe,
}

/// What has been shown so far, as far as the next piece depends on it.
#[derive(Debug)]
pub(super) struct Show {
    form: Form,
    thinks: bool,
    in_a_line: bool,
}

impl Form {
    /// How standard output is read.
    pub(super) fn here() -> Self {
        if output::is_terminal() {
            Self::Terminal
        } else {
            Self::Pipe
        }
    }

    /// Writes what a [`Show`] has made.
    pub(super) fn print(self, text: &str) -> Reader {
        match self {
            Self::Terminal => output::coloured_lines(text),
            Self::Pipe => output::lines(text),
        }
    }
}

impl Show {
    pub(super) const fn new(form: Form) -> Self {
        Self {
            form,
            thinks: false,
            in_a_line: false,
        }
    }

    pub(super) const fn form(&self) -> Form {
        self.form
    }

    /// What is written for a piece.
    pub(super) fn piece(&mut self, piece: &Piece) -> String {
        match (self.form, piece) {
            (Form::Pipe, Piece::Thought(_)) => String::new(),
            (Form::Pipe, Piece::Text(text)) => self.written(text.clone()),
            (Form::Terminal, Piece::Thought(text)) => {
                self.thinks = true;
                let dim = Style::new().dimmed();
                let text = self.written(output::printable_lines(text));
                format!("{dim}{text}{dim:#}")
            }
            (Form::Terminal, Piece::Text(text)) => {
                let between = match (std::mem::take(&mut self.thinks), self.in_a_line) {
                    (false, _) => "",
                    (true, true) => "\n\n",
                    (true, false) => "\n",
                };
                let text = self.written(output::printable_lines(text));
                format!("{between}{text}")
            }
        }
    }

    /// What is written when no more comes.
    pub(super) fn end(&self) -> String {
        let end = if self.in_a_line { "\n" } else { "" };
        end.to_owned()
    }

    fn written(&mut self, text: String) -> String {
        self.in_a_line = !text.ends_with('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form) -> String {
        let mut show = Show::new(form);
        let pieces = [
            Piece::Thought("hm\u{1b}]0;x\u{7}".to_owned()),
            Piece::Text("a\n\tb\u{9b}2J\r".to_owned()),
        ];
        let text: String = pieces.iter().map(|piece| show.piece(piece)).collect();
        text + &show.end()
    }

    #[test]
    fn a_model_does_not_steer_the_terminal() {
        let expected = "\u{1b}[2mhm\u{fffd}]0;x\u{fffd}\u{1b}[0m\n\na\n\tb\u{fffd}2J\u{fffd}\n";
        assert_eq!(shown(Form::Terminal), expected);
    }

    #[test]
    fn a_pipe_gets_the_answer_alone_and_as_it_is() {
        assert_eq!(shown(Form::Pipe), "a\n\tb\u{9b}2J\r\n");
    }
}
