//! Requests that name no model and that paddock cannot route.

/// Reason in a request itself why it goes to no model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unroutable {
    /// A client speaks the protocol of Ollama.
    #[error(
        "Ollama's API is not served here, and no model was loaded for this request; set the client to the \
         OpenAI API, at this address with /v1 behind it (POST /v1/chat/completions, GET /v1/models)"
    )]
    OllamaApi,
    /// Neither paddock nor llama-server has the path, and no model is named.
    #[error(
        "there is no such route, and the request names no model whose server could have it; the APIs of OpenAI \
         and Anthropic are below /v1, as in /v1/chat/completions, and the routes of one model below \
         /upstream/MODEL/"
    )]
    UnknownRoute,
    /// Only the body could name a model, and it is compressed.
    #[error(
        "the body is compressed (Content-Encoding: {0}), so paddock cannot read which model the request is for; \
         send it uncompressed, or name the model as `x-paddock-model` or `?model=`: the body then passes as it is"
    )]
    EncodedBody(String),
    /// Only the body could name a model, and it is not JSON.
    #[error(
        "the body is not valid JSON: {0}; so paddock cannot read which model the request is for; correct the \
         body, or name the model as `x-paddock-model` or `?model=`: the body then passes as it is"
    )]
    InvalidJson(String),
}

impl Unroutable {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::OllamaApi | Self::UnknownRoute => 404,
            Self::EncodedBody(_) => 415,
            Self::InvalidJson(_) => 400,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::OllamaApi | Self::UnknownRoute => "unknown_route",
            Self::EncodedBody(_) => "encoded_body",
            Self::InvalidJson(_) => "invalid_json",
        }
    }
}
