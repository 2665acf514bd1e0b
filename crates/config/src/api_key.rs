//! An API key as it is configured: what whoever has it may do.

use sha2::{Digest, Sha256};

use super::Expiry;
use super::hint::did_you_mean;

/// Bytes of a key's name at most.
const NAME: usize = 64;

/// What stands before the digits of a hash.
const ALGORITHM: &str = "sha256:";

const SCOPES: [&str; 4] = ["inference", "control", "metrics", "admin"];

/// An API key: who shows the secret of this hash may do this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is called in lists and messages: letters, digits, `-` and `_`, 64 at most.
    pub name: String,
    /// The hash of its secret; no two keys have the same.
    pub hash: KeyHash,
    /// What it is for; at least one.
    pub allow: Vec<Scope>,
    /// The models it may use, by their `id`; `None` for all there are.
    pub models: Option<Vec<String>>,
    /// From when on it is refused; `None` for never.
    pub expires: Option<Expiry>,
    /// How many of its requests may be under way at once; 0 for any number.
    pub max_concurrent: u32,
    /// How many requests it may begin in a minute; 0 for any number.
    pub requests_per_minute: u32,
    /// How many tokens, of prompts and answers together, it may use in a minute; 0 for any number.
    pub tokens_per_minute: u32,
}

/// The SHA-256 of a key's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

/// What a key may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The public address: what models answer.
    Inference,
    /// The public address: the routes that change or inspect a model's server
    /// (`upstream_routes.rs`).
    Control,
    /// `/metrics`, on the admin address and of a model's server on the public one.
    Metrics,
    /// The admin address: everything there.
    Admin,
}

impl ApiKey {
    /// Whether it is for this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.allow.contains(&scope)
    }
}

impl KeyHash {
    /// The hash of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is said of anything else.
    pub(super) const EXPECTED: &str = "expected \"sha256:\" and 64 hexadecimal digits, the hash of the \
                                       secret, as `paddock key new NAME` prints it";

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(ALGORITHM)?.as_bytes();
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
        f.write_str(ALGORITHM)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Scope {
    /// Its word in the file.
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
                did_you_mean(other, &SCOPES)
            )),
        }
    }
}

/// Says what keeps a text from being a key's name.
pub fn bad_key_name(name: &str) -> Option<String> {
    let odd = |char: &char| !char.is_ascii_alphanumeric() && !"-_".contains(*char);
    match name {
        "" => Some("a key's name has at least one letter".to_owned()),
        name if name.len() > NAME => Some(format!("a key's name has at most {NAME} letters")),
        name => name.chars().find(odd).map(|odd| {
            format!(
                "the name `{}` contains {odd:?}; letters, digits, - and _ make a key's name",
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
        let hash = KeyHash::of(b"abc");
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
            assert_eq!(bad_key_name(right), None);
        }
        for wrong in ["", "a b", "a.b", "ä", "a\u{1b}[2J", &"x".repeat(65)] {
            assert!(bad_key_name(wrong).is_some(), "{wrong:?}");
        }
    }
}
