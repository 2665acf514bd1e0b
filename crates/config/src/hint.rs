//! What is probably meant where something else is written.

use toml::de::DeValue;

use super::keys;

/// Units that a bare number may lack: the first that makes it a value is shown.
const UNITS: [&str; 2] = ["s", "MiB"];

/// Returns the known name that a misspelt one is closest to, if one is close.
pub(super) fn close<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = known.iter().copied().min_by_key(distance)?;
    let allowed = (nearest.len().max(name.len()) / 3).clamp(1, 3);
    (distance(&nearest) <= allowed).then_some(nearest)
}

/// Asks after the word that a misspelt one is close to; nothing where none is.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    close(word, known).map_or_else(String::new, |known| format!(", did you mean `{known}`?"))
}

/// Says what is wrong with a key that its table does not have, and what to do about it.
///
/// `path` is the table, `known` are its keys, `later` those of the format that this version has not.
pub(super) fn unknown(
    name: &str,
    value: &DeValue<'_>,
    path: &str,
    known: &[&str],
    later: &[&str],
) -> (String, Option<String>) {
    let shown = name.escape_debug();
    let plain = format!("unknown key `{shown}`");
    let tables = keys::tables_with(name);
    if !tables.is_empty() {
        let help = format!("`{name}` is a key of {}", tables.join(" and of "));
        return (plain, Some(help));
    }
    if let Some(known) = close(name, known) {
        return (format!("{plain}, did you mean `{known}`?"), None);
    }
    let list = format!("known keys: {}", known.join(", "));
    if let Some(later) = close(name, later) {
        let message = format!("{plain}; `{later}` is not supported in this version");
        return (message, Some(list));
    }
    let is_model = |value: &DeValue<'_>| {
        let table = value.as_table();
        table.is_some_and(|table| table.get("path").is_some())
    };
    if path.is_empty() && is_model(value) {
        let help = format!("a model stands under `models`: [models.{name}]");
        return (plain, Some(help));
    }
    (plain, Some(list))
}

/// Shows a number as the string that it should be, where a unit makes it one that is accepted.
pub(super) fn as_string(value: &DeValue<'_>, accepted: impl Fn(&str) -> bool) -> Option<String> {
    let DeValue::Integer(number) = value else {
        return None;
    };
    let mut texts = UNITS.iter().map(|unit| format!("{number}{unit}"));
    let text = texts.find(|text| accepted(text))?;
    Some(format!("write it with a unit, such as \"{text}\""))
}

/// Shows a string without its quotes, where that makes it what is accepted.
pub(super) fn unquoted(value: &DeValue<'_>, accepted: impl Fn(&str) -> bool) -> Option<String> {
    let text = value.as_str().filter(|text| accepted(text))?;
    Some(format!("write it without quotes: {text}"))
}

/// Shows a string as an array of it.
pub(super) fn as_list(value: &DeValue<'_>) -> Option<String> {
    let text = value.as_str()?;
    Some(format!("write it in brackets: [{text:?}]"))
}
