//! Parses the hub's description of a repository, `/api/models/REPO/revision/REVISION?blobs=true`
//! (<https://huggingface.co/docs/hub/api>).

use paddock_models::hub_cache::Commit;
use paddock_models::{FileDigest, RepoFile, RepoPathError};
use serde::Deserialize;

use super::RepoListing;

/// Maximum number of model files, the same as in a snapshot on disk.
const MAX_MODEL_FILES: usize = 10_000;

/// Maximum depth of a file's directories, the same as in a snapshot on disk, where deeper files are not found.
const MAX_DEPTH: usize = 8;

/// The reason a listing is not usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListingError {
    /// The answer is not what the API promises.
    #[error("{0}")]
    Unexpected(String),
    /// The name of a model file would leave the cache.
    #[error(transparent)]
    Path(#[from] RepoPathError),
}

#[derive(Debug, Deserialize)]
struct RepoInfo {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LfsInfo>,
}

#[derive(Debug, Deserialize)]
struct LfsInfo {
    size: Option<u64>,
    sha256: Option<String>,
}

/// Returns the repository's files. Files without a digest and files in too deep directories are left out, and so are
/// files with a refused name, unless they are model files: then the repository is hostile or damaged.
///
/// Fails if there are too many model files: sorting them into models takes a time that grows faster than their number.
pub(super) fn parse(body: &[u8]) -> Result<RepoListing, ListingError> {
    let unexpected = |error: serde_json::Error| ListingError::Unexpected(error.to_string());
    let info: RepoInfo = serde_json::from_slice(body).map_err(unexpected)?;
    let commit = Commit::parse(&info.sha);
    let commit =
        commit.ok_or_else(|| ListingError::Unexpected("its commit is no commit".to_owned()))?;
    let model_files = info.siblings.iter().filter(|sibling| is_model(sibling));
    if model_files.count() > MAX_MODEL_FILES {
        let cause = format!("it has more than {MAX_MODEL_FILES} model files");
        return Err(ListingError::Unexpected(cause));
    }
    let files = info
        .siblings
        .into_iter()
        .filter_map(|sibling| to_file(sibling).transpose());
    let files = files.collect::<Result<_, _>>()?;
    Ok(RepoListing { commit, files })
}

fn is_model(sibling: &Sibling) -> bool {
    sibling.rfilename.to_ascii_lowercase().ends_with(".gguf")
}

fn to_file(sibling: Sibling) -> Result<Option<RepoFile>, RepoPathError> {
    let is_model = is_model(&sibling);
    if sibling.rfilename.matches('/').count() > MAX_DEPTH {
        return Ok(None);
    }
    let path = match sibling.rfilename.parse() {
        Ok(path) => path,
        Err(error) if is_model => return Err(error),
        Err(_) => return Ok(None),
    };
    let (lfs_size, sha256) = sibling
        .lfs
        .map_or((None, None), |lfs| (lfs.size, lfs.sha256));
    let digest = sha256
        .or(sibling.blob_id)
        .and_then(|text| FileDigest::from_hex(&text));
    // Of a file in Git LFS, `size` is the content's, not the pointer's.
    let size = lfs_size.or(sibling.size);
    let file = digest
        .zip(size)
        .map(|(digest, size)| RepoFile { path, size, digest });
    Ok(file)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(siblings: &Value) -> Result<RepoListing, ListingError> {
        let info = json!({"sha": "a".repeat(40), "siblings": siblings});
        super::parse(info.to_string().as_bytes())
    }

    #[test]
    fn files_have_the_digest_of_their_content() {
        let listing = parse(&json!([
            {"rfilename": "m.gguf", "size": 7, "blobId": "b".repeat(40),
             "lfs": {"sha256": "c".repeat(64), "size": 7, "pointerSize": 130}},
            {"rfilename": "README.md", "size": 3, "blobId": "d".repeat(40)},
            {"rfilename": "no-digest.gguf", "size": 3},
            {"rfilename": "no-size.gguf", "blobId": "d".repeat(40)},
        ]));
        let files = listing.unwrap().files.into_iter();
        let files: Vec<_> = files
            .map(|file| (file.path.to_string(), file.size, file.digest.to_string()))
            .collect();
        let expected = [
            ("m.gguf", 7, "c".repeat(64)),
            ("README.md", 3, "d".repeat(40)),
        ];
        assert_eq!(
            files,
            expected.map(|(name, size, digest)| (name.to_owned(), size, digest))
        );
    }

    #[test]
    fn names_that_leave_the_cache_are_refused() {
        for name in [
            "../m.gguf",
            "/etc/m.gguf",
            "a/../../m.GGUF",
            "a\\m.gguf",
            "a//m.gguf",
            "a\0.gguf",
        ] {
            let listing = parse(&json!([{"rfilename": name, "size": 3, "blobId": "d".repeat(40)}]));
            assert!(
                matches!(listing, Err(ListingError::Path(_))),
                "{name:?}: {listing:?}"
            );
        }
        let other = parse(&json!([{"rfilename": "../x.md", "size": 3, "blobId": "d".repeat(40)}]));
        assert_eq!(other.unwrap().files, []);
    }

    #[test]
    fn listings_are_limited_in_number_and_depth() {
        let file = |name: String| json!({"rfilename": name, "size": 3, "blobId": "d".repeat(40)});
        let deep = [8, 9].map(|depth| file("d/".repeat(depth) + "m.gguf"));
        let listing = parse(&json!(deep)).unwrap();
        assert_eq!(listing.files.len(), 1);
        let many = |count| {
            json!(
                (0..count)
                    .map(|n| file(format!("{n}.gguf")))
                    .collect::<Vec<_>>()
            )
        };
        assert!(parse(&many(MAX_MODEL_FILES)).is_ok());
        let error = parse(&many(MAX_MODEL_FILES + 1)).unwrap_err().to_string();
        assert!(error.contains("more than 10000 model files"), "{error}");
    }

    #[test]
    fn other_answers_are_errors() {
        for body in ["", "[]", "{}", r#"{"sha":"../x","siblings":[]}"#] {
            assert!(super::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
