use super::Route;

/// What a model is asked to do, as OpenTelemetry tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Chat completion.
    Chat,
    /// Text completion.
    TextCompletion,
    /// Embeddings.
    Embeddings,
    /// It has no name for this.
    Rerank,
}

impl Operation {
    /// What is asked for by a route. Nothing that a model would do is asked for by the others.
    pub(crate) fn of(route: Route) -> Option<Self> {
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

    /// Its name in spans and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
        }
    }
}
