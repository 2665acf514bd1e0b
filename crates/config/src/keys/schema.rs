//! The JSON Schema of the file.

use serde_json::{Map, Value as Json, json};

use super::table::TABLES;
use super::{Key, Kind, Table, Value};

const SIZE: &str = "^[0-9]+ *(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB)$";
const DURATION: &str = "^([0-9]+ *(ms|s|m|h|d))+$";
const HASH: &str = "^sha256:[0-9a-fA-F]{64}$";
const MOMENT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$";
const ADDRESS: &str = "^(unix:.+|.+:[0-9]{1,5})$";

/// What a table is called that the user names.
const NAME: &str = ".NAME";

/// Returns the JSON Schema of the configuration file (draft 2020-12), as text.
///
/// It knows names and types. What `paddock check` knows beyond that, such as which files there are,
/// it does not.
pub fn schema() -> String {
    let mut tables = Map::new();
    for table in TABLES {
        let mut path = table.name.split('.').rev();
        let mut value = self::table(table);
        if table.name.ends_with(NAME) {
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
        "description": "The configuration of paddock.",
        "type": "object",
        "additionalProperties": false,
        "properties": tables,
    });
    format!("{schema:#}\n")
}

fn table(table: &Table) -> Json {
    let keys: Map<String, Json> = table
        .all()
        .map(|key| (key.name.to_owned(), self::key(key)))
        .collect();
    let required = table
        .all()
        .filter(|key| matches!(key.value, Value::Required(_)));
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
    schema
}

fn key(key: &Key) -> Json {
    let mut schema = kind(key.kind);
    schema["description"] = json!(key.comment);
    if let Value::Default(default) = key.value
        && let Ok(default) = format!("it = {default}").parse::<toml::Table>()
        && let Some(default) = default.get("it")
    {
        schema["default"] = json!(default);
    }
    schema
}

fn kind(kind: Kind) -> Json {
    let string = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let number = |least: u32| json!({ "type": "integer", "minimum": least, "maximum": u32::MAX });
    let list = |of: Json| json!({ "type": "array", "items": of });
    let table = |of: Json| json!({ "type": "object", "additionalProperties": of });
    let any = |of: &[Json]| json!({ "anyOf": of });
    let word = |word: &str| json!({ "const": word });
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => list(json!({ "type": "string" })),
        Kind::Addresses => list(string(ADDRESS)),
        Kind::Variables => table(json!({ "type": "string" })),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Number(least) => number(least),
        Kind::Size => string(SIZE),
        Kind::SizeOr(other) => any(&[word(other), string(SIZE)]),
        Kind::Duration => string(DURATION),
        Kind::DurationOr(other) => any(&[word(other), string(DURATION)]),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::WordsOrNumber(words) => any(&[json!({ "enum": words }), number(0)]),
        Kind::Hash => string(HASH),
        Kind::Moment => any(&[word(""), string(MOMENT)]),
        Kind::SomeWords(words) => list(json!({ "enum": words })),
        Kind::Devices => any(&[word("auto"), table(string(SIZE))]),
    }
}
