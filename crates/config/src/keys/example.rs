//! The file with every key.

use std::fmt::Write as _;

use super::table::TABLES;
use super::{Key, Table, Value};

const HEAD: &str = "\
# Every key of paddock's configuration. What is left out has the value that is shown here.
# Only a model and its path are needed; `paddock check` says what is wrong with this file.
";

/// Where comments begin, in columns from 0.
const COMMENT: usize = 36;

/// What stands for `NAME`.
const NAMES: [(&str, &str); 2] = [
    ("models.NAME", "models.gemma"),
    ("keys.NAME", "keys.laptop"),
];

/// Returns a configuration file with every key, its default and what it means.
pub fn example() -> String {
    TABLES.iter().fold(HEAD.to_owned(), |mut text, table| {
        text.push('\n');
        write_table(&mut text, table);
        text
    })
}

fn write_table(text: &mut String, table: &Table) {
    let Table { name, comment, .. } = table;
    let name = NAMES.iter().fold((*name).to_owned(), |name, (from, to)| {
        name.replace(from, to)
    });
    let mark = if table.commented { "# " } else { "" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "# {comment}\n{mark}[{name}]");
    for key in table.keys {
        let line = format!("{mark}{}", line(key));
        let _ = writeln!(text, "{line:COMMENT$} # {}", key.comment);
    }
}

fn line(key: &Key) -> String {
    let name = key.name;
    match key.value {
        Value::Default(value) | Value::Required(value) => format!("{name} = {value}"),
        Value::Other(value) => format!("# {name} = {value}"),
    }
}
