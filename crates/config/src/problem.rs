//! Problems in a configuration, displayed like compiler errors: all at once, each with its source span.

use std::fmt;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use crate::printable::{printable, printable_lines, without_credentials};

/// A problem in the configuration, and advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key or flag, such as `server.listen` or `--listen`.
    pub key: Option<String>,
    /// Description of the problem.
    pub message: String,
    /// Advice.
    pub help: Option<String>,
    /// Source span of the key or value.
    pub span: Option<SourceSpan>,
}

/// A part of one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// Length in characters; at least 1.
    pub width: usize,
    /// The line, without its end.
    pub text: String,
}

/// All problems of a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// Creates a problem. Credentials and terminal sequences in the text are masked, because it may quote the file.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            key: None,
            message: sanitize(&message.into()),
            help: None,
            span: None,
        }
    }

    /// Sets the key or flag.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(sanitize(&key.into()));
        self
    }

    /// Sets the advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(sanitize(&help.into()));
        self
    }

    pub(crate) fn span(mut self, span: Option<SourceSpan>) -> Self {
        self.span = span;
        self
    }
}

fn sanitize(text: &str) -> String {
    printable_lines(&without_credentials(text))
}

impl Problems {
    /// Wraps problems; returns `None` if there are none.
    pub fn new(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// Wraps problems that the caller knows to be non-empty.
    pub(crate) fn from_nonempty(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "a list of problems is not empty");
        Self(problems)
    }

    /// Returns the problems in display order.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl std::error::Error for Problems {}

/// Displays problems in colours, for a terminal.
#[derive(Debug)]
pub struct ColouredProblems<'a>(&'a Problems);

impl Problems {
    /// Returns a display of the same text in colours, with SGR sequences (ECMA-48 §8.3.117).
    pub fn coloured(&self) -> ColouredProblems<'_> {
        ColouredProblems(self)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, styles: &Styles) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.show(f, styles)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, &PLAIN_STYLES)
    }
}

impl fmt::Display for ColouredProblems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, &COLOUR_STYLES)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, &PLAIN_STYLES)
    }
}

/// Styles of the parts of a problem.
struct Styles {
    /// The severity, and the marks below the span.
    error: Style,
    /// The description.
    message: Style,
    /// The frame around the line of the file.
    frame: Style,
    /// The word before the advice.
    help: Style,
}

const PLAIN_STYLES: Styles = Styles {
    error: Style::new(),
    message: Style::new(),
    frame: Style::new(),
    help: Style::new(),
};

const COLOUR_STYLES: Styles = Styles {
    error: AnsiColor::BrightRed.on_default().bold(),
    message: Style::new().bold(),
    frame: AnsiColor::BrightBlue.on_default().bold(),
    help: AnsiColor::BrightCyan.on_default().bold(),
};

impl Problem {
    fn show(&self, f: &mut fmt::Formatter<'_>, styles: &Styles) -> fmt::Result {
        let Styles {
            error,
            message,
            frame,
            help: word,
        } = styles;
        write!(f, "{error}error{error:#}{message}: ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}{message:#}", self.message)?;
        let mut gutter = 1;
        if let Some(place) = &self.span {
            gutter = place.line.to_string().len();
            let SourceSpan { line, column, .. } = place;
            let file = printable(&place.file.display().to_string());
            write!(
                f,
                "\n{:gutter$}{frame}-->{frame:#} {file}:{line}:{column}",
                ""
            )?;
            write!(
                f,
                "\n{frame}{:gutter$} |\n{line} |{frame:#} {}",
                "", place.text
            )?;
            let marks = "^".repeat(place.width);
            write!(
                f,
                "\n{frame}{:gutter$} |{frame:#} {:indent$}{error}{marks}{error:#}",
                "",
                "",
                indent = column - 1
            )?;
        }
        if let Some(help) = &self.help {
            write!(
                f,
                "\n{:gutter$} {frame}={frame:#} {word}help{word:#}: {help}",
                ""
            )?;
        }
        Ok(())
    }
}
