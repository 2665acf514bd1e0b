//! The URL of a model file.

use std::fmt;
use std::str::FromStr;

use super::SourceError;
use super::error::without_secrets;
use crate::RepoPath;
use crate::variants::{ENDING, split_name};

/// The URL of a model file, or of the first part of a split one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelUrl {
    /// `http` or `https`.
    scheme: &'static str,
    /// `HOST[:PORT]`, in lower case.
    authority: String,
    /// The path after its first slash, percent-encoded as written.
    path: RepoPath,
    /// The text after `?`.
    query: Option<String>,
}

impl FromStr for ModelUrl {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        parse(text).map_err(|reason| SourceError::Url {
            url: without_secrets(text),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<ModelUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => "https",
        "http" => "http",
        _ => return Err("its scheme is neither https nor http"),
    };
    if rest.contains('#') {
        return Err("it has a fragment (#)");
    }
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = rest.split_once('/').ok_or("it names no file")?;
    if authority.contains('@') {
        return Err("it contains a user name or password");
    }
    let is_host = |char: char| char.is_ascii_alphanumeric() || "-._:[]".contains(char);
    if !authority.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '[')
        || !authority.chars().all(is_host)
        || !has_valid_port(authority)
    {
        return Err("it has no valid host");
    }
    let is_visible = |text: &str| text.chars().all(|char| char.is_ascii_graphic());
    if !is_visible(path) || !query.is_none_or(is_visible) {
        return Err("it contains a space or a letter that must be percent-encoded");
    }
    let path: RepoPath = path
        .parse()
        .map_err(|error: crate::RepoPathError| error.reason)?;
    // Names of parts and projectors are read with the ending in lower case only.
    if !path.file_name().ends_with(ENDING) {
        return Err("its path does not end in .gguf");
    }
    Ok(ModelUrl {
        scheme,
        authority: authority.to_ascii_lowercase(),
        path,
        query: query.map(str::to_owned),
    })
}

/// Returns false for a port that is no number; it is a password then, whose `/` or `@` ends the host too early.
fn has_valid_port(authority: &str) -> bool {
    let after_address = authority.rsplit(']').next().unwrap_or_default();
    let port = after_address.split_once(':').map(|(_, port)| port);
    port.is_none_or(|port| port.parse::<u16>().is_ok())
}

impl ModelUrl {
    /// Returns the URL to request, with its query, which may contain credentials.
    pub fn request_url(&self) -> String {
        match &self.query {
            Some(query) => format!("{self}?{query}"),
            None => self.to_string(),
        }
    }

    /// Returns the text after `?`, which may contain credentials.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns the name of the file.
    pub fn file_name(&self) -> &str {
        self.path.file_name()
    }

    /// Returns the URLs of all parts if the file's name shows that it is the first of several; otherwise the URL alone.
    pub fn parts(&self) -> Vec<Self> {
        let path = self.path.as_str();
        let Some(split) = split_name(path).filter(|split| split.index == 1) else {
            return vec![self.clone()];
        };
        let parts = (1..=split.count).filter_map(|index| {
            Some(Self {
                path: split.part(index).parse().ok()?,
                ..self.clone()
            })
        });
        parts.collect()
    }

    /// Returns the URL of the first part if the file's name shows that it is a later one; otherwise the URL itself.
    pub(crate) fn first_part(&self) -> Self {
        let first = split_name(self.path.as_str()).and_then(|split| split.part(1).parse().ok());
        Self {
            path: first.unwrap_or_else(|| self.path.clone()),
            ..self.clone()
        }
    }

    /// Returns whether the file is not a later part of a split model.
    pub(crate) fn is_first_part(&self) -> bool {
        split_name(self.path.as_str()).is_none_or(|split| split.index == 1)
    }

    /// Returns the path in the directory of files from URLs: host and path, without scheme and query.
    pub(crate) fn store_path(&self) -> RepoPath {
        let host = self.authority.replace(':', "_");
        self.path.below_component(&host)
    }
}

/// The URL without its query.
impl fmt::Display for ModelUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme, self.authority, self.path)
    }
}
