//! The source of a model: a repository of the Hugging Face hub, or a URL.

mod error;
mod url;

use std::fmt;
use std::str::FromStr;

use crate::{RepoName, RepoPath};

pub use error::{SourceError, without_secrets};
pub use url::ModelUrl;

/// The prefix of a model of the hub.
const HUB_PREFIX: &str = "hf:";

/// The source of a model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelSource {
    /// `hf:USER/REPO[:QUANT]`.
    Hub(HubModel),
    /// `https://HOST/PATH.gguf`.
    Url(ModelUrl),
}

/// A model in a repository of the hub.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubModel {
    /// The repository.
    pub repo: RepoName,
    /// The quantisation, such as `Q4_K_M`, or a file of the repository; `None` to let [`choose`](crate::choose) decide.
    pub variant: Option<String>,
}

impl ModelSource {
    /// Returns whether a text looks like a source, rather than like a file or the name of a configured model.
    pub fn is_like(text: &str) -> bool {
        text.starts_with(HUB_PREFIX) || text.contains("://")
    }
}

impl FromStr for ModelSource {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if let Some(rest) = text.strip_prefix(HUB_PREFIX) {
            return hub_model(text, rest).map(Self::Hub);
        }
        if let Some(meant) = error::meant_by(text) {
            let text = without_secrets(text);
            return Err(SourceError::Misspelled { text, meant });
        }
        if text.contains("://") {
            return text.parse().map(Self::Url);
        }
        Err(SourceError::unknown(text))
    }
}

fn hub_model(text: &str, rest: &str) -> Result<HubModel, SourceError> {
    let (repo, variant) = match rest.split_once(':') {
        Some((repo, variant)) => (repo, Some(variant)),
        None => (rest, None),
    };
    let Some(repo) = RepoName::parse(repo) else {
        if let Some(meant) = error::meant_by(rest.trim_start_matches('/')) {
            let text = without_secrets(text);
            return Err(SourceError::Misspelled { text, meant });
        }
        return Err(SourceError::RepoName(without_secrets(text)));
    };
    let variant = variant
        .map(|variant| check_variant(text, variant))
        .transpose()?;
    Ok(HubModel { repo, variant })
}

fn check_variant(text: &str, variant: &str) -> Result<String, SourceError> {
    if variant.is_empty() || variant.contains(':') {
        return Err(SourceError::Variant(without_secrets(text)));
    }
    let path: RepoPath = variant.parse()?;
    Ok(path.as_str().to_owned())
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(model) => model.fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HUB_PREFIX}{}", self.repo)?;
        match &self.variant {
            Some(variant) => write!(f, ":{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
