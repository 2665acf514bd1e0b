//! Parses a field value with parameters: `form-data; name="a"` (RFC 2183) or `multipart/form-data;
//! boundary=b` (RFC 9110 §8.3.1).

use std::borrow::Cow;

/// The value is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedParameters;

/// Splits a value into the text before the first parameter and the parameters.
pub(super) fn split_parameters(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (first, rest) = value.split_at(end);
    (first.trim_ascii(), Parameters { rest })
}

/// A parameter: the name as sent and the unquoted value.
type Parameter<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The parameters of a field's value.
#[derive(Debug, Clone)]
pub(super) struct Parameters<'a> {
    /// The remaining value, from the semicolon before the next parameter.
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Returns the value of the parameter with this name, if present. A repeated parameter is
    /// malformed, because two readers may choose differently.
    pub(super) fn get_unique(
        &self,
        wanted: &[u8],
    ) -> Result<Option<Cow<'a, [u8]>>, MalformedParameters> {
        let mut found = None;
        for parameter in self.clone() {
            let (name, value) = parameter?;
            if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
                return Err(MalformedParameters);
            }
        }
        Ok(found)
    }

    fn parse(&mut self) -> Result<Option<Parameter<'a>>, MalformedParameters> {
        loop {
            let rest = self.rest.trim_ascii_start();
            let Some((semicolon, rest)) = rest.split_first() else {
                return Ok(None);
            };
            if *semicolon != b';' {
                return Err(MalformedParameters);
            }
            // Empty parameters are skipped.
            self.rest = rest.trim_ascii_start();
            if !matches!(self.rest.first(), None | Some(b';')) {
                break;
            }
        }
        let equals = memchr::memchr(b'=', self.rest).ok_or(MalformedParameters)?;
        let (name, rest) = self.rest.split_at(equals);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(MalformedParameters);
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
    type Item = Result<Parameter<'a>, MalformedParameters>;

    fn next(&mut self) -> Option<Self::Item> {
        let parsed = self.parse();
        if parsed.is_err() {
            self.rest = &[];
        }
        parsed.transpose()
    }
}

/// Returns the text after an opening quote and the bytes after the closing quote.
fn quoted_string(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), MalformedParameters> {
    let end = memchr::memchr2(b'"', b'\\', bytes).ok_or(MalformedParameters)?;
    let (plain, mut rest) = bytes.split_at(end);
    if let Some(after) = rest.strip_prefix(b"\"") {
        return Ok((Cow::Borrowed(plain), after));
    }
    let mut text = plain.to_vec();
    loop {
        match rest {
            [b'"', after @ ..] => return Ok((Cow::Owned(text), after)),
            // Browsers do not escape the backslashes in a file path.
            [b'\\', quoted @ (b'"' | b'\\'), after @ ..] | [quoted, after @ ..] => {
                text.push(*quoted);
                rest = after;
            }
            [] => return Err(MalformedParameters),
        }
    }
}

/// Returns true for a byte of a token. The set is wider than RFC 2045's, because `/`, `=` and
/// others occur unquoted in boundaries. A name contains no `=`, which ends it.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),;<>@[\\]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(value: &str) -> Option<Vec<(String, String)>> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        split_parameters(value.as_bytes())
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
    fn malformed_parameters_are_refused() {
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
        let twice = split_parameters(b"x; name=a; Name=a").1.get_unique(b"name");
        assert_eq!(twice, Err(MalformedParameters));
    }
}
