//! Adds an API key to a configuration file's text, or removes one; no other byte changes.

use toml::Table;
use toml::de::{DeTable, DeValue};

use super::suggestions::closest_name;

/// Reason why a file's text was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not valid TOML.
    #[error("invalid TOML; `paddock check` shows where")]
    Broken,
    /// The key exists already.
    #[error(
        "there is already a key `{0}`; choose another name, or remove that key with `paddock key revoke {0}`"
    )]
    Exists(String),
    /// The key does not exist.
    #[error("there is no key `{name}`{}", list_existing(.close.as_ref(), .names))]
    Unknown {
        /// Name of the key.
        name: String,
        /// Similar name of an existing key.
        close: Option<String>,
        /// Names of the existing keys.
        names: Vec<String>,
    },
    /// The key is not written as a section of its own.
    #[error(
        "the keys in this file are not written as separate [auth.keys.NAME] sections; edit the file manually"
    )]
    ByHand,
}

/// Returns the end of the message for an unknown key: a similar name, else the existing names.
fn list_existing(close: Option<&String>, names: &[String]) -> String {
    match (close, names) {
        (Some(close), _) => format!(", did you mean `{close}`?"),
        (None, []) => "; no keys are configured".to_owned(),
        (None, names) => format!("; existing keys: {}", names.join(", ")),
    }
}

/// Adds a key's section at the end of a file's text.
///
/// # Errors
/// The key exists, or the keys are not written as sections.
pub fn with_key(text: &str, name: &str, section: &str) -> Result<String, EditError> {
    let before = text.parse::<Table>().map_err(|_| EditError::Broken)?;
    if keys_table(&before).is_some_and(|keys| keys.contains_key(name)) {
        return Err(EditError::Exists(name.to_owned()));
    }
    let end = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let after = format!("{text}{end}{section}");
    let added = after.parse::<Table>().map_err(|_| EditError::ByHand)?;
    // The new section must change nothing else, such as the meaning of text before it.
    match remove_key(added, name) == remove_key(before, name) {
        true => Ok(after),
        false => Err(EditError::ByHand),
    }
}

/// Removes a key's section from a file's text. Comments above the section stay.
///
/// # Errors
/// The key does not exist, or is not written as a section of its own.
pub fn without_key(text: &str, name: &str) -> Result<String, EditError> {
    let before = text.parse::<Table>().map_err(|_| EditError::Broken)?;
    let known = keys_table(&before);
    if known.is_none_or(|keys| !keys.contains_key(name)) {
        let names: Vec<&str> = known
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        return Err(EditError::Unknown {
            name: name.to_owned(),
            close: closest_name(name, &names).map(str::to_owned),
            names: names.into_iter().map(str::to_owned).collect(),
        });
    }
    let (start, end) = section_range(text, name).ok_or(EditError::ByHand)?;
    let after = format!("{}{}", &text[..start], &text[end..]);
    let left = after.parse::<Table>().map_err(|_| EditError::ByHand)?;
    let gone = keys_table(&left).is_none_or(|keys| !keys.contains_key(name));
    match gone && remove_key(left, name) == remove_key(before, name) {
        true => Ok(after),
        false => Err(EditError::ByHand),
    }
}

fn keys_table(table: &Table) -> Option<&Table> {
    table.get("auth")?.as_table()?.get("keys")?.as_table()
}

/// Removes a key from the table, and the tables that are empty without it.
fn remove_key(mut table: Table, name: &str) -> Table {
    if let Some(auth) = table.get_mut("auth").and_then(toml::Value::as_table_mut) {
        if let Some(keys) = auth.get_mut("keys").and_then(toml::Value::as_table_mut) {
            keys.remove(name);
            if keys.is_empty() {
                auth.remove("keys");
            }
        }
        if auth.is_empty() {
            table.remove("auth");
        }
    }
    table
}

/// Returns the byte range of a key's section: from its header to the end of its last value, with the empty lines that
/// separate it.
fn section_range(text: &str, name: &str) -> Option<(usize, usize)> {
    let table = DeTable::parse(text).ok()?;
    let mut inner = table.get_ref();
    for outer in ["auth", "keys"] {
        inner = inner.get(outer)?.get_ref().as_table()?;
    }
    let (key, value) = inner.get_key_value(name)?;
    let DeValue::Table(values) = value.get_ref() else {
        return None;
    };
    let start = text[..key.span().start].rfind('\n').map_or(0, |at| at + 1);
    if !text[start..]
        .trim_start_matches([' ', '\t'])
        .starts_with('[')
    {
        return None;
    }
    let last = values.iter().map(|(_, value)| value.span().end).max();
    let last = last.unwrap_or(key.span().end);
    let end_of_line = |at: usize| text[at..].find('\n').map_or(text.len(), |lf| at + lf + 1);
    let mut end = end_of_line(last);
    while end < text.len() && text[end..end_of_line(end)].trim().is_empty() {
        end = end_of_line(end);
    }
    let before = &text[..start];
    let apart = ["\n\r\n", "\n\n"]
        .into_iter()
        .find(|apart| before.ends_with(apart));
    match apart {
        // Nothing follows, so the empty line before the section goes too.
        Some(apart) if end == text.len() => Some((start - (apart.len() - 1), end)),
        _ => Some((start, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "[auth.keys.new]\nhash = \"h\"\n";

    #[test]
    fn what_is_added_and_taken_out_again_leaves_the_text_as_it_was() {
        for text in [
            "",
            "# a file\n",
            "[models.m]\npath = 'm' # here\n\n\n",
            "[auth.keys.old]\nhash = 'x'\n",
            "\r\n[models.m]\r\npath = 'm'\r\n",
            "[auth]\n[auth.keys]\n",
        ] {
            let added = with_key(text, "new", NEW).unwrap();
            assert!(added.starts_with(text) && added.ends_with(NEW), "{added:?}");
            assert_eq!(without_key(&added, "new").as_deref(), Ok(text), "{added:?}");
        }
        assert_eq!(
            with_key("a = 1", "new", NEW).unwrap(),
            format!("a = 1\n\n{NEW}")
        );
    }

    #[test]
    fn only_the_section_goes() {
        let before = "# keys\n[auth.keys.a]\nhash = 'a'\n\n# of b\n";
        let gone = "  [ auth . keys . 'b' ] # b\nallow = [\n  'admin', # '['\n]\nhash = 'b' # the end\n\n \n";
        let after =
            "# of c\n[auth.keys.c]\r\nhash = 'c'\n[models.b]\npath = \"\"\"\n[auth.keys.b]\n\"\"\"";
        let text = [before, gone, after].concat();
        assert_eq!(without_key(&text, "b").unwrap(), [before, after].concat());
        // What follows the last value belongs to what comes next.
        let text = "[auth.keys.b]\nhash = 'b'\n# of m\n[models.m]\n";
        assert_eq!(without_key(text, "b").unwrap(), "# of m\n[models.m]\n");
        assert_eq!(without_key("[auth.keys.b]", "b").unwrap(), "");
    }

    #[test]
    fn what_is_written_in_another_way_is_left_alone() {
        for text in [
            "auth.keys.b.hash = 'b'\n",
            "auth = { keys = { b = { hash = 'b' } } }\n",
            "[auth]\nkeys.b.hash = 'b'\n",
            "[auth.keys]\nb.hash = 'b'\n",
            "[auth.keys]\nb = { hash = 'b' }\n",
            "[auth.keys.b]\nhash = 'b'\n[auth.keys.b.c]\nd = 1\n[e]\n[auth.keys.b.f]\n",
        ] {
            assert_eq!(without_key(text, "b"), Err(EditError::ByHand), "{text}");
        }
        let inline = "auth = { keys = { b = { hash = 'b' } } }\n";
        assert_eq!(with_key(inline, "new", NEW), Err(EditError::ByHand));
        assert_eq!(with_key("a = \n", "new", NEW), Err(EditError::Broken));
        assert_eq!(without_key("a = \n", "new"), Err(EditError::Broken));
    }

    #[test]
    fn what_is_there_and_what_is_not_is_told() {
        let text = "[auth.keys.laptop]\nhash = 'b'\n";
        let error = with_key(text, "laptop", NEW).unwrap_err().to_string();
        assert!(
            error.starts_with("there is already a key `laptop`"),
            "{error}"
        );
        let told = |text, name| without_key(text, name).unwrap_err().to_string();
        assert_eq!(
            told(text, "latpop"),
            "there is no key `latpop`, did you mean `laptop`?"
        );
        assert_eq!(
            told(text, "x"),
            "there is no key `x`; existing keys: laptop"
        );
        assert_eq!(told("", "x"), "there is no key `x`; no keys are configured");
    }
}
