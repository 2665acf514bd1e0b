//! Reads TOML tables key by key, reporting every problem instead of stopping at the first.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, SourceSpan};
use super::problem_report::ProblemReport;
use super::suggestions;

/// Prefix of tables that may contain a secret; messages do not show whole lines of them.
const SECRET_TABLES: &str = "auth.";

/// A value, with the configuration key or flag that sets it, and its source span (`None` for a flag or a default).
#[derive(Debug, Clone)]
pub(super) struct Sourced<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) span: Option<SourceSpan>,
}

impl<T> Sourced<T> {
    /// Creates a problem about this value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        let problem = Problem::new(message).key(&self.key);
        problem.span(self.span.clone())
    }

    /// Returns the key and line of the value, for problems about another value.
    pub(super) fn location(&self) -> String {
        match &self.span {
            Some(span) => format!("{} on line {}", self.key, span.line),
            None => self.key.clone(),
        }
    }

    pub(super) fn with_value<U>(&self, value: U) -> Sourced<U> {
        Sourced {
            value,
            key: self.key.clone(),
            span: self.span.clone(),
        }
    }
}

/// A table of the file; a missing table reads as empty.
#[derive(Debug)]
pub(super) struct Section<'a> {
    report: &'a ProblemReport<'a>,
    /// Full name, such as `auth.keys.laptop`; empty for the whole file.
    path: String,
    table: Option<&'a DeTable<'a>>,
    /// Keys that were asked for; [`finish`](Self::finish) reports all others as unknown.
    known: Vec<&'a str>,
}

impl<'a> Section<'a> {
    /// Creates the section of the whole file.
    pub(super) fn root(report: &'a ProblemReport<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            report,
            path: String::new(),
            table: Some(table),
            known: Vec::new(),
        }
    }

    /// Returns the full name of a key of this table.
    pub(super) fn name(&self, key: &str) -> String {
        let bare = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        let key = if key.is_empty() || !key.chars().all(bare) {
            format!("{key:?}")
        } else {
            key.to_owned()
        };
        match self.path.as_str() {
            "" => key,
            path => format!("{path}.{key}"),
        }
    }

    /// Returns the table under a key.
    pub(super) fn table(&mut self, key: &'a str) -> Self {
        let value = self.value(key);
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.report_wrong_type(key, value, "a table");
            }
            table
        });
        Self {
            report: self.report,
            path: self.name(key),
            table,
            known: Vec::new(),
        }
    }

    /// Returns the subtables in the order of the file, with their names.
    pub(super) fn tables(&self) -> Vec<(Sourced<String>, Self)> {
        let mut tables = Vec::new();
        for (key, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = self.sourced(key.get_ref(), &key.span(), key.get_ref().to_string());
            let DeValue::Table(table) = value.get_ref() else {
                self.report_wrong_type(key.get_ref(), value, "a table");
                continue;
            };
            let path = self.name(key.get_ref());
            let section = Self {
                report: self.report,
                path,
                table: Some(table),
                known: Vec::new(),
            };
            tables.push((key.span().start, name, section));
        }
        tables.sort_by_key(|(start, ..)| *start);
        tables
            .into_iter()
            .map(|(_, name, section)| (name, section))
            .collect()
    }

    fn value(&mut self, key: &'a str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table?.get(key)
    }

    fn sourced<T>(&self, key: &str, span: &Range<usize>, value: T) -> Sourced<T> {
        Sourced {
            value,
            key: self.name(key),
            span: Some(self.report.source.span(span)),
        }
    }

    fn report_wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        self.report_wrong_value(key, value, expected, None);
    }

    fn report_wrong_value(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
        help: Option<String>,
    ) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let at = self.sourced(key, &value.span(), ());
        let problem = at.problem(format!("expected {expected}, found {found}"));
        self.report.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// Reads a string and parses it; `expected` describes the value in messages about other types.
    pub(super) fn parse<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sourced<T>> {
        let value = self.value(key)?;
        let DeValue::String(text) = value.get_ref() else {
            let help = suggestions::suggest_unit(value.get_ref(), |text| parse(text).is_ok());
            self.report_wrong_value(key, value, expected, help);
            return None;
        };
        let at = self.sourced(key, &value.span(), ());
        match parse(text) {
            Ok(value) => Some(at.with_value(value)),
            Err(message) => {
                self.report.push(at.problem(message));
                None
            }
        }
    }

    /// Reads a date or time, with or without quotes, and parses it as [`parse`](Self::parse) does.
    pub(super) fn moment<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sourced<T>> {
        let value = self.table.and_then(|table| table.get(key));
        let Some((value, DeValue::Datetime(moment))) = value.map(|value| (value, value.get_ref()))
        else {
            return self.parse(key, expected, parse);
        };
        self.known.push(key);
        let at = self.sourced(key, &value.span(), ());
        let parsed = parse(&moment.to_string());
        parsed.map_or_else(
            |message| {
                self.report.push(at.problem(message));
                None
            },
            |value| Some(at.with_value(value)),
        )
    }

    /// Reads a value that may be a secret by mistake: like [`parse`](Self::parse), but messages do not show the value.
    pub(super) fn secret<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Sourced<T>> {
        self.known.push(key);
        let (name, value) = self.table?.get_key_value(key)?;
        let at = Sourced {
            value: (),
            key: self.name(key),
            span: Some(self.report.source.span_alone(&name.span())),
        };
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.report.push(at.problem(expected));
        }
        parsed.map(|value| at.with_value(value))
    }

    pub(super) fn string(&mut self, key: &'a str) -> Option<Sourced<String>> {
        self.parse(key, "a string", |text| Ok(text.to_owned()))
    }

    pub(super) fn path(&mut self, key: &'a str) -> Option<Sourced<PathBuf>> {
        self.parse(key, "a path", |text| Ok(text.into()))
    }

    pub(super) fn boolean(&mut self, key: &'a str) -> Option<Sourced<bool>> {
        let value = self.value(key)?;
        let DeValue::Boolean(yes) = value.get_ref() else {
            let help =
                suggestions::suggest_unquoted(value.get_ref(), |text| text.parse::<bool>().is_ok());
            self.report_wrong_value(key, value, "true or false", help);
            return None;
        };
        Some(self.sourced(key, &value.span(), *yes))
    }

    /// Reads a whole number from `least` to `u32::MAX`.
    pub(super) fn number(&mut self, key: &'a str, least: u32) -> Option<Sourced<u32>> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            let help =
                suggestions::suggest_unquoted(value.get_ref(), |text| text.parse::<u32>().is_ok());
            self.report_wrong_value(key, value, "a whole number", help);
            return None;
        };
        let at = self.sourced(key, &value.span(), ());
        let parsed = u32::from_str_radix(number.as_str(), number.radix());
        let number = parsed.ok().filter(|&number| number >= least);
        if number.is_none() {
            let message = format!("expected a number from {least} to {}", u32::MAX);
            self.report.push(at.problem(message));
        }
        number.map(|number| at.with_value(number))
    }

    /// Reads a number or a string, such as `gpu_layers = 20` or `"auto"`.
    pub(super) fn number_or<T: From<u32>>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sourced<T>> {
        match self.table?.get(key).map(Spanned::get_ref) {
            Some(DeValue::Integer(_)) => {
                let number = self.number(key, 0)?;
                Some(number.with_value(number.value.into()))
            }
            _ => self.parse(key, expected, parse),
        }
    }

    /// Reads an array of strings and parses each.
    pub(super) fn list<T>(
        &mut self,
        key: &'a str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sourced<Vec<Sourced<T>>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            let help = suggestions::suggest_list(value.get_ref());
            self.report_wrong_value(key, value, "an array of strings", help);
            return None;
        };
        let mut list = Vec::new();
        for item in items {
            let DeValue::String(text) = item.get_ref() else {
                self.report_wrong_type(key, item, "a string");
                continue;
            };
            let at = self.sourced(key, &item.span(), ());
            match parse(text) {
                Ok(value) => list.push(at.with_value(value)),
                Err(message) => self.report.push(at.problem(message)),
            }
        }
        Some(self.sourced(key, &value.span(), list))
    }

    /// Reads a table of strings, each with the span of its key. Messages do not show values: they may be secret.
    pub(super) fn map(&mut self, key: &'a str) -> Option<BTreeMap<String, Sourced<String>>> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.report_wrong_type(key, value, "a table of strings");
            return None;
        };
        let mut map = BTreeMap::new();
        for (name, value) in table {
            let at = Sourced {
                value: (),
                key: self.name(key),
                span: Some(self.report.source.span_alone(&name.span())),
            };
            match value.get_ref() {
                DeValue::String(text) => {
                    map.insert(name.get_ref().to_string(), at.with_value(text.to_string()));
                }
                _ => self
                    .report
                    .push(at.problem(format!("`{}` must be a string", name.get_ref()))),
            }
        }
        Some(map)
    }

    /// Returns whether the key is present.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Returns whether the key holds a table.
    pub(super) fn is_table(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value.is_some_and(|value| value.get_ref().is_table())
    }

    /// Reads a table of strings and parses each, reporting every invalid one; `expected` describes the values.
    pub(super) fn values<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sourced<BTreeMap<String, T>>> {
        let span = self.table?.get(key)?.span();
        let mut inner = self.table(key);
        let names = inner.table?.keys().map(Spanned::get_ref);
        let values: Vec<_> = names
            .map(|name| (name, inner.parse(name, expected, &parse)))
            .collect();
        let values: Option<_> = values
            .into_iter()
            .map(|(name, at)| Some((name.to_string(), at?.value)))
            .collect();
        Some(self.sourced(key, &span, values?))
    }

    /// Reports the keys that were not read.
    ///
    /// `later` are documented keys that this version does not support.
    pub(super) fn finish(self, later: &[&str]) {
        for (key, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let (message, help) = if later.contains(&name) {
                (format!("`{name}` is not supported in this version"), None)
            } else {
                suggestions::unknown_key(name, value.get_ref(), &self.path, &self.known, later)
            };
            let span = match self.path.starts_with(SECRET_TABLES) {
                true => self.report.source.span_alone(&key.span()),
                false => self.report.source.span(&key.span()),
            };
            let mut problem = Problem::new(message).span(Some(span));
            problem.help = help;
            if !self.path.is_empty() {
                problem = problem.key(&self.path);
            }
            self.report.push(problem);
            let at_the_top = self.path.is_empty() && value.get_ref().is_table();
            if at_the_top && !later.contains(&name) {
                self.report.mark_models_lost();
            }
        }
    }
}
