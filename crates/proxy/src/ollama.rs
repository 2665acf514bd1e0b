//! The routes of Ollama's own API, which clients probe on any address they are given.

/// Paths of github.com/ollama/ollama, `docs/api.md`. The API is not `/api/` as a whole: a later llama-server may
/// have routes there.
const PATHS: [&str; 13] = [
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

/// The path of an uploaded layer ends in its digest.
const BLOBS: &[u8] = b"/api/blobs/";

/// Returns whether a path is one of Ollama's.
pub(super) fn has_route(path: &[u8]) -> bool {
    path.starts_with(b"/api/")
        && (path.starts_with(BLOBS) || PATHS.iter().any(|known| path == known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_ollamas() {
        for path in ["/api/tags", "/api/generate", "/api/blobs/sha256:00"] {
            assert!(has_route(path.as_bytes()), "{path}");
        }
        for path in ["/api", "/api/", "/api/props", "/api/tags/x", "/v1/api/tags"] {
            assert!(!has_route(path.as_bytes()), "{path}");
        }
    }
}
