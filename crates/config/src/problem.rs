//! Problems in a configuration, shown as a compiler shows them: all at once, each with its place.

use std::fmt;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use crate::printable::{printable, printable_lines, without_credentials};

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key or flag it is about, such as `server.listen` or `--listen`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is written.
    pub place: Option<Place>,
}

/// A piece of one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub width: usize,
    /// The line, without its end.
    pub text: String,
}

/// Everything that is wrong, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// Makes a problem of what is wrong. Credentials and terminal sequences in the text are masked, for it
    /// may repeat what stands in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            key: None,
            message: shown(&message.into()),
            help: None,
            place: None,
        }
    }

    /// Names the key or flag.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(shown(&key.into()));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shown(&help.into()));
        self
    }

    pub(crate) fn place(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

fn shown(text: &str) -> String {
    printable_lines(&without_credentials(text))
}

impl Problems {
    /// Makes a value of problems found; `None` when there are none.
    pub fn new(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// Makes a value of problems of which the caller knows that there are some.
    pub(crate) fn of(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "a refusal has a reason");
        Self(problems)
    }

    /// Returns the problems, in the order in which they are shown.
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

/// Problems in colours, for a terminal.
#[derive(Debug)]
pub struct Coloured<'a>(&'a Problems);

impl Problems {
    /// Shows the problems in colours. The text is the same; around its parts stand SGR sequences
    /// (ECMA-48 §8.3.117).
    pub fn coloured(&self) -> Coloured<'_> {
        Coloured(self)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, paint: &Paint) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.show(f, paint)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, &PLAIN)
    }
}

impl fmt::Display for Coloured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, &COLOURS)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, &PLAIN)
    }
}

/// How the parts of a problem look.
struct Paint {
    /// The word that says how bad it is, and the marks below what is meant.
    error: Style,
    /// What is wrong.
    message: Style,
    /// What frames the line of the file.
    frame: Style,
    /// The word before what to do.
    help: Style,
}

const PLAIN: Paint = Paint {
    error: Style::new(),
    message: Style::new(),
    frame: Style::new(),
    help: Style::new(),
};

const COLOURS: Paint = Paint {
    error: AnsiColor::BrightRed.on_default().bold(),
    message: Style::new().bold(),
    frame: AnsiColor::BrightBlue.on_default().bold(),
    help: AnsiColor::BrightCyan.on_default().bold(),
};

impl Problem {
    fn show(&self, f: &mut fmt::Formatter<'_>, paint: &Paint) -> fmt::Result {
        let Paint {
            error,
            message,
            frame,
            help: word,
        } = paint;
        write!(f, "{error}error{error:#}{message}: ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}{message:#}", self.message)?;
        let mut gutter = 1;
        if let Some(place) = &self.place {
            gutter = place.line.to_string().len();
            let Place { line, column, .. } = place;
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
