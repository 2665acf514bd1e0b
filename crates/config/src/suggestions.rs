//! Suggestions for misspelt names and for values of the wrong type.

use toml::de::DeValue;

use super::key_descriptions;

/// Units to try when a number lacks one. The first that makes the value valid is suggested.
const SUGGESTED_UNITS: [&str; 2] = ["s", "MiB"];

/// Returns the known name closest to a misspelt one, if any is close enough.
pub(super) fn closest_name<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = known.iter().copied().min_by_key(distance)?;
    let allowed = (nearest.len().max(name.len()) / 3).clamp(1, 3);
    (distance(&nearest) <= allowed).then_some(nearest)
}

/// Returns a question that suggests a similar word; empty if no word is similar.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    closest_name(word, known).map_or_else(String::new, |known| format!(", did you mean `{known}`?"))
}

/// Returns the message and the advice for an unknown key.
///
/// `path` is the table, `known` are its keys, `later` are documented keys that this version does not support.
pub(super) fn unknown_key(
    name: &str,
    value: &DeValue<'_>,
    path: &str,
    known: &[&str],
    later: &[&str],
) -> (String, Option<String>) {
    let shown = name.escape_debug();
    let plain = format!("unknown key `{shown}`");
    let tables = key_descriptions::tables_with(name);
    if !tables.is_empty() {
        let help = format!("`{name}` is a key of {}", tables.join(" and of "));
        return (plain, Some(help));
    }
    if let Some(known) = closest_name(name, known) {
        return (format!("{plain}, did you mean `{known}`?"), None);
    }
    let list = format!("known keys: {}", known.join(", "));
    if let Some(later) = closest_name(name, later) {
        let message = format!("{plain}; `{later}` is not supported in this version");
        return (message, Some(list));
    }
    let is_model = |value: &DeValue<'_>| {
        let table = value.as_table();
        table.is_some_and(|table| table.get("path").is_some())
    };
    if path.is_empty() && is_model(value) {
        let help = format!("configure a model under `models`: [models.{name}]");
        return (plain, Some(help));
    }
    (plain, Some(list))
}

/// Suggests a number with a unit, if that is accepted.
pub(super) fn suggest_unit(value: &DeValue<'_>, accepted: impl Fn(&str) -> bool) -> Option<String> {
    let DeValue::Integer(number) = value else {
        return None;
    };
    let mut texts = SUGGESTED_UNITS.iter().map(|unit| format!("{number}{unit}"));
    let text = texts.find(|text| accepted(text))?;
    Some(format!("write it with a unit, such as \"{text}\""))
}

/// Suggests a string without its quotes, if that is accepted.
pub(super) fn suggest_unquoted(
    value: &DeValue<'_>,
    accepted: impl Fn(&str) -> bool,
) -> Option<String> {
    let text = value.as_str().filter(|text| accepted(text))?;
    Some(format!("write it without quotes: {text}"))
}

/// Suggests an array of a string.
pub(super) fn suggest_list(value: &DeValue<'_>) -> Option<String> {
    let text = value.as_str()?;
    Some(format!("write it in brackets: [{text:?}]"))
}
