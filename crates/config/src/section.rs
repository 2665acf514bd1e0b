//! Reading TOML tables so that every problem is found, not only the first.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::hint;
use super::problem::{Place, Problem};
use super::report::Report;

/// Where people may have put a secret: lines there are not shown as a whole.
const SECRETS: &str = "auth.";

/// A value together with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) place: Option<Place>,
}

impl<T> At<T> {
    /// Makes a problem about this value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        let problem = Problem::new(message).key(&self.key);
        problem.place(self.place.clone())
    }

    /// Says where the value is written, for a problem about another one.
    pub(super) fn whereabouts(&self) -> String {
        match &self.place {
            Some(place) => format!("{} on line {}", self.key, place.line),
            None => self.key.clone(),
        }
    }

    pub(super) fn with<U>(&self, value: U) -> At<U> {
        At {
            value,
            key: self.key.clone(),
            place: self.place.clone(),
        }
    }
}

/// One table of the file; a missing one reads as empty.
#[derive(Debug)]
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    path: String,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'a str>,
}

impl<'a> Section<'a> {
    pub(super) fn root(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Self {
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
                self.wrong(key, value, "a table");
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

    /// Returns the tables of this table, in the order of the file, with the names of their keys.
    pub(super) fn tables(&self) -> Vec<(At<String>, Self)> {
        let mut tables = Vec::new();
        for (key, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = self.at(key.get_ref(), &key.span(), key.get_ref().to_string());
            let DeValue::Table(table) = value.get_ref() else {
                self.wrong(key.get_ref(), value, "a table");
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

    fn at<T>(&self, key: &str, span: &Range<usize>, value: T) -> At<T> {
        At {
            value,
            key: self.name(key),
            place: Some(self.report.source.place(span)),
        }
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        self.wrong_with(key, value, expected, None);
    }

    fn wrong_with(
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
        let at = self.at(key, &value.span(), ());
        let problem = at.problem(format!("expected {expected}, found {found}"));
        self.report.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// Reads a string and makes something of it; `expected` names what, for other types.
    pub(super) fn parse<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        let value = self.value(key)?;
        let DeValue::String(text) = value.get_ref() else {
            let help = hint::as_string(value.get_ref(), |text| parse(text).is_ok());
            self.wrong_with(key, value, expected, help);
            return None;
        };
        let at = self.at(key, &value.span(), ());
        match parse(text) {
            Ok(value) => Some(at.with(value)),
            Err(message) => {
                self.report.push(at.problem(message));
                None
            }
        }
    }

    /// Reads as [`parse`](Self::parse) does a date or a time, with quotes or without.
    pub(super) fn moment<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        let value = self.table.and_then(|table| table.get(key));
        let Some((value, DeValue::Datetime(moment))) = value.map(|value| (value, value.get_ref()))
        else {
            return self.parse(key, expected, parse);
        };
        self.known.push(key);
        let at = self.at(key, &value.span(), ());
        let parsed = parse(&moment.to_string());
        parsed.map_or_else(
            |message| {
                self.report.push(at.problem(message));
                None
            },
            |value| Some(at.with(value)),
        )
    }

    /// Reads as [`parse`](Self::parse) does what may be a secret by mistake: what is wrong is shown without it.
    pub(super) fn secret<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<At<T>> {
        self.known.push(key);
        let (name, value) = self.table?.get_key_value(key)?;
        let at = At {
            value: (),
            key: self.name(key),
            place: Some(self.report.source.place_alone(&name.span())),
        };
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.report.push(at.problem(expected));
        }
        parsed.map(|value| at.with(value))
    }

    pub(super) fn string(&mut self, key: &'a str) -> Option<At<String>> {
        self.parse(key, "a string", |text| Ok(text.to_owned()))
    }

    pub(super) fn path(&mut self, key: &'a str) -> Option<At<PathBuf>> {
        self.parse(key, "a path", |text| Ok(text.into()))
    }

    pub(super) fn boolean(&mut self, key: &'a str) -> Option<At<bool>> {
        let value = self.value(key)?;
        let DeValue::Boolean(yes) = value.get_ref() else {
            let help = hint::unquoted(value.get_ref(), |text| text.parse::<bool>().is_ok());
            self.wrong_with(key, value, "true or false", help);
            return None;
        };
        Some(self.at(key, &value.span(), *yes))
    }

    /// Reads a whole number from `least` to the greatest of 32 bits.
    pub(super) fn number(&mut self, key: &'a str, least: u32) -> Option<At<u32>> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            let help = hint::unquoted(value.get_ref(), |text| text.parse::<u32>().is_ok());
            self.wrong_with(key, value, "a whole number", help);
            return None;
        };
        let at = self.at(key, &value.span(), ());
        let parsed = u32::from_str_radix(number.as_str(), number.radix());
        let number = parsed.ok().filter(|&number| number >= least);
        if number.is_none() {
            let message = format!("expected a number from {least} to {}", u32::MAX);
            self.report.push(at.problem(message));
        }
        number.map(|number| at.with(number))
    }

    /// Reads a number or a string; for values such as `gpu_layers = 20` or `"auto"`.
    pub(super) fn number_or<T: From<u32>>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        match self.table?.get(key).map(Spanned::get_ref) {
            Some(DeValue::Integer(_)) => {
                let number = self.number(key, 0)?;
                Some(number.with(number.value.into()))
            }
            _ => self.parse(key, expected, parse),
        }
    }

    /// Reads an array of strings and makes something of each.
    pub(super) fn list<T>(
        &mut self,
        key: &'a str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<Vec<At<T>>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            let help = hint::as_list(value.get_ref());
            self.wrong_with(key, value, "an array of strings", help);
            return None;
        };
        let mut list = Vec::new();
        for item in items {
            let DeValue::String(text) = item.get_ref() else {
                self.wrong(key, item, "a string");
                continue;
            };
            let at = self.at(key, &item.span(), ());
            match parse(text) {
                Ok(value) => list.push(at.with(value)),
                Err(message) => self.report.push(at.problem(message)),
            }
        }
        Some(self.at(key, &value.span(), list))
    }

    /// Reads a table of strings, each with the place of its key. Values are not shown: they may be secret.
    pub(super) fn map(&mut self, key: &'a str) -> Option<BTreeMap<String, At<String>>> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(key, value, "a table of strings");
            return None;
        };
        let mut map = BTreeMap::new();
        for (name, value) in table {
            let at = At {
                value: (),
                key: self.name(key),
                place: Some(self.report.source.place_alone(&name.span())),
            };
            match value.get_ref() {
                DeValue::String(text) => {
                    map.insert(name.get_ref().to_string(), at.with(text.to_string()));
                }
                _ => self
                    .report
                    .push(at.problem(format!("`{}` must be a string", name.get_ref()))),
            }
        }
        Some(map)
    }

    /// Returns whether there is anything under a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Returns whether there is a table under a key.
    pub(super) fn is_table(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value.is_some_and(|value| value.get_ref().is_table())
    }

    /// Reads a table of strings and makes something of each, or reports every one of which nothing
    /// can be made; `expected` names what, for other types.
    pub(super) fn values<T>(
        &mut self,
        key: &'a str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<BTreeMap<String, T>>> {
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
        Some(self.at(key, &span, values?))
    }

    /// Reports the keys that nobody asked for.
    ///
    /// `later` are keys of the documented format that this version does not carry out.
    pub(super) fn finish(self, later: &[&str]) {
        for (key, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let (message, help) = if later.contains(&name) {
                (format!("`{name}` is not supported in this version"), None)
            } else {
                hint::unknown(name, value.get_ref(), &self.path, &self.known, later)
            };
            let place = match self.path.starts_with(SECRETS) {
                true => self.report.source.place_alone(&key.span()),
                false => self.report.source.place(&key.span()),
            };
            let mut problem = Problem::new(message).place(Some(place));
            problem.help = help;
            if !self.path.is_empty() {
                problem = problem.key(&self.path);
            }
            self.report.push(problem);
            let at_the_top = self.path.is_empty() && value.get_ref().is_table();
            if at_the_top && !later.contains(&name) {
                self.report.lose_models();
            }
        }
    }
}
