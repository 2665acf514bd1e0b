//! The secrets that a request shows: `Authorization: Bearer KEY`, or `x-api-key: KEY` as Anthropic's clients
//! send it.

use paddock_wire::{FieldLine, field_lines};

/// The longest secret that is looked at, in bytes.
const MOST: usize = 256;

const BEARER: &[u8] = b"bearer ";

/// The secret in a field, if it is one that may hold one.
pub(crate) fn of_field<'a>(name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    let secret = if name.eq_ignore_ascii_case(b"x-api-key") {
        value
    } else if name.eq_ignore_ascii_case(b"authorization") {
        let (scheme, secret) = value.split_at_checked(BEARER.len())?;
        scheme.eq_ignore_ascii_case(BEARER).then_some(secret)?
    } else {
        return None;
    };
    Some(secret.trim_ascii()).filter(|secret| !secret.is_empty() && secret.len() <= MOST)
}

/// The secrets in a head, each with its line.
pub(crate) fn of_head(head: &[u8]) -> impl Iterator<Item = (FieldLine<'_>, &[u8])> {
    field_lines(head).filter_map(|field| Some((field, of_field(field.name, field.value)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_where_clients_put_them() {
        for (name, value, secret) in [
            ("Authorization", "Bearer s", Some("s")),
            ("AUTHORIZATION", "bearer   s", Some("s")),
            ("authorization", "Bearer", None),
            ("authorization", "Bearer ", None),
            ("authorization", "Basic s", None),
            ("authorization", "s", None),
            ("X-Api-Key", "s", Some("s")),
            ("x-api-key", "", None),
            ("x-api-keys", "s", None),
            ("cookie", "s", None),
        ] {
            let found = of_field(name.as_bytes(), value.as_bytes());
            assert_eq!(found, secret.map(str::as_bytes), "{name}: {value}");
        }
        assert_eq!(of_field(b"x-api-key", &[b's'; MOST + 1]), None);
    }

    #[test]
    fn a_head_may_show_several() {
        let head = b"GET / HTTP/1.1\r\nHost: h\r\nx-api-key: a\r\nAuthorization: Bearer b\r\n\r\n";
        let found: Vec<_> = of_head(head).map(|(_, secret)| secret).collect();
        assert_eq!(found, [b"a", b"b"]);
    }
}
