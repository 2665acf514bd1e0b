//! Maps routes to the operations that OpenTelemetry names, for spans and metrics.

use super::Route;

/// Operation of a model, by OpenTelemetry's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Chat completion.
    Chat,
    /// Text completion.
    TextCompletion,
    /// Embeddings.
    Embeddings,
    /// Reranking, for which OpenTelemetry has no name.
    Rerank,
}

impl Operation {
    /// Returns the operation that a route asks for; None for routes that are no inference.
    pub(crate) fn from_route(route: Route) -> Option<Self> {
        match route {
            Route::ChatCompletions | Route::Responses | Route::Messages => Some(Self::Chat),
            Route::Completions | Route::Completion | Route::Infill => Some(Self::TextCompletion),
            Route::Embeddings => Some(Self::Embeddings),
            Route::Rerank => Some(Self::Rerank),
            Route::CountTokens
            | Route::Tokenize
            | Route::Detokenize
            | Route::ApplyTemplate
            | Route::Props
            | Route::Slots
            | Route::Health
            | Route::Models
            | Route::Metrics
            | Route::Other => None,
        }
    }

    /// Returns the name used in spans and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
        }
    }
}
