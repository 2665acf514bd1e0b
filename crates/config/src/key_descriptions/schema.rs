//! Writes the JSON Schema of the configuration file from the descriptions of its keys.

use serde_json::{Map, Value as Json, json};

use super::table::TABLES;
use super::{ConfigKey, ConfigTable, ExampleValue, ValueType};

// Regular expressions for the schema's keyword `pattern`.
const SIZE_PATTERN: &str = "^[0-9]+ *(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB)$";
const DURATION_PATTERN: &str = "^([0-9]+ *(ms|s|m|h|d))+$";
const HASH_PATTERN: &str = "^sha256:[0-9a-fA-F]{64}$";
const MOMENT_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$";
const ADDRESS_PATTERN: &str = "^(unix:.+|.+:[0-9]{1,5})$";

/// End of the names of tables that the user names.
const NAME_SUFFIX: &str = ".NAME";

/// Returns the JSON Schema of the configuration file (draft 2020-12), as text.
///
/// The schema covers names and types. `paddock check` checks more, such as the existence of files.
pub fn schema() -> String {
    let mut tables = Map::new();
    for table in TABLES {
        let mut path = table.name.split('.').rev();
        let mut value = self::table(table);
        if table.name.ends_with(NAME_SUFFIX) {
            path.next();
            value = json!({
                "type": "object",
                "description": table.comment,
                "additionalProperties": value,
            });
        }
        let mut name = path.next().unwrap_or_default();
        for outer in path {
            value = json!({
                "type": "object",
                "additionalProperties": false,
                "properties": { name: value },
            });
            name = outer;
        }
        tables.insert(name.to_owned(), value);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "paddock.toml",
        "description": "Configuration of paddock.",
        "type": "object",
        "additionalProperties": false,
        "properties": tables,
    });
    format!("{schema:#}\n")
}

fn table(table: &ConfigTable) -> Json {
    let keys: Map<String, Json> = table
        .all()
        .map(|key| (key.name.to_owned(), self::key(key)))
        .collect();
    let required = table
        .all()
        .filter(|key| matches!(key.value, ExampleValue::Required(_)));
    let required: Vec<_> = required.map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": table.comment,
        "additionalProperties": false,
        "properties": keys,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let alternatives = table
        .all()
        .filter(|key| matches!(key.value, ExampleValue::OneOf { .. }));
    let alternatives: Vec<_> = alternatives
        .map(|key| json!({ "required": [key.name] }))
        .collect();
    if !alternatives.is_empty() {
        schema["oneOf"] = json!(alternatives);
    }
    schema
}

fn key(key: &ConfigKey) -> Json {
    let mut schema = kind(key.kind);
    schema["description"] = json!(key.comment);
    if let ExampleValue::Default(default) = key.value
        && let Ok(default) = format!("it = {default}").parse::<toml::Table>()
        && let Some(default) = default.get("it")
    {
        schema["default"] = json!(default);
    }
    schema
}

fn kind(kind: ValueType) -> Json {
    let string = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let number = |least: u32| json!({ "type": "integer", "minimum": least, "maximum": u32::MAX });
    let list = |of: Json| json!({ "type": "array", "items": of });
    let table = |of: Json| json!({ "type": "object", "additionalProperties": of });
    let any = |of: &[Json]| json!({ "anyOf": of });
    let word = |word: &str| json!({ "const": word });
    match kind {
        ValueType::Text => json!({ "type": "string" }),
        ValueType::Texts => list(json!({ "type": "string" })),
        ValueType::Addresses => list(string(ADDRESS_PATTERN)),
        ValueType::Variables => table(json!({ "type": "string" })),
        ValueType::Switch => json!({ "type": "boolean" }),
        ValueType::Number(least) => number(least),
        ValueType::Size => string(SIZE_PATTERN),
        ValueType::SizeOr(other) => any(&[word(other), string(SIZE_PATTERN)]),
        ValueType::Duration => string(DURATION_PATTERN),
        ValueType::DurationOr(other) => any(&[word(other), string(DURATION_PATTERN)]),
        ValueType::Words(words) => json!({ "enum": words }),
        ValueType::WordsOrNumber(words) => any(&[json!({ "enum": words }), number(0)]),
        ValueType::Hash => string(HASH_PATTERN),
        ValueType::Moment => any(&[word(""), string(MOMENT_PATTERN)]),
        ValueType::SomeWords(words) => list(json!({ "enum": words })),
        ValueType::Devices => any(&[word("auto"), table(string(SIZE_PATTERN))]),
    }
}
