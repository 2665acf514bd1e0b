//! Writes the example configuration file with every key.

use std::fmt::Write as _;

use super::table::TABLES;
use super::{ConfigKey, ConfigTable, ExampleValue};

const FILE_HEADER: &str = "\
# Every key of paddock's configuration, with its default value.
# Only a model and its path or source are required. `paddock check` reports problems in this file.
";

/// Column in which comments begin, counted from 0.
const COMMENT_COLUMN: usize = 36;

/// Example names in place of `NAME`.
const NAME_EXAMPLES: [(&str, &str); 2] = [
    ("models.NAME", "models.gemma"),
    ("keys.NAME", "keys.laptop"),
];

/// Returns a configuration file with every key, its default and its meaning.
pub fn example() -> String {
    TABLES
        .iter()
        .fold(FILE_HEADER.to_owned(), |mut text, table| {
            text.push('\n');
            write_table(&mut text, table);
            text
        })
}

/// Appends a table: its comment, its header, and a line per key.
fn write_table(text: &mut String, table: &ConfigTable) {
    let ConfigTable { name, comment, .. } = table;
    let name = NAME_EXAMPLES
        .iter()
        .fold((*name).to_owned(), |name, (from, to)| {
            name.replace(from, to)
        });
    let mark = if table.commented { "# " } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# {comment}\n{mark}[{name}]");
    for key in table.keys {
        let line = format!("{mark}{}", line(key));
        let _ = writeln!(text, "{line:COMMENT_COLUMN$} # {}", key.comment);
    }
}

/// Formats a key as a line of TOML, commented out if its default is no single value.
fn line(key: &ConfigKey) -> String {
    let name = key.name;
    match key.value {
        ExampleValue::Default(value)
        | ExampleValue::Required(value)
        | ExampleValue::OneOf {
            value,
            is_shown: true,
        } => format!("{name} = {value}"),
        ExampleValue::Other(value) | ExampleValue::OneOf { value, .. } => {
            format!("# {name} = {value}")
        }
    }
}
