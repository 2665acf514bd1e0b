//! Derives the route of a request from its path.

/// Route of a request, from a fixed list, so that the labels of metrics stay bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/responses`
    Responses,
    /// `/v1/messages`
    Messages,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/rerank`
    Rerank,
    /// `/completion`
    Completion,
    /// `/infill`
    Infill,
    /// `/v1/messages/count_tokens`
    CountTokens,
    /// `/tokenize`
    Tokenize,
    /// `/detokenize`
    Detokenize,
    /// `/apply-template`
    ApplyTemplate,
    /// `/props`
    Props,
    /// `/slots`
    Slots,
    /// `/health`
    Health,
    /// `/v1/models`
    Models,
    /// `/metrics`
    Metrics,
    /// Any other route.
    Other,
}

impl Route {
    /// Returns the route of a path by its end; the beginning names a version or a model.
    pub fn from_path(path: &[u8]) -> Self {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (before, last) = path.split_at(cut.map_or(0, |at| at + 1));
        match last {
            b"completions" if before.ends_with(b"/chat/") => Self::ChatCompletions,
            b"completions" => Self::Completions,
            b"responses" => Self::Responses,
            b"messages" => Self::Messages,
            b"embeddings" | b"embedding" => Self::Embeddings,
            b"rerank" | b"reranking" => Self::Rerank,
            b"completion" => Self::Completion,
            b"infill" => Self::Infill,
            b"count_tokens" | b"input_tokens" => Self::CountTokens,
            b"tokenize" => Self::Tokenize,
            b"detokenize" => Self::Detokenize,
            b"apply-template" => Self::ApplyTemplate,
            b"props" => Self::Props,
            b"slots" => Self::Slots,
            b"health" => Self::Health,
            b"models" => Self::Models,
            b"metrics" => Self::Metrics,
            _ if before.ends_with(b"/slots/") => Self::Slots,
            _ if before.starts_with(b"/v1/models/") => Self::Models,
            _ => Self::Other,
        }
    }

    /// Returns true if the model has to compute.
    pub fn is_inference(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Responses
                | Self::Messages
                | Self::Embeddings
                | Self::Rerank
                | Self::Completion
                | Self::Infill
        )
    }

    /// Returns the name used in metrics and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Completion => "completion",
            Self::Infill => "infill",
            Self::CountTokens => "count_tokens",
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
            Self::ApplyTemplate => "apply_template",
            Self::Props => "props",
            Self::Slots => "slots",
            Self::Health => "health",
            Self::Models => "models",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_in_what_is_asked_for() {
        for (path, route) in [
            ("/v1/chat/completions", "chat_completions"),
            ("/chat/completions/", "chat_completions"),
            ("/upstream/org/m/v1/chat/completions", "chat_completions"),
            ("/v1/completions", "completions"),
            ("/completion", "completion"),
            ("/v1/responses", "responses"),
            ("/v1/messages", "messages"),
            ("/v1/messages/count_tokens", "count_tokens"),
            ("/v1/responses/input_tokens", "count_tokens"),
            ("/v1/embeddings", "embeddings"),
            ("/embedding", "embeddings"),
            ("/v1/rerank", "rerank"),
            ("/slots/3", "slots"),
            ("/v1/models/m", "models"),
            ("/v1/health", "health"),
            ("/", "other"),
            ("", "other"),
            ("*", "other"),
            ("/completionss", "other"),
        ] {
            assert_eq!(Route::from_path(path.as_bytes()).as_str(), route, "{path}");
        }
    }
}
