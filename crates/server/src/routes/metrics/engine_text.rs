//! Parses the metrics of llama-server children in Prometheus' text format, and merges those of all children, with a
//! `model` label on each sample.
//!
//! A child's text is not trusted: invalid lines and names with paddock's prefix are dropped. The merged text has
//! each name once, with one type and one help text.

use super::text::escape;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Prefix of paddock's own metrics, which a child must not report.
const OWN_PREFIX: &str = "paddock_";

/// The label that names a sample's model.
const MODEL_LABEL: &str = "model";

/// New name of a child's own `model` label, as Prometheus would choose.
const EXPORTED_MODEL_LABEL: &str = "exported_model";

/// The metrics of one child, by name.
#[derive(Debug, Default)]
pub(super) struct EngineMetrics(BTreeMap<String, Family>);

/// The samples of one name.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<MetricKind>,
    /// Values by sorted labels.
    samples: BTreeMap<Vec<MetricLabel>, f64>,
}

/// A label's name, and its value as written between the quotes.
type MetricLabel = (String, String);

/// The type of a metric. Parts of histograms and summaries have their own names and get no type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricKind {
    Counter,
    Gauge,
}

impl MetricKind {
    fn parse(word: &str) -> Option<Self> {
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

impl EngineMetrics {
    /// Parses a child's answer, ignoring invalid lines.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut metrics = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            // Invalid lines are ignored.
            let _ = std::str::from_utf8(line)
                .ok()
                .and_then(|line| metrics.parse_line(line));
        }
        metrics
    }

    fn parse_line(&mut self, line: &str) -> Option<()> {
        let mut parser = LineParser(line.trim_matches(BLANKS));
        if parser.skip_blanks().take("#").is_some() {
            return self.parse_comment(parser);
        }
        let name = parser.take_name(|c| c == ':')?;
        if !parser.0.starts_with('{') && !parser.0.starts_with(BLANKS) {
            return None;
        }
        let labels = parser.skip_blanks().take_labels()?;
        let mut fields = parser.0.split(BLANKS).filter(|field| !field.is_empty());
        let value = fields.next()?.parse().ok()?;
        // The timestamp is dropped: Prometheus uses the time of the scrape.
        let _: Option<i64> = fields.next().map(str::parse).transpose().ok()?;
        if fields.next().is_some() {
            return None;
        }
        self.family(name)?.samples.entry(labels).or_insert(value);
        Some(())
    }

    /// Parses a `HELP` or `TYPE` line; the first of each name counts.
    fn parse_comment(&mut self, mut parser: LineParser<'_>) -> Option<()> {
        let keyword = parser.skip_blanks().take_name(|_| false)?;
        let name = parser.skip_blanks().take_name(|c| c == ':')?;
        let text = parser.0.trim_start_matches(BLANKS);
        if text.len() == parser.0.len() {
            return None;
        }
        let family = self.family(name)?;
        match keyword {
            "HELP" if has_only_escapes(text, "\\n") => {
                family.help.get_or_insert_with(|| text.to_owned());
            }
            "TYPE" => family.kind = family.kind.or(MetricKind::parse(text)),
            _ => {}
        }
        Some(())
    }

    fn family(&mut self, name: &str) -> Option<&mut Family> {
        (!name.starts_with(OWN_PREFIX)).then(|| self.0.entry(name.to_owned()).or_default())
    }
}

/// Merges the metrics of several children, each labelled with its model.
pub(super) fn merge(all: &[(&str, &EngineMetrics)]) -> String {
    let mut names: BTreeMap<&str, (Option<&str>, Option<MetricKind>)> = BTreeMap::new();
    for (name, family) in all.iter().flat_map(|(_, metrics)| &metrics.0) {
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
        let families = all
            .iter()
            .map(|(model, metrics)| (model, metrics.0.get(name)));
        for (model, family) in families {
            let samples = family.iter().flat_map(|family| &family.samples);
            for (labels, value) in samples {
                let _ = write!(page, "{name}{{{MODEL_LABEL}=\"{}\"", escape(model));
                for (label, value) in labels {
                    let _ = write!(page, ",{label}=\"{value}\"");
                }
                let _ = writeln!(page, "}} {value}");
            }
        }
    }
    page
}

/// Characters that separate the parts of a line.
const BLANKS: [char; 2] = [' ', '\t'];

/// The unparsed rest of a line.
#[derive(Debug)]
struct LineParser<'a>(&'a str);

impl<'a> LineParser<'a> {
    fn skip_blanks(&mut self) -> &mut Self {
        self.0 = self.0.trim_start_matches(BLANKS);
        self
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// Takes a name of letters, digits (not first), underscores and characters that `also` accepts.
    fn take_name(&mut self, also: impl Fn(char) -> bool) -> Option<&'a str> {
        let is_in = |c: char| c.is_ascii_alphanumeric() || c == '_' || also(c);
        let end = self.0.find(|c| !is_in(c)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        name.starts_with(|c: char| !c.is_ascii_digit())
            .then_some(name)
    }

    /// Takes the labels, sorted by name. Fails on duplicates.
    fn take_labels(&mut self) -> Option<Vec<MetricLabel>> {
        let mut labels = Vec::new();
        if self.take("{").is_none() {
            return Some(labels);
        }
        while self.skip_blanks().take("}").is_none() {
            let name = self.take_name(|_| false)?;
            self.skip_blanks().take("=")?;
            self.skip_blanks().take("\"")?;
            let value = self.take_quoted()?;
            let name = if name == MODEL_LABEL {
                EXPORTED_MODEL_LABEL
            } else {
                name
            };
            labels.push((name.to_owned(), value.to_owned()));
            if self.skip_blanks().take(",").is_none() && !self.0.starts_with('}') {
                return None;
            }
        }
        labels.sort();
        let twice = labels.windows(2).any(|two| two[0].0 == two[1].0);
        let internal = labels.iter().any(|(name, _)| name.starts_with("__"));
        (!twice && !internal).then_some(labels)
    }

    /// Takes the text up to the closing quote, and the quote.
    fn take_quoted(&mut self) -> Option<&'a str> {
        let mut escaped = false;
        let end = self.0.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (value, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        has_only_escapes(value, "\\n\"").then_some(value)
    }
}

/// Returns whether each backslash stands before one of `allowed`.
fn has_only_escapes(text: &str, allowed: &str) -> bool {
    let mut text = text.chars();
    while let Some(c) = text.next() {
        if c == '\\' && !text.next().is_some_and(|c| allowed.contains(c)) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
