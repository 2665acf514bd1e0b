//! The usage members of a JSON document, and their merge over the events of a stream.

use super::Usage;
use super::members::{MemberKind, Number, Scope};
use std::time::Duration;

/// The relevant members of one document, or of all documents of a stream merged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UsageFields {
    numbers: [u64; Number::COUNT],
    /// Bit set of the numbers that are stated.
    stated: u16,
    /// A choice with an index other than 0 is present.
    pub(super) has_multiple_choices: bool,
    /// llama-server's end marker is set.
    pub(super) stop: bool,
    /// An error is stated.
    pub(super) error: bool,
    /// A member that makes a stream's event relevant (`usage`, `timings` or an error) is present.
    pub(super) is_relevant: bool,
}

const _: () = assert!(Number::COUNT <= u16::BITS as usize);

/// Returns the bit of a number in `stated`.
const fn number_bit(number: Number) -> u16 {
    1 << number as u16
}

/// The numbers in a `usage`.
const USAGE_NUMBERS: u16 = number_bit(Number::PromptTokens)
    | number_bit(Number::CompletionTokens)
    | number_bit(Number::CachedTokens)
    | number_bit(Number::InputTokens)
    | number_bit(Number::OutputTokens)
    | number_bit(Number::CacheRead)
    | number_bit(Number::CacheCreation);

/// The numbers in llama-server's `timings`.
const TIMINGS_NUMBERS: u16 = number_bit(Number::EvaluatedPromptTokens)
    | number_bit(Number::TimingsCachedTokens)
    | number_bit(Number::PredictedTokens)
    | number_bit(Number::PromptTime)
    | number_bit(Number::PredictedTime);

impl UsageFields {
    /// Begins a member: of two members of one name the last wins.
    pub(super) fn begin_member(&mut self, kind: MemberKind) {
        match kind {
            MemberKind::Count(number) | MemberKind::Time(number) => self.set(number, None),
            MemberKind::Inside(within) => self.reset_scope(within),
            MemberKind::Stop => self.stop = false,
            MemberKind::Nothing | MemberKind::Index | MemberKind::Error => {}
        }
        self.is_relevant |= kind.is_event_relevant();
    }

    /// Stores the member's value, a number, `true`, `false` or `null`.
    pub(super) fn set_scalar(&mut self, kind: MemberKind, text: &[u8]) {
        match kind {
            MemberKind::Count(number) => self.set(number, parse_count(text)),
            MemberKind::Time(number) => self.set(number, parse_milliseconds(text)),
            MemberKind::Index => self.has_multiple_choices |= parse_count(text) != Some(0),
            MemberKind::Stop => self.stop = text == b"true",
            MemberKind::Error => self.error |= text != b"null",
            MemberKind::Nothing | MemberKind::Inside(_) => {}
        }
    }

    fn set(&mut self, number: Number, value: Option<u64>) {
        if let (Some(place), Some(value)) = (self.numbers.get_mut(number as usize), value) {
            *place = value;
            self.stated |= number_bit(number);
        } else {
            self.stated &= !number_bit(number);
        }
    }

    fn get(&self, number: Number) -> Option<u64> {
        let stated = self.stated & number_bit(number) != 0;
        self.numbers
            .get(number as usize)
            .copied()
            .filter(|_| stated)
    }

    /// Clears the numbers of a scope that begins again.
    fn reset_scope(&mut self, within: Scope) {
        self.stated &= !match within {
            Scope::Usage | Scope::StartUsage => USAGE_NUMBERS,
            Scope::Details => number_bit(Number::CachedTokens),
            Scope::Timings => TIMINGS_NUMBERS,
            _ => 0,
        };
    }

    /// Merges the next event of a stream.
    pub(super) fn merge_event(&mut self, event: &Self) {
        // A single choice has one usage of this form.
        let repeats = |number| self.get(number).is_some() && event.get(number).is_some();
        let repeats = repeats(Number::PromptTokens) || repeats(Number::CompletionTokens);
        self.has_multiple_choices |= event.has_multiple_choices || repeats;
        self.stop |= event.stop;
        self.error |= event.error;
        for (at, (mine, new)) in self.numbers.iter_mut().zip(event.numbers).enumerate() {
            if event.stated & (1 << at) != 0 {
                *mine = new;
            }
        }
        self.stated |= event.stated;
    }

    /// Converts the stated numbers to [`Usage`].
    pub(super) fn compute_usage(&self) -> Usage {
        if self.has_multiple_choices {
            return Usage::default();
        }
        // Before the first token, the timings cover only a part of the prompt.
        let past_prompt = self.stop || self.get(Number::PredictedTokens).is_some_and(|n| n > 0);
        let timed = |number| self.get(number).filter(|_| past_prompt);
        let prompt = self
            .get(Number::PromptTokens)
            .or_else(|| self.input_tokens())
            .or_else(|| self.get(Number::TokensEvaluated))
            .or_else(|| {
                timed(Number::EvaluatedPromptTokens)?
                    .checked_add(self.get(Number::TimingsCachedTokens)?)
            });
        Usage {
            prompt_tokens: prompt,
            cached_tokens: self
                .get(Number::CachedTokens)
                .or_else(|| self.get(Number::CacheRead))
                .or_else(|| self.get(Number::TimingsCachedTokens)),
            generated_tokens: self
                .get(Number::CompletionTokens)
                .or_else(|| self.get(Number::OutputTokens))
                .or_else(|| self.get(Number::TokensPredicted))
                .or_else(|| self.get(Number::PredictedTokens)),
            prompt_time: timed(Number::PromptTime).map(Duration::from_nanos),
            generation_time: timed(Number::PredictedTime).map(Duration::from_nanos),
        }
    }

    /// Returns all input tokens. Anthropic states cached tokens separately; `OpenAI`'s Responses
    /// include them.
    fn input_tokens(&self) -> Option<u64> {
        let or_zero = |number| self.get(number).unwrap_or(0);
        self.get(Number::InputTokens)?
            .checked_add(or_zero(Number::CacheRead))?
            .checked_add(or_zero(Number::CacheCreation))
    }
}

fn parse_count(text: &[u8]) -> Option<u64> {
    let (first, rest) = text.split_first()?;
    rest.iter().try_fold(digit(*first)?, |number, next| {
        number.checked_mul(10)?.checked_add(digit(*next)?)
    })
}

fn digit(byte: u8) -> Option<u64> {
    byte.is_ascii_digit().then(|| u64::from(byte - b'0'))
}

/// Parses decimal milliseconds; returns nanoseconds.
fn parse_milliseconds(text: &[u8]) -> Option<u64> {
    let milliseconds: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    let time = Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?;
    u64::try_from(time.as_nanos()).ok()
}
