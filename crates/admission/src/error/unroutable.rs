//! Errors for requests that name no model and that paddock cannot route.

/// Reason, in the request itself, why paddock can forward the request to no model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unroutable {
    /// A client speaks the protocol of Ollama.
    #[error(
        "paddock does not serve Ollama's API, and loaded no model for this request; configure the client for the \
         OpenAI API, at this address followed by /v1 (POST /v1/chat/completions, GET /v1/models)"
    )]
    OllamaApi,
    /// Neither paddock nor llama-server has the path, and no model is named.
    #[error(
        "unknown route, and no model is named to forward it to; the APIs of OpenAI and Anthropic are \
         under /v1, such as /v1/chat/completions, and the routes of one model under /upstream/MODEL/"
    )]
    UnknownRoute,
    /// Only the body could name a model, and it is compressed.
    #[error(
        "the body is compressed (Content-Encoding: {0}), so paddock cannot read the model's name in it; send it \
         uncompressed, or send the name in the header `x-paddock-model` or as `?model=`: then paddock forwards \
         the body without reading it"
    )]
    EncodedBody(String),
    /// Only the body could name a model, and it is not JSON.
    #[error(
        "the body is not valid JSON ({0}), so paddock cannot read the model's name in it; correct the body, or \
         send the name in the header `x-paddock-model` or as `?model=`: then paddock forwards the body without \
         reading it"
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
