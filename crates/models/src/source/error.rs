//! Mistyped sources, and the spelling that was probably meant.

use crate::variants::ENDING;
use crate::{RepoName, RepoPathError};

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Another spelling of a model of the hub.
    #[error("`{text}` is not how paddock names a model of Hugging Face")]
    Misspelled {
        /// The text.
        text: String,
        /// The right spelling.
        meant: String,
    },
    /// A name of Ollama's library.
    #[error("`{0}` looks like a name of Ollama's library, which paddock does not read")]
    OllamaName(String),
    /// Text after `hf:` that is no repository.
    #[error("`{0}` names no repository of Hugging Face")]
    RepoName(String),
    /// Text after the repository that is neither a quantisation nor a file.
    #[error("`{0}` names no quantisation after the repository")]
    Variant(String),
    /// The name of a file that is refused.
    #[error(transparent)]
    File(#[from] RepoPathError),
    /// A URL of no model file.
    #[error("{url} is not the URL of a model file: {reason}")]
    Url {
        /// The URL without credentials and query.
        url: String,
        /// The reason.
        reason: &'static str,
    },
    /// Any other text.
    #[error("`{0}` is not the source of a model")]
    Unknown(String),
}

/// Removes user name, password and query from a text that is meant as a source or contains a URL: they may be
/// credentials.
pub fn without_secrets(text: &str) -> String {
    let (scheme, rest) = match (text.split_once("://"), text.split_once(':')) {
        (Some((scheme, rest)), _) => (format!("{scheme}://"), rest),
        (None, Some(("hf", rest))) => ("hf:".to_owned(), rest),
        (None, _) => (String::new(), text),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (shown, query) = rest.split_at(end);
    // A password may contain any of the characters that separate the parts of a URL.
    if query.contains('@') {
        return format!("{scheme}…");
    }
    match shown.rsplit_once('@') {
        Some((user, host)) if scheme.ends_with('/') || user.contains(':') => {
            format!("{scheme}{host}")
        }
        _ => format!("{scheme}{shown}"),
    }
}

const SPELLINGS_HELP: &str = "write hf:USER/REPO, hf:USER/REPO:QUANT or https://HOST/FILE.gguf";

impl SourceError {
    /// Returns advice.
    pub fn help(&self) -> String {
        match self {
            Self::Misspelled { meant, .. } => format!("did you mean `{meant}`?"),
            Self::OllamaName(name) => {
                let search = name.split([':', '/']).next().unwrap_or_default();
                format!(
                    "find a repository with GGUF files at https://huggingface.co/models?library=gguf&search={search}, \
                     and write hf:USER/REPO:QUANT"
                )
            }
            Self::RepoName(_) => {
                "write hf:USER/REPO, such as hf:ggml-org/gemma-3-4b-it-GGUF".to_owned()
            }
            Self::Variant(_) => {
                "write hf:USER/REPO:QUANT, such as hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M".to_owned()
            }
            Self::File(_) | Self::Url { .. } | Self::Unknown(_) => SPELLINGS_HELP.to_owned(),
        }
    }

    /// Describes a text that has no prefix of a source.
    pub(super) fn unknown(text: &str) -> Self {
        let is_word = |word: &str| {
            let is_letter = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
            !word.is_empty() && word.chars().all(is_letter)
        };
        match text.split_once(':') {
            Some((name, tag)) if is_word(tag) && name.split('/').all(is_word) => {
                Self::OllamaName(text.to_owned())
            }
            _ => Self::Unknown(without_secrets(text)),
        }
    }
}

/// Returns the right spelling of a text that names a model of the hub in another way: the address of a page or a file,
/// or a repository without `hf:`.
pub(super) fn meant_by(text: &str) -> Option<String> {
    let bare = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let bare = bare.or_else(|| text.strip_prefix("hf://")).unwrap_or(text);
    let bare = bare.split(['?', '#']).next()?.trim_end_matches('/');
    let hosts = ["huggingface.co/", "www.huggingface.co/", "hf.co/"];
    let on_hub = hosts.iter().find_map(|host| bare.strip_prefix(host));
    let repository = match on_hub {
        Some(rest) => rest,
        None if text.starts_with("http") => return None,
        None => bare,
    };
    let mut parts = repository.splitn(3, '/');
    let (user, rest) = (parts.next()?, parts.next()?);
    let (name, quant) = rest
        .split_once(':')
        .map_or((rest, None), |(name, quant)| (name, Some(quant)));
    let repo = RepoName::parse(&format!("{user}/{name}"))?;
    match (parts.next(), quant) {
        (None, None) => Some(format!("hf:{repo}")),
        (None, Some(quant)) => Some(format!("hf:{repo}:{quant}")),
        (Some(page), None) => Some(match page_file(page) {
            Some(file) => format!("hf:{repo}:{file}"),
            None if on_hub.is_some() => format!("hf:{repo}"),
            // Any other path with two slashes.
            None => return None,
        }),
        (Some(_), Some(_)) => None,
    }
}

/// Returns the file of a page of the hub, such as `blob/main/FILE`.
fn page_file(page: &str) -> Option<&str> {
    let mut parts = page.splitn(3, '/');
    let kind = parts.next()?;
    let _branch = parts.next()?;
    let file = parts.next()?;
    (matches!(kind, "blob" | "resolve" | "raw") && file.ends_with(ENDING)).then_some(file)
}
