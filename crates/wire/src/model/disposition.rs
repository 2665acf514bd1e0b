//! The value of a field with parameters: `form-data; name="a"` (RFC 2183), and
//! `multipart/form-data; boundary=b` (RFC 9110 §8.3.1).

use std::borrow::Cow;

/// It is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// What stands before the first parameter, and the parameters.
pub(super) fn parts(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (first, rest) = value.split_at(end);
    (first.trim_ascii(), Parameters { rest })
}

/// A parameter: its name as it stands, and its value unquoted.
type Parameter<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The parameters of a field's value.
#[derive(Debug, Clone)]
pub(super) struct Parameters<'a> {
    /// From the semicolon before the next parameter on.
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// The value of the only parameter with this name, if there is one. Two are malformed: two
    /// readers may choose differently.
    pub(super) fn only(&self, wanted: &[u8]) -> Result<Option<Cow<'a, [u8]>>, Malformed> {
        let mut found = None;
        for parameter in self.clone() {
            let (name, value) = parameter?;
            if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
                return Err(Malformed);
            }
        }
        Ok(found)
    }

    fn parse(&mut self) -> Result<Option<Parameter<'a>>, Malformed> {
        loop {
            let rest = self.rest.trim_ascii_start();
            let Some((semicolon, rest)) = rest.split_first() else {
                return Ok(None);
            };
            if *semicolon != b';' {
                return Err(Malformed);
            }
            // An empty parameter says nothing.
            self.rest = rest.trim_ascii_start();
            if !matches!(self.rest.first(), None | Some(b';')) {
                break;
            }
        }
        let equals = memchr::memchr(b'=', self.rest).ok_or(Malformed)?;
        let (name, rest) = self.rest.split_at(equals);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Malformed);
        }
        let rest = rest.get(1..).unwrap_or_default();
        let (value, rest) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            quoted_string(quoted)?
        } else {
            let end = rest.iter().position(|byte| !is_token(*byte));
            let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (Cow::Borrowed(value), rest)
        };
        self.rest = rest;
        Ok(Some((name, value)))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let parsed = self.parse();
        if parsed.is_err() {
            self.rest = &[];
        }
        parsed.transpose()
    }
}

/// The text from behind an opening quote, and what follows the closing one.
fn quoted_string(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), Malformed> {
    let end = memchr::memchr2(b'"', b'\\', bytes).ok_or(Malformed)?;
    let (plain, mut rest) = bytes.split_at(end);
    if let Some(after) = rest.strip_prefix(b"\"") {
        return Ok((Cow::Borrowed(plain), after));
    }
    let mut text = plain.to_vec();
    loop {
        match rest {
            [b'"', after @ ..] => return Ok((Cow::Owned(text), after)),
            // Browsers do not quote the backslashes of a file's path.
            [b'\\', quoted @ (b'"' | b'\\'), after @ ..] | [quoted, after @ ..] => {
                text.push(*quoted);
                rest = after;
            }
            [] => return Err(Malformed),
        }
    }
}

/// A byte of a token, as RFC 2045 has it and a little wider: `/`, `=` and others occur unquoted in
/// boundaries. A name holds no `=`, as it ends there.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),;<>@[\\]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(value: &str) -> Option<Vec<(String, String)>> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        parts(value.as_bytes())
            .1
            .map(|parameter| parameter.map(|(name, value)| (text(name), text(&value))))
            .collect::<Result<_, _>>()
            .ok()
    }

    #[test]
    fn parameters_are_tokens_or_quoted() {
        for (value, expected) in [
            ("form-data", &[][..]),
            ("form-data;", &[]),
            ("form-data; name=model", &[("name", "model")]),
            ("form-data;name=\"model\";", &[("name", "model")]),
            (
                "form-data ; filename=\"a;name=b\" ;\tNAME=\"c\\\"d\"",
                &[("filename", "a;name=b"), ("NAME", "c\\\"d")],
            ),
            ("x; a=; b=\"\"", &[("a", ""), ("b", "")]),
            ("x; a=\"C:\\\\dir\\f\"", &[("a", "C:\\\\dir\\\\f")]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(all(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_told() {
        for value in [
            "x; name",
            "x; =a",
            "x; name =a",
            "x; name= a",
            "x; name=\"a",
            "x; name=\"a\\\"",
            "x; name=\"a\"b",
            "x; name=a b",
            "x; name=a, y",
        ] {
            assert_eq!(all(value), None, "{value}");
        }
        let twice = parts(b"x; name=a; Name=a").1.only(b"name");
        assert_eq!(twice, Err(Malformed));
    }
}
