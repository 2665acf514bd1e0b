//! Descriptions of every configuration key (name, type, default, meaning) for the example file and the JSON Schema.
//!
//! `raw.rs` reads the keys; a test checks that both files have the same keys.

mod example;
mod schema;
mod table;

pub use example::example;
pub use schema::schema;

use table::TABLES;

/// A table of the file.
#[derive(Debug)]
struct ConfigTable {
    /// Name of the table, with `NAME` in place of a name that the user chooses.
    name: &'static str,
    comment: &'static str,
    keys: &'static [ConfigKey],
    /// Keys shared with another table, which the example does not repeat.
    shared: &'static [ConfigKey],
    /// The table's presence alone changes behaviour, so the example shows it as a comment.
    commented: bool,
}

/// A key of a table.
#[derive(Debug)]
struct ConfigKey {
    pub name: &'static str,
    kind: ValueType,
    value: ExampleValue,
    comment: &'static str,
}

/// Value of a key in the example, as TOML.
#[derive(Debug)]
enum ExampleValue {
    /// The default.
    Default(&'static str),
    /// An example value of a required key.
    Required(&'static str),
    /// An example value of one of several keys, of which exactly one is required. The example shows the others as
    /// comments.
    OneOf { value: &'static str, is_shown: bool },
    /// An example value of a key whose default is no single value.
    Other(&'static str),
}

/// Type of a key's value.
#[derive(Debug, Clone, Copy)]
enum ValueType {
    Text,
    Texts,
    Addresses,
    /// A table of strings.
    Variables,
    Switch,
    /// A whole number, at least this one.
    Number(u32),
    Size,
    /// A size or this word.
    SizeOr(&'static str),
    Duration,
    /// A duration or this word.
    DurationOr(&'static str),
    /// A word of this list.
    Words(&'static [&'static str]),
    /// A word of this list, or a number.
    WordsOrNumber(&'static [&'static str]),
    /// `"auto"`, or a table of sizes.
    Devices,
    /// The hash of a secret.
    Hash,
    /// A date, a date and a time, or `""`.
    Moment,
    /// An array of words of this list.
    SomeWords(&'static [&'static str]),
}

impl ConfigTable {
    fn all(&self) -> impl Iterator<Item = &'static ConfigKey> {
        self.keys.iter().chain(self.shared)
    }
}

/// Returns the tables that have a key of this name, as `[TABLE]`.
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
