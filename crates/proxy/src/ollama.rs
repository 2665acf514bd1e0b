//! Recognises routes of Ollama's own API, which paddock refuses: clients probe them on any address they are given.

/// Paths of github.com/ollama/ollama, `docs/api.md`. Not all of `/api/`: a later llama-server may have routes
/// there.
const OLLAMA_PATHS: [&str; 13] = [
    "/api/chat",
    "/api/copy",
    "/api/create",
    "/api/delete",
    "/api/embed",
    "/api/embeddings",
    "/api/generate",
    "/api/ps",
    "/api/pull",
    "/api/push",
    "/api/show",
    "/api/tags",
    "/api/version",
];

/// Prefix of the path of an uploaded model layer; the path ends in the layer's digest.
const BLOB_PATH_PREFIX: &[u8] = b"/api/blobs/";

/// Returns true for a path of Ollama's API.
pub(super) fn is_ollama_path(path: &[u8]) -> bool {
    path.starts_with(b"/api/")
        && (path.starts_with(BLOB_PATH_PREFIX)
            || OLLAMA_PATHS.iter().any(|known| path == known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_ollamas() {
        for path in ["/api/tags", "/api/generate", "/api/blobs/sha256:00"] {
            assert!(is_ollama_path(path.as_bytes()), "{path}");
        }
        for path in ["/api", "/api/", "/api/props", "/api/tags/x", "/v1/api/tags"] {
            assert!(!is_ollama_path(path.as_bytes()), "{path}");
        }
    }
}
