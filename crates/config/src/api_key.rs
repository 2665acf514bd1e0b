//! A configured API key: the hash of its secret, its scopes, models and limits.

use sha2::{Digest, Sha256};

use super::Expiry;
use super::suggestions::did_you_mean;

/// Maximum length of a key's name.
const MAX_NAME_BYTES: usize = 64;

/// Prefix of a hash in the configuration, before its 64 hexadecimal digits.
const HASH_PREFIX: &str = "sha256:";

/// Names of all scopes, for suggestions.
const SCOPE_NAMES: [&str; 4] = ["inference", "control", "metrics", "admin"];

/// An API key and the permissions of clients that present its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Name in lists and messages: at most 64 letters, digits, `-` and `_`.
    pub name: String,
    /// Hash of the key's secret; no two keys have the same.
    pub hash: KeyHash,
    /// Allowed scopes; at least one.
    pub allow: Vec<Scope>,
    /// The `id`s of the allowed models; `None` for all.
    pub models: Option<Vec<String>>,
    /// Time from which the key is denied; `None` for never.
    pub expires: Option<Expiry>,
    /// Maximum number of in-flight requests; 0 for any number.
    pub max_concurrent: u32,
    /// Maximum number of requests per minute; 0 for any number.
    pub requests_per_minute: u32,
    /// Maximum number of prompt and output tokens per minute; 0 for any number.
    pub tokens_per_minute: u32,
}

/// The SHA-256 of a key's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

/// A group of routes that a key can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The public address: requests that models answer.
    Inference,
    /// The public address: routes that change or inspect a model's server (`admission/src/upstream_routes.rs`).
    Control,
    /// `/metrics`, on the admin address and of a model's server on the public one.
    Metrics,
    /// The admin address: all routes.
    Admin,
}

impl ApiKey {
    /// Returns whether the key has a scope.
    pub fn allows(&self, scope: Scope) -> bool {
        self.allow.contains(&scope)
    }
}

impl KeyHash {
    /// Hashes a secret.
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Returns the bytes of the hash.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Error message for any other text.
    pub(super) const EXPECTED: &str = "expected \"sha256:\" followed by 64 hexadecimal digits: the hash that \
        `paddock key new NAME` prints with the secret";

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(HASH_PREFIX)?.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16)?;
                *byte = *byte << 4 | u8::try_from(digit).ok()?;
            }
        }
        Some(Self(hash))
    }
}

impl std::fmt::Display for KeyHash {
    /// As it is written in the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Scope {
    /// Returns the scope's name in the configuration file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Control => "control",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "inference" => Ok(Self::Inference),
            "control" => Ok(Self::Control),
            "metrics" => Ok(Self::Metrics),
            "admin" => Ok(Self::Admin),
            other => Err(format!(
                "expected \"inference\", \"control\", \"metrics\" or \"admin\", found `{}`{}",
                other.escape_debug(),
                did_you_mean(other, &SCOPE_NAMES)
            )),
        }
    }
}

/// Returns why a text cannot be a key's name; `None` if it can.
pub fn key_name_error(name: &str) -> Option<String> {
    let odd = |char: &char| !char.is_ascii_alphanumeric() && !"-_".contains(*char);
    match name {
        "" => Some("a key's name must not be empty".to_owned()),
        name if name.len() > MAX_NAME_BYTES => {
            Some(format!("a key's name must have at most {MAX_NAME_BYTES} characters"))
        }
        name => name.chars().find(odd).map(|odd| {
            format!(
                "the name `{}` contains {odd:?}; a key's name may contain only letters, digits, - and _",
                name.escape_debug()
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_shown() {
        let hash = KeyHash::from_secret(b"abc");
        let shown = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), shown);
        assert_eq!(KeyHash::parse(shown), Some(hash));
        let upper = shown.to_uppercase().replace("SHA256", "sha256");
        assert_eq!(KeyHash::parse(&upper), Some(hash));
        for wrong in [
            "",
            "x",
            "sha256:",
            &shown[1..],
            &shown[..70],
            &shown.replace("ba", "+a"),
        ] {
            assert_eq!(KeyHash::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_of_few_letters() {
        for right in ["a", "Alice-2_b", &"x".repeat(64)] {
            assert_eq!(key_name_error(right), None);
        }
        for wrong in ["", "a b", "a.b", "ä", "a\u{1b}[2J", &"x".repeat(65)] {
            assert!(key_name_error(wrong).is_some(), "{wrong:?}");
        }
    }
}
