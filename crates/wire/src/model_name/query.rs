//! Finds the model in a request's query, `?model=`.

use super::{InvalidModelName, percent};
use std::borrow::Cow;

/// Returns the model name that the query of a request target gives as `?model=`, or `None` if it
/// gives no name or an empty one.
///
/// The query is decoded like a form (`&` between pairs; `%` and `+` in keys and values). The first
/// `model` wins. Nothing is removed: the child receives the query unchanged.
///
/// # Errors
/// The value is not a valid name.
pub fn find_model_in_query(target: &[u8]) -> Result<Option<Cow<'_, str>>, InvalidModelName> {
    let Some(query) = memchr::memchr(b'?', target).and_then(|mark| target.get(mark + 1..)) else {
        return Ok(None);
    };
    for pair in query.split(|byte| *byte == b'&') {
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (key, value) = pair.split_at(equals);
        if is_model_key(key) {
            let name = percent::decode(value.get(1..).unwrap_or_default(), true)?;
            return Ok((!name.is_empty()).then_some(name));
        }
    }
    Ok(None)
}

fn is_model_key(key: &[u8]) -> bool {
    match key.len() {
        5 => key == b"model",
        6..=15 => percent::decode(key, true).is_ok_and(|key| key == "model"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_model(target: &str) -> Result<Option<String>, InvalidModelName> {
        find_model_in_query(target.as_bytes()).map(|name| name.map(Cow::into_owned))
    }

    #[test]
    fn the_first_model_of_the_query_wins() {
        for (target, name) in [
            ("/?model=a", "a"),
            ("/v1/x?b=1&model=org/a:q4&model=c", "org/a:q4"),
            ("/?model=a%20b+c%2b%C3%A9", "a b c+\u{e9}"),
            ("/?mod%65l=a", "a"),
            ("/?%6D%6F%64%65%6C=a", "a"),
            ("/?&&=&model=a=b?c", "a=b?c"),
            ("/?%zz=1&model=a", "a"),
            ("/?models=x&mode=y&Model=z&model=a", "a"),
        ] {
            assert_eq!(find_model(target), Ok(Some(name.to_owned())), "{target}");
        }
    }

    #[test]
    fn a_query_without_model_names_none() {
        for target in [
            "/",
            "*",
            "/model=a",
            "/?",
            "/?model",
            "/?model=",
            "/?a=model=b",
        ] {
            assert_eq!(find_model(target), Ok(None), "{target}");
        }
        assert_eq!(find_model("/?model=&model=a"), Ok(None));
    }

    #[test]
    fn invalid_names_are_refused() {
        assert_eq!(find_model("/?model=%"), Err(InvalidModelName::Percent));
        assert_eq!(find_model("/?model=a%2"), Err(InvalidModelName::Percent));
        assert_eq!(find_model("/?model=%+1"), Err(InvalidModelName::Percent));
        assert_eq!(find_model("/?model=%ff"), Err(InvalidModelName::NotUtf8));
        assert_eq!(
            find_model_in_query(b"/?model=\xff"),
            Err(InvalidModelName::NotUtf8)
        );
        let name = "%41".repeat(512);
        assert_eq!(
            find_model(&format!("/?model={name}")),
            Ok(Some("A".repeat(512)))
        );
        assert_eq!(
            find_model(&format!("/?model={name}A")),
            Err(InvalidModelName::TooLong)
        );
        let name = "A".repeat(513);
        assert_eq!(
            find_model(&format!("/?model={name}")),
            Err(InvalidModelName::TooLong)
        );
    }
}
