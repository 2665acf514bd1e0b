//! The secrets that a request shows: `Authorization: Bearer KEY`, or `x-api-key: KEY` as Anthropic's clients
//! send it.

/// The longest secret that is looked at, in bytes.
const MOST: usize = 256;

const BEARER: &[u8] = b"bearer ";

/// The secret in a field, if it is one that may hold one.
pub fn of_field<'a>(name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
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
}
