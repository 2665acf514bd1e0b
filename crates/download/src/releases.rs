//! Lists the releases of a GitHub repository, by its REST API
//! (<https://docs.github.com/en/rest/releases/releases>).

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::HttpError;
use crate::{HttpClient, parse_sha256};

/// The releases that a feed lists.
#[derive(Debug, Clone)]
pub struct Releases {
    client: HttpClient,
    feed: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The tag, such as `b11434`.
    pub tag: String,
    /// The time of publication, as the feed writes it.
    pub published: Option<String>,
    /// The address of the source as a gzipped tar archive.
    pub source: Option<String>,
    /// The files.
    pub assets: Vec<Asset>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The file's name.
    pub name: String,
    /// The address of the file.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// The digest, if the feed states it.
    pub sha256: Option<[u8; 32]>,
}

impl Releases {
    /// Creates a reader of a feed, such as `https://api.github.com/repos/ggml-org/llama.cpp/releases`.
    pub fn new(client: HttpClient, feed: impl Into<String>) -> Self {
        let feed = feed.into().trim_end_matches('/').to_owned();
        Self { client, feed }
    }

    /// Returns the release that the feed calls the latest.
    ///
    /// # Errors
    ///
    /// Any [`HttpError`].
    pub async fn latest(&self) -> Result<Release, HttpError> {
        let release: FeedRelease = self.get("/latest").await?;
        Ok(release.into())
    }

    /// Returns the newest releases.
    ///
    /// # Errors
    ///
    /// Any [`HttpError`].
    pub async fn list(&self) -> Result<Vec<Release>, HttpError> {
        let releases: Vec<FeedRelease> = self.get("?per_page=30").await?;
        Ok(releases.into_iter().map(Release::from).collect())
    }

    /// Returns the release of a tag.
    ///
    /// # Errors
    ///
    /// Any [`HttpError`]; status 404 if there is no such release.
    pub async fn by_tag(&self, tag: &str) -> Result<Release, HttpError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
        if tag.is_empty() || !tag.bytes().all(is_plain) {
            let (url, cause) = (self.feed.clone(), format!("`{tag}` is not a tag"));
            return Err(HttpError::Unexpected { url, cause });
        }
        let release: FeedRelease = self.get(&format!("/tags/{tag}")).await?;
        Ok(release.into())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, HttpError> {
        let mut fields = HeaderMap::new();
        let json = HeaderValue::from_static("application/vnd.github+json");
        fields.insert(ACCEPT, json);
        let url = format!("{}{path}", self.feed);
        let body = self.client.get_small(&url, &fields).await?;
        serde_json::from_slice(&body).map_err(|error| HttpError::Unexpected {
            url,
            cause: error.to_string(),
        })
    }
}

#[derive(Debug, Deserialize)]
struct FeedRelease {
    tag_name: String,
    published_at: Option<String>,
    tarball_url: Option<String>,
    #[serde(default)]
    assets: Vec<FeedAsset>,
}

#[derive(Debug, Deserialize)]
struct FeedAsset {
    name: String,
    browser_download_url: String,
    size: u64,
    /// `sha256:` and 64 digits; absent for assets uploaded before June 2025.
    digest: Option<String>,
}

impl From<FeedRelease> for Release {
    fn from(release: FeedRelease) -> Self {
        Self {
            tag: release.tag_name,
            published: release.published_at,
            source: release.tarball_url,
            assets: release.assets.into_iter().map(Asset::from).collect(),
        }
    }
}

impl From<FeedAsset> for Asset {
    fn from(asset: FeedAsset) -> Self {
        let digest = asset.digest.as_deref();
        Self {
            sha256: digest.and_then(|text| parse_sha256(text.strip_prefix("sha256:")?)),
            name: asset.name,
            url: asset.browser_download_url,
            size: asset.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_with_its_digests() {
        let digest = "ab".repeat(32);
        let json = format!(
            r#"{{"tag_name":"b1","published_at":"2026-01-01T00:00:00Z","draft":false,"assets":[
                {{"name":"a.zip","browser_download_url":"https://x/a.zip","size":5,"digest":"sha256:{digest}"}},
                {{"name":"b.zip","browser_download_url":"https://x/b.zip","size":6,"digest":null}},
                {{"name":"c.zip","browser_download_url":"https://x/c.zip","size":7,"digest":"md5:00"}}]}}"#
        );
        let release: FeedRelease = serde_json::from_str(&json).unwrap();
        let release = Release::from(release);
        let digests: Vec<_> = release.assets.iter().map(|asset| asset.sha256).collect();
        assert_eq!(digests, [Some([0xab; 32]), None, None]);
        assert_eq!((&*release.tag, release.assets[2].size), ("b1", 7));
    }
}
