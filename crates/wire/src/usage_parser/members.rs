//! Lists the JSON members of a response that the usage parser reads, by scope and name.

/// An array or object whose members are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The document itself.
    Top,
    /// `choices`, an array.
    Choices,
    /// An element of `choices`.
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
    EvaluatedPromptTokens,
    TimingsCachedTokens,
    PredictedTokens,
    /// In nanoseconds, as is `PredictedTime`.
    PromptTime,
    PredictedTime,
    TokensEvaluated,
    TokensPredicted,
}

impl Number {
    /// Number of variants.
    pub(super) const COUNT: usize = Self::TokensPredicted as usize + 1;
}

/// The interpretation of a member's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberKind {
    Nothing,
    Count(Number),
    /// Milliseconds, as a decimal.
    Time(Number),
    /// The index of a choice.
    Index,
    /// llama-server's end marker: `true`.
    Stop,
    /// An error, if the value is anything except null.
    Error,
    Inside(Scope),
}

impl MemberKind {
    /// Returns true if this member makes a stream's event relevant.
    pub(super) fn is_event_relevant(self) -> bool {
        let inside = matches!(
            self,
            Self::Inside(Scope::Usage | Scope::StartUsage | Scope::Timings)
        );
        inside || self == Self::Error
    }
}

/// The markers of relevant events, as bytes: a stream's event without any of them is not parsed. A
/// quote inside a JSON string is escaped, so generated text never matches.
pub(super) const MARKERS: [&[u8]; 3] = [b"\"usage\"", b"\"timings\"", b"\"error\""];

/// Returns the interpretation of a member. Names are compared as bytes: a name with an escape
/// matches nothing.
pub(super) fn member_kind(within: Scope, name: &[u8]) -> MemberKind {
    match within {
        Scope::Top => top_level_member(name),
        Scope::Choice if name == b"index" => MemberKind::Index,
        Scope::Message if name == b"usage" => MemberKind::Inside(Scope::StartUsage),
        Scope::Usage => usage_member(name),
        Scope::StartUsage if name != b"output_tokens" => usage_member(name),
        Scope::Details if name == b"cached_tokens" => MemberKind::Count(Number::CachedTokens),
        Scope::Timings => timings_member(name),
        Scope::Response => match name {
            b"usage" => MemberKind::Inside(Scope::Usage),
            b"error" => MemberKind::Error,
            _ => MemberKind::Nothing,
        },
        _ => MemberKind::Nothing,
    }
}

fn top_level_member(name: &[u8]) -> MemberKind {
    match name {
        b"usage" => MemberKind::Inside(Scope::Usage),
        b"timings" => MemberKind::Inside(Scope::Timings),
        b"message" => MemberKind::Inside(Scope::Message),
        b"response" => MemberKind::Inside(Scope::Response),
        b"choices" => MemberKind::Inside(Scope::Choices),
        b"error" => MemberKind::Error,
        b"index" => MemberKind::Index,
        b"stop" => MemberKind::Stop,
        b"tokens_evaluated" => MemberKind::Count(Number::TokensEvaluated),
        b"tokens_predicted" => MemberKind::Count(Number::TokensPredicted),
        _ => MemberKind::Nothing,
    }
}

fn usage_member(name: &[u8]) -> MemberKind {
    MemberKind::Count(match name {
        b"prompt_tokens" => Number::PromptTokens,
        b"completion_tokens" => Number::CompletionTokens,
        b"input_tokens" => Number::InputTokens,
        b"output_tokens" => Number::OutputTokens,
        b"cache_read_input_tokens" => Number::CacheRead,
        b"cache_creation_input_tokens" => Number::CacheCreation,
        b"prompt_tokens_details" | b"input_tokens_details" => {
            return MemberKind::Inside(Scope::Details);
        }
        _ => return MemberKind::Nothing,
    })
}

fn timings_member(name: &[u8]) -> MemberKind {
    match name {
        b"prompt_n" => MemberKind::Count(Number::EvaluatedPromptTokens),
        b"cache_n" => MemberKind::Count(Number::TimingsCachedTokens),
        b"predicted_n" => MemberKind::Count(Number::PredictedTokens),
        b"prompt_ms" => MemberKind::Time(Number::PromptTime),
        b"predicted_ms" => MemberKind::Time(Number::PredictedTime),
        _ => MemberKind::Nothing,
    }
}
