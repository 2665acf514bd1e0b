//! Which members of an answer count, and where they stand.

/// An array or object that is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// The document itself.
    Top,
    /// `choices`, an array.
    Choices,
    /// One of `choices`.
    Choice,
    /// `usage`, of any dialect.
    Usage,
    /// `message.usage` of an Anthropic stream's first event, where `output_tokens` is not yet known.
    StartUsage,
    /// `prompt_tokens_details` or `input_tokens_details`.
    Details,
    /// llama-server's `timings`.
    Timings,
    /// The `message` of an Anthropic stream's first event.
    Message,
    /// The `response` of an `OpenAI` Responses event.
    Response,
}

/// A number that an answer may state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    PromptTokens,
    CompletionTokens,
    CachedTokens,
    InputTokens,
    OutputTokens,
    CacheRead,
    CacheCreation,
    PromptN,
    CacheN,
    PredictedN,
    /// In nanoseconds, as all times here.
    PromptTime,
    PredictedTime,
    TokensEvaluated,
    TokensPredicted,
}

impl Number {
    /// How many there are.
    pub(super) const COUNT: usize = Self::TokensPredicted as usize + 1;
}

/// What a member's value is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    Count(Number),
    /// Milliseconds, as a decimal.
    Time(Number),
    /// Which of several answers this is.
    Index,
    /// llama-server's own sign of the end: true.
    Stop,
    /// Anything but null.
    Error,
    Inside(Within),
}

impl Wanted {
    /// Whether a stream's event counts because of this member.
    pub(super) fn makes_an_event_count(self) -> bool {
        let inside = matches!(
            self,
            Self::Inside(Within::Usage | Within::StartUsage | Within::Timings)
        );
        inside || self == Self::Error
    }
}

/// The members whose events count, as they stand in the bytes: an event of a stream without any
/// of these is not read. A quote within a JSON string has a backslash before it, so what a model
/// writes is not mistaken for them.
pub(super) const SIGNS: [&[u8]; 3] = [b"\"usage\"", b"\"timings\"", b"\"error\""];

/// What the member of this name is read as. Names are compared as they stand: one with an escape
/// in it is none of these.
pub(super) fn wanted(within: Within, name: &[u8]) -> Wanted {
    match within {
        Within::Top => top(name),
        Within::Choice if name == b"index" => Wanted::Index,
        Within::Message if name == b"usage" => Wanted::Inside(Within::StartUsage),
        Within::Usage => usage(name),
        Within::StartUsage if name != b"output_tokens" => usage(name),
        Within::Details if name == b"cached_tokens" => Wanted::Count(Number::CachedTokens),
        Within::Timings => timings(name),
        Within::Response => match name {
            b"usage" => Wanted::Inside(Within::Usage),
            b"error" => Wanted::Error,
            _ => Wanted::Nothing,
        },
        _ => Wanted::Nothing,
    }
}

fn top(name: &[u8]) -> Wanted {
    match name {
        b"usage" => Wanted::Inside(Within::Usage),
        b"timings" => Wanted::Inside(Within::Timings),
        b"message" => Wanted::Inside(Within::Message),
        b"response" => Wanted::Inside(Within::Response),
        b"choices" => Wanted::Inside(Within::Choices),
        b"error" => Wanted::Error,
        b"index" => Wanted::Index,
        b"stop" => Wanted::Stop,
        b"tokens_evaluated" => Wanted::Count(Number::TokensEvaluated),
        b"tokens_predicted" => Wanted::Count(Number::TokensPredicted),
        _ => Wanted::Nothing,
    }
}

fn usage(name: &[u8]) -> Wanted {
    Wanted::Count(match name {
        b"prompt_tokens" => Number::PromptTokens,
        b"completion_tokens" => Number::CompletionTokens,
        b"input_tokens" => Number::InputTokens,
        b"output_tokens" => Number::OutputTokens,
        b"cache_read_input_tokens" => Number::CacheRead,
        b"cache_creation_input_tokens" => Number::CacheCreation,
        b"prompt_tokens_details" | b"input_tokens_details" => {
            return Wanted::Inside(Within::Details);
        }
        _ => return Wanted::Nothing,
    })
}

fn timings(name: &[u8]) -> Wanted {
    match name {
        b"prompt_n" => Wanted::Count(Number::PromptN),
        b"cache_n" => Wanted::Count(Number::CacheN),
        b"predicted_n" => Wanted::Count(Number::PredictedN),
        b"prompt_ms" => Wanted::Time(Number::PromptTime),
        b"predicted_ms" => Wanted::Time(Number::PredictedTime),
        _ => Wanted::Nothing,
    }
}
