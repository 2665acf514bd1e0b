//! The secret in a request: `Authorization: Bearer KEY`, or `x-api-key: KEY` as Anthropic's clients send it.

/// Maximum length of a secret; longer ones match no key.
const MAX_SECRET_BYTES: usize = 256;

const BEARER_PREFIX: &[u8] = b"bearer ";

/// Returns the secret in a header field, if the field carries one.
pub fn credential_in_field<'a>(name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    let secret = if name.eq_ignore_ascii_case(b"x-api-key") {
        value
    } else if name.eq_ignore_ascii_case(b"authorization") {
        let (scheme, secret) = value.split_at_checked(BEARER_PREFIX.len())?;
        scheme
            .eq_ignore_ascii_case(BEARER_PREFIX)
            .then_some(secret)?
    } else {
        return None;
    };
    Some(secret.trim_ascii())
        .filter(|secret| !secret.is_empty() && secret.len() <= MAX_SECRET_BYTES)
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
            let found = credential_in_field(name.as_bytes(), value.as_bytes());
            assert_eq!(found, secret.map(str::as_bytes), "{name}: {value}");
        }
        assert_eq!(
            credential_in_field(b"x-api-key", &[b's'; MAX_SECRET_BYTES + 1]),
            None
        );
    }
}
