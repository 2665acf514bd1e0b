use super::{BadName, percent};
use std::borrow::Cow;

/// The name that `?model=` gives in a request's target, or `None` where it gives none or an
/// empty one.
///
/// The query is read as a form is (`&` between pairs, `%` and `+` decoded, in keys too). Of
/// several the first counts. Nothing of it is cut: the child sees the query as it came.
///
/// # Errors
/// The value is no name.
pub fn named_by_query(target: &[u8]) -> Result<Option<Cow<'_, str>>, BadName> {
    let Some(query) = memchr::memchr(b'?', target).and_then(|mark| target.get(mark + 1..)) else {
        return Ok(None);
    };
    for pair in query.split(|byte| *byte == b'&') {
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (key, value) = pair.split_at(equals);
        if is_model(key) {
            let name = percent::decode(value.get(1..).unwrap_or_default(), true)?;
            return Ok((!name.is_empty()).then_some(name));
        }
    }
    Ok(None)
}

fn is_model(key: &[u8]) -> bool {
    match key.len() {
        5 => key == b"model",
        6..=15 => percent::decode(key, true).is_ok_and(|key| key == "model"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(target: &str) -> Result<Option<String>, BadName> {
        named_by_query(target.as_bytes()).map(|name| name.map(Cow::into_owned))
    }

    #[test]
    fn the_first_model_of_the_query_counts() {
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
            assert_eq!(named(target), Ok(Some(name.to_owned())), "{target}");
        }
    }

    #[test]
    fn a_query_need_not_name_one() {
        for target in [
            "/",
            "*",
            "/model=a",
            "/?",
            "/?model",
            "/?model=",
            "/?a=model=b",
        ] {
            assert_eq!(named(target), Ok(None), "{target}");
        }
        assert_eq!(named("/?model=&model=a"), Ok(None));
    }

    #[test]
    fn what_is_no_name_is_told() {
        assert_eq!(named("/?model=%"), Err(BadName::Percent));
        assert_eq!(named("/?model=a%2"), Err(BadName::Percent));
        assert_eq!(named("/?model=%+1"), Err(BadName::Percent));
        assert_eq!(named("/?model=%ff"), Err(BadName::NotUtf8));
        assert_eq!(named_by_query(b"/?model=\xff"), Err(BadName::NotUtf8));
        let name = "%41".repeat(512);
        assert_eq!(named(&format!("/?model={name}")), Ok(Some("A".repeat(512))));
        assert_eq!(named(&format!("/?model={name}A")), Err(BadName::TooLong));
        let name = "A".repeat(513);
        assert_eq!(named(&format!("/?model={name}")), Err(BadName::TooLong));
    }
}
