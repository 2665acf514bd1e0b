//! The reasons that a repository cannot be read, with what to do.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use paddock_models::{RepoName, RepoPathError};

use super::TokenError;
use super::listing::ListingError;
use crate::error::{HttpError, TransferError};

/// The reason that a repository cannot be read or a model cannot be pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The access token is not usable.
    #[error(transparent)]
    Token(Arc<TokenError>),
    /// The hub cannot be reached, or refuses.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file cannot be downloaded.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The repository's terms have not been accepted.
    #[error("{repo} is only for users who have accepted its terms")]
    Gated {
        /// The repository.
        repo: RepoName,
        /// True if a token was sent.
        has_token: bool,
    },
    /// The hub has no such repository, or hides it.
    #[error("there is no repository {repo}, or it is private")]
    NotFound {
        /// The repository.
        repo: RepoName,
        /// True if a token was sent.
        has_token: bool,
    },
    /// The hub does not accept the token.
    #[error("the hub does not accept the access token")]
    TokenRefused,
    /// The repository's description is not usable.
    #[error("the hub describes {repo} in an unexpected way: {cause}")]
    Listing {
        /// The repository.
        repo: RepoName,
        /// Cause.
        cause: String,
    },
    /// The name of a model file is refused.
    #[error("{repo} is refused: {cause}")]
    Path {
        /// The repository.
        repo: RepoName,
        /// Cause.
        cause: RepoPathError,
    },
    /// The header of a model file cannot be read.
    #[error("the file {0}")]
    Header(#[from] paddock_gguf::Error),
    /// A finished file cannot be entered into the cache.
    #[error("cannot write to {}: {cause}", path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Cause.
        cause: io::Error,
    },
}

impl HubError {
    pub(super) fn from_listing(repo: &RepoName, error: ListingError) -> Self {
        let repo = repo.clone();
        match error {
            ListingError::Unexpected(cause) => Self::Listing { repo, cause },
            ListingError::Path(cause) => Self::Path { repo, cause },
        }
    }

    /// Explains an answer of the hub. Its `X-Error-Code` decides, then the status: the hub answers 401 for a repository
    /// that does not exist, so as not to tell which private ones do.
    pub(super) fn from_http(repo: &RepoName, has_token: bool, error: HttpError) -> Self {
        let HttpError::Status(answer) = &error else {
            return Self::Http(error);
        };
        let repo = repo.clone();
        match (answer.code.as_deref(), answer.status) {
            (Some("GatedRepo"), _) | (None, StatusCode::FORBIDDEN) => {
                Self::Gated { repo, has_token }
            }
            (Some("RepoNotFound"), _) | (None, StatusCode::NOT_FOUND) => {
                Self::NotFound { repo, has_token }
            }
            (None, StatusCode::UNAUTHORIZED) if has_token => Self::TokenRefused,
            (None, StatusCode::UNAUTHORIZED) => Self::NotFound { repo, has_token },
            _ => Self::Http(error),
        }
    }

    /// Explains a failed transfer.
    pub(super) fn from_transfer(repo: &RepoName, has_token: bool, error: TransferError) -> Self {
        match error {
            TransferError::Http(error) => Self::from_http(repo, has_token, error),
            other => Self::Transfer(other),
        }
    }

    /// Returns advice, if there is any.
    pub fn help(&self) -> Option<String> {
        let token = "set HF_TOKEN to a token of https://huggingface.co/settings/tokens";
        Some(match self {
            Self::Gated {
                repo,
                has_token: false,
            } => {
                format!("accept its terms at https://huggingface.co/{repo}, then {token}")
            }
            Self::Gated {
                repo,
                has_token: true,
            } => format!(
                "accept its terms at https://huggingface.co/{repo} with the account of the token, and give the token \
                 read access to gated repositories"
            ),
            Self::NotFound {
                has_token: false, ..
            } => {
                format!("check the spelling; for a private repository, {token}")
            }
            Self::NotFound {
                has_token: true, ..
            } => "check the spelling, and whether the token's account may read it".to_owned(),
            Self::Http(HttpError::Connect { .. })
            | Self::Transfer(TransferError::Http(HttpError::Connect { .. })) => {
                "check the network; behind a proxy, set HTTPS_PROXY; for another hub, set HF_ENDPOINT".to_owned()
            }
            Self::Http(HttpError::Tls { .. })
            | Self::Transfer(TransferError::Http(HttpError::Tls { .. })) => {
                "if a proxy of this network inspects TLS, set SSL_CERT_FILE to a file with its root certificate"
                    .to_owned()
            }
            Self::TokenRefused => format!("{token}, or unset it for public repositories"),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StatusError;

    #[test]
    fn the_hubs_refusals_are_explained() {
        let repo = RepoName::parse("u/r").unwrap();
        for (status, code, has_token, expected) in [
            (
                403,
                Some("GatedRepo"),
                false,
                "accept its terms at https://huggingface.co/u/r, then set HF_TOKEN",
            ),
            (
                401,
                Some("GatedRepo"),
                true,
                "with the account of the token",
            ),
            (403, None, false, "accept its terms"),
            (
                401,
                Some("RepoNotFound"),
                false,
                "check the spelling; for a private",
            ),
            (404, None, true, "check the spelling, and whether"),
            (401, None, false, "check the spelling; for a private"),
            (401, None, true, "or unset it"),
            (404, Some("EntryNotFound"), true, ""),
            (500, None, true, ""),
        ] {
            let answer = StatusError {
                url: String::new(),
                status: StatusCode::from_u16(status).unwrap(),
                message: None,
                code: code.map(str::to_owned),
                retry_after: None,
            };
            let error = HubError::from_http(&repo, has_token, HttpError::Status(Box::new(answer)));
            let help = error.help().unwrap_or_default();
            assert!(help.contains(expected), "{status} {code:?}: {help}");
            assert_eq!(help.is_empty(), expected.is_empty());
        }
    }
}
