//! Every key of the file: its name, type, default and meaning, for people and editors to read.
//!
//! `raw.rs` reads the keys; a test holds the two against each other.

mod example;
mod schema;
mod table;

pub use example::example;
pub use schema::schema;

use table::TABLES;

/// A table of the file.
#[derive(Debug)]
struct Table {
    /// Its name, with `NAME` where the user gives one.
    name: &'static str,
    comment: &'static str,
    keys: &'static [Key],
    /// Keys that it shares with another table, and does not repeat in the example.
    shared: &'static [Key],
    /// It changes what paddock does by being there, so the example shows it as a comment.
    commented: bool,
}

/// A key of a table.
#[derive(Debug)]
struct Key {
    pub name: &'static str,
    kind: Kind,
    value: Value,
    comment: &'static str,
}

/// What the example shows for a key, as TOML.
#[derive(Debug)]
enum Value {
    /// The default.
    Default(&'static str),
    /// Something that has to be written: the key is required.
    Required(&'static str),
    /// Something that differs from the default, for which there is no one value.
    Other(&'static str),
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Addresses,
    /// A table of strings.
    Variables,
    Switch,
    /// A whole number from this one on.
    Number(u32),
    Size,
    /// A size or this word.
    SizeOr(&'static str),
    Duration,
    /// A duration or this word.
    DurationOr(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
    /// One of these words, or a number.
    WordsOrNumber(&'static [&'static str]),
    /// `"auto"`, or a table of sizes.
    Devices,
    /// The hash of a secret.
    Hash,
    /// A date, a date and a time, or `""`.
    Moment,
    /// Some of these words.
    SomeWords(&'static [&'static str]),
}

impl Table {
    fn all(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().chain(self.shared)
    }
}

/// Returns the tables that have a key of this name, as they are written.
pub(super) fn tables_with(name: &str) -> Vec<String> {
    let tables = TABLES
        .iter()
        .filter(|table| table.all().any(|key| key.name == name));
    tables.map(|table| format!("[{}]", table.name)).collect()
}

#[cfg(test)]
mod advice;
#[cfg(test)]
mod tests;
