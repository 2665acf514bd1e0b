//! What engines say of themselves in Prometheus' text format: read line by line, and put together.
//!
//! A child's text is not trusted: a line that is not in the format is left out, and so is a name of
//! paddock's own. What is put together has each name once, with one kind and one help.

use super::text::escaped;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Names that are paddock's, whoever says them.
const OWN: &str = "paddock_";

/// The label that says whose a sample is, and what a child's own label of this name becomes, as
/// Prometheus would call it.
const MODEL: &str = "model";
const EXPORTED: &str = "exported_model";

/// What one child says.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<String, Family>);

/// What is said under one name.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<Kind>,
    /// Values by their labels, which stand in order.
    samples: BTreeMap<Vec<Label>, f64>,
}

/// A label, and its value as it is written between quotes.
type Label = (String, String);

/// Parts of a histogram or a summary have names of their own, and are there without a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        match word {
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

impl Said {
    /// Reads a child's answer, and of it what is in the format.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut said = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            // What is no line of the format is left out.
            let _ = std::str::from_utf8(line)
                .ok()
                .and_then(|line| said.line(line));
        }
        said
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let mut rest = Rest(line.trim_matches(BLANK));
        if rest.blanks().take("#").is_some() {
            return self.comment(rest);
        }
        let name = rest.name(|c| c == ':')?;
        if !rest.0.starts_with('{') && !rest.0.starts_with(BLANK) {
            return None;
        }
        let labels = rest.blanks().labels()?;
        let mut words = rest.0.split(BLANK).filter(|word| !word.is_empty());
        let value = words.next()?.parse().ok()?;
        // When it was true is the scrape's to say.
        let _: Option<i64> = words.next().map(str::parse).transpose().ok()?;
        if words.next().is_some() {
            return None;
        }
        self.family(name)?.samples.entry(labels).or_insert(value);
        Some(())
    }

    /// What is said of a name; the first of each counts.
    fn comment(&mut self, mut rest: Rest<'_>) -> Option<()> {
        let what = rest.blanks().name(|_| false)?;
        let name = rest.blanks().name(|c| c == ':')?;
        let text = rest.0.trim_start_matches(BLANK);
        if text.len() == rest.0.len() {
            return None;
        }
        let family = self.family(name)?;
        match what {
            "HELP" if is_escaped(text, "\\n") => {
                family.help.get_or_insert_with(|| text.to_owned());
            }
            "TYPE" => family.kind = family.kind.or(Kind::of(text)),
            _ => {}
        }
        Some(())
    }

    fn family(&mut self, name: &str) -> Option<&mut Family> {
        (!name.starts_with(OWN)).then(|| self.0.entry(name.to_owned()).or_default())
    }
}

/// What children say, each under its model's name, as a part of a page.
pub(super) fn together(all: &[(&str, &Said)]) -> String {
    let mut names: BTreeMap<&str, (Option<&str>, Option<Kind>)> = BTreeMap::new();
    for (name, family) in all.iter().flat_map(|(_, said)| &said.0) {
        if !family.samples.is_empty() {
            let (help, kind) = names.entry(name).or_default();
            *help = help.or(family.help.as_deref());
            *kind = kind.or(family.kind);
        }
    }
    let mut page = String::new();
    for (name, (help, kind)) in names {
        // Writing to a text cannot fail.
        if let Some(help) = help {
            let _ = writeln!(page, "# HELP {name} {help}");
        }
        if let Some(kind) = kind {
            let _ = writeln!(page, "# TYPE {name} {}", kind.as_str());
        }
        let families = all.iter().map(|(model, said)| (model, said.0.get(name)));
        for (model, family) in families {
            let samples = family.iter().flat_map(|family| &family.samples);
            for (labels, value) in samples {
                let _ = write!(page, "{name}{{{MODEL}=\"{}\"", escaped(model));
                for (label, value) in labels {
                    let _ = write!(page, ",{label}=\"{value}\"");
                }
                let _ = writeln!(page, "}} {value}");
            }
        }
    }
    page
}

const BLANK: [char; 2] = [' ', '\t'];

/// What is left of a line.
#[derive(Debug)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn blanks(&mut self) -> &mut Self {
        self.0 = self.0.trim_start_matches(BLANK);
        self
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// A name, of letters, digits that do not begin it, underscores, and what else may be in it.
    fn name(&mut self, also: impl Fn(char) -> bool) -> Option<&'a str> {
        let is_in = |c: char| c.is_ascii_alphanumeric() || c == '_' || also(c);
        let end = self.0.find(|c| !is_in(c)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        name.starts_with(|c: char| !c.is_ascii_digit())
            .then_some(name)
    }

    /// The labels, in order; none is there twice.
    fn labels(&mut self) -> Option<Vec<Label>> {
        let mut labels = Vec::new();
        if self.take("{").is_none() {
            return Some(labels);
        }
        while self.blanks().take("}").is_none() {
            let name = self.name(|_| false)?;
            self.blanks().take("=")?;
            self.blanks().take("\"")?;
            let value = self.quoted()?;
            let name = if name == MODEL { EXPORTED } else { name };
            labels.push((name.to_owned(), value.to_owned()));
            if self.blanks().take(",").is_none() && !self.0.starts_with('}') {
                return None;
            }
        }
        labels.sort();
        let twice = labels.windows(2).any(|two| two[0].0 == two[1].0);
        let internal = labels.iter().any(|(name, _)| name.starts_with("__"));
        (!twice && !internal).then_some(labels)
    }

    /// What stands before the next quote, which goes too.
    fn quoted(&mut self) -> Option<&'a str> {
        let mut escaped = false;
        let end = self.0.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (value, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        is_escaped(value, "\\n\"").then_some(value)
    }
}

/// Whether each backslash stands before one of these.
fn is_escaped(text: &str, these: &str) -> bool {
    let mut text = text.chars();
    while let Some(c) = text.next() {
        if c == '\\' && !text.next().is_some_and(|c| these.contains(c)) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
