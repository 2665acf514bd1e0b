//! Reads model repositories of the Hugging Face hub, and pulls models from them into the cache that other programs
//! share.
//!
//! Reimplements the parts of `hf-hub` 1.0.0 that paddock needs, because that crate compares no digests and does not
//! resume transfers over several connections.

mod error;
mod header;
mod listing;
mod pull;
mod token;

use std::ffi::OsString;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use paddock_models::hub_cache::Commit;
use paddock_models::{RepoFile, RepoName, RepoPath};
use reqwest::Url;

use crate::HttpClient;
use crate::error::HttpError;
use crate::redirect::{is_loopback, is_same_origin};

pub use error::HubError;
pub use pull::PulledModel;
pub use token::{Token, TokenError};

/// The hub, unless `HF_ENDPOINT` names another.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The branch that is read.
const MAIN_BRANCH: &str = "main";

/// The files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoListing {
    /// The commit.
    pub commit: Commit,
    /// The files, without those whose name or digest cannot be used.
    pub files: Vec<RepoFile>,
}

/// A hub, and the token for it.
#[derive(Debug, Clone)]
pub struct Hub {
    client: HttpClient,
    endpoint: Url,
    /// An unusable token is an error once it is needed.
    token: Result<Option<Token>, Arc<TokenError>>,
}

impl Hub {
    /// Creates a client of a hub.
    ///
    /// # Errors
    ///
    /// [`HttpError::InvalidUrl`] if the endpoint is not a URL.
    pub fn new(
        client: HttpClient,
        endpoint: &str,
        token: Option<Token>,
    ) -> Result<Self, HttpError> {
        let mut endpoint = HttpClient::parse_url(endpoint)?;
        let path = endpoint.path().trim_end_matches('/').to_owned();
        endpoint.set_path(&path);
        Ok(Self {
            client,
            endpoint,
            token: Ok(token),
        })
    }

    /// Creates a client of the hub in `HF_ENDPOINT`, with the token that Hugging Face's own programs use.
    ///
    /// # Errors
    ///
    /// [`HttpError::InvalidUrl`] if the endpoint is not a URL.
    pub fn from_env(
        client: HttpClient,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HttpError> {
        let endpoint = variable("HF_ENDPOINT").and_then(|value| value.into_string().ok());
        let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
        let endpoint = endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let token = Token::from_env(&variable).map_err(Arc::new);
        let hub = Self::new(client, &endpoint, None)?;
        Ok(Self { token, ..hub })
    }

    /// Returns the HTTP client.
    pub fn client(&self) -> &HttpClient {
        &self.client
    }

    /// Lists the files of a repository's main branch.
    ///
    /// # Errors
    ///
    /// The repository cannot be read, or a model file's name is refused.
    pub async fn files(&self, repo: &RepoName) -> Result<RepoListing, HubError> {
        let url = self.url(&["api", "models"], repo, &["revision", MAIN_BRANCH]);
        let url = format!("{url}?blobs=true");
        let body = self.client.get_small(&url, &self.private_headers()?).await;
        let body = body.map_err(|error| self.explain(repo, error))?;
        listing::parse(&body).map_err(|error| HubError::from_listing(repo, error))
    }

    /// Returns the address of a file's bytes.
    fn file_url(&self, repo: &RepoName, commit: &Commit, file: &RepoPath) -> Url {
        let mut path = vec!["resolve", commit.as_str()];
        path.extend(file.as_str().split('/'));
        self.url(&[], repo, &path)
    }

    fn url(&self, prefix: &[&str], repo: &RepoName, suffix: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(prefix)
                .extend(repo.as_str().split('/'))
                .extend(suffix);
        }
        url
    }

    /// Returns the header fields for the hub's origin alone. A token does not travel without encryption, except inside
    /// this machine.
    fn private_headers(&self) -> Result<HeaderMap, HubError> {
        let mut fields = HeaderMap::new();
        let is_protected = self.endpoint.scheme() == "https" || is_loopback(&self.endpoint);
        if !is_protected {
            return Ok(fields);
        }
        match &self.token {
            Ok(Some(token)) => {
                fields.insert(AUTHORIZATION, token.to_header());
            }
            Ok(None) => {}
            Err(error) => return Err(HubError::Token(Arc::clone(error))),
        }
        Ok(fields)
    }

    /// Returns the header fields for a URL that a user has given: the token if it leads to the hub.
    pub(crate) fn headers_for(&self, url: &str) -> Result<HeaderMap, HubError> {
        let is_hub = Url::parse(url).is_ok_and(|url| is_same_origin(&url, &self.endpoint));
        if is_hub {
            self.private_headers()
        } else {
            Ok(HeaderMap::new())
        }
    }

    fn has_token(&self) -> bool {
        matches!(self.token, Ok(Some(_)))
    }

    fn explain(&self, repo: &RepoName, error: HttpError) -> HubError {
        HubError::from_http(repo, self.has_token(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_to_the_hub_alone_and_not_in_the_clear() {
        let client = HttpClient::new("test").unwrap();
        for (endpoint, url, expected) in [
            (
                "https://hub.example",
                "https://hub.example/u/r/resolve/main/m.gguf",
                true,
            ),
            (
                "https://hub.example/",
                "https://hub.example:8443/m.gguf",
                false,
            ),
            ("https://hub.example", "http://hub.example/m.gguf", false),
            ("https://hub.example", "https://other.example/m.gguf", false),
            ("http://hub.lan", "http://hub.lan/m.gguf", false),
            (
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000/m.gguf",
                true,
            ),
            ("http://localhost", "http://localhost/m.gguf", true),
        ] {
            let hub = Hub::new(client.clone(), endpoint, Token::parse("hf_x")).unwrap();
            assert_eq!(
                !hub.headers_for(url).unwrap().is_empty(),
                expected,
                "{endpoint} {url}"
            );
        }
    }

    #[test]
    fn an_unusable_token_is_an_error_only_where_it_is_needed() {
        let client = HttpClient::new("test").unwrap();
        let variable = |name: &str| match name {
            "HF_TOKEN" => Some("two words".into()),
            "HF_ENDPOINT" => Some("https://hub.example".into()),
            _ => None,
        };
        let hub = Hub::from_env(client, variable).unwrap();
        let other = hub.headers_for("http://other.example/m.gguf");
        assert!(other.unwrap().is_empty());
        let error = hub.headers_for("https://hub.example/m.gguf").unwrap_err();
        assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    }

    #[test]
    fn addresses_are_below_the_endpoint_and_escaped() {
        let client = HttpClient::new("test").unwrap();
        let hub = Hub::new(client, "https://hub.example/mirror/", None).unwrap();
        let repo = RepoName::parse("u/r").unwrap();
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let url = hub.file_url(&repo, &commit, &"Q4 K/m?#%.gguf".parse().unwrap());
        let path = format!("/mirror/u/r/resolve/{commit}/Q4%20K/m%3F%23%25.gguf");
        assert_eq!(url.as_str(), format!("https://hub.example{path}"));
    }
}
