//! The hub's access token. Read only from the environment or a file, because every user of a machine sees the flags of
//! its commands.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http::HeaderValue;

/// Longest token.
const MAX_TOKEN_BYTES: u64 = 1024;

/// An access token. Neither shown nor logged.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// The reason a token is not usable.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file exists, but cannot be read.
    #[error("cannot read the token in {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// The text is no token.
    #[error(
        "{origin} contains no valid token: a token is one word of at most {MAX_TOKEN_BYTES} ASCII characters"
    )]
    Invalid {
        /// The variable or file.
        origin: String,
    },
}

impl Token {
    /// Parses a token. Spaces and newlines around it are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word || text.len() as u64 > MAX_TOKEN_BYTES {
            return None;
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// Finds the token as `huggingface_hub` does: `HF_TOKEN`, or the file `HF_TOKEN_PATH`, `HF_HOME/token`,
    /// `XDG_CACHE_HOME/huggingface/token` or `~/.cache/huggingface/token`, where `hf auth login` writes it.
    ///
    /// # Errors
    ///
    /// The variable or the file has no valid token, or the file cannot be read.
    pub(super) fn from_env(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, TokenError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(value) = set("HF_TOKEN") {
            let token = value.to_str().and_then(Self::parse);
            let origin = "HF_TOKEN".to_owned();
            return token.map(Some).ok_or(TokenError::Invalid { origin });
        }
        let below =
            |name, path: &str| set(name).map(|directory| PathBuf::from(directory).join(path));
        let file = below("HF_TOKEN_PATH", "")
            .or_else(|| below("HF_HOME", "token"))
            .or_else(|| below("XDG_CACHE_HOME", "huggingface/token"))
            .or_else(|| below("HOME", ".cache/huggingface/token"));
        match file {
            Some(file) => Self::from_file(&file),
            None => Ok(None),
        }
    }

    fn from_file(file: &Path) -> Result<Option<Self>, TokenError> {
        // `join("")` leaves a slash at the end of a file's path.
        let path: PathBuf = file.components().collect();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(TokenError::Unreadable { path, cause }),
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let origin = path.display().to_string();
        Self::parse(&text)
            .map(Some)
            .ok_or(TokenError::Invalid { origin })
    }

    pub(super) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Option<String>, TokenError> {
        let token = Token::from_env(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })?;
        Ok(token.map(|token| token.to_header().to_str().unwrap().to_owned()))
    }

    #[test]
    fn the_token_is_where_other_programs_look_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir_all(path("home/.cache/huggingface")).unwrap();
        fs::write(path("token"), "from-hf-home\n").unwrap();
        fs::write(path("other"), " from-path ").unwrap();
        fs::write(path("home/.cache/huggingface/token"), "from-home").unwrap();
        let (hf_home, other, home) = (path(""), path("other"), path("home"));
        let all = [
            ("HF_TOKEN", "from-variable"),
            ("HF_TOKEN_PATH", &*other),
            ("HF_HOME", &*hf_home),
            ("HOME", &*home),
        ];
        let found: Vec<_> = (0..=all.len())
            .map(|skipped| find(&all[skipped..]).unwrap())
            .collect();
        let expected = ["from-variable", "from-path", "from-hf-home", "from-home"];
        let mut expected: Vec<_> = expected.map(|token| Some(format!("Bearer {token}"))).into();
        expected.push(None);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_wrong_token_is_an_error_that_does_not_show_it() {
        let error = find(&[("HF_TOKEN", "secret\nx: y")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let token = Token::parse("secret").unwrap();
        assert!(!format!("{token:?} {:?}", token.to_header()).contains("secret"));
    }
}
