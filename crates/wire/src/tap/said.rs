use super::Usage;
use super::members::{Number, Wanted, Within};
use std::time::Duration;

/// What a document states, or the documents of a stream together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    numbers: [u64; Number::COUNT],
    /// Which of the numbers are stated, a bit each.
    stated: u16,
    /// It holds one of several answers beside the first.
    pub(super) several: bool,
    /// It holds llama-server's own sign of the end.
    pub(super) stop: bool,
    /// It holds an error.
    pub(super) error: bool,
    /// A stream's event of this content counts.
    pub(super) counts: bool,
}

const _: () = assert!(Number::COUNT <= u16::BITS as usize);

const fn bit(number: Number) -> u16 {
    1 << number as u16
}

/// The numbers that a `usage` states.
const USAGE: u16 = bit(Number::PromptTokens)
    | bit(Number::CompletionTokens)
    | bit(Number::CachedTokens)
    | bit(Number::InputTokens)
    | bit(Number::OutputTokens)
    | bit(Number::CacheRead)
    | bit(Number::CacheCreation);

/// The numbers that llama-server's `timings` state.
const TIMINGS: u16 = bit(Number::PromptN)
    | bit(Number::CacheN)
    | bit(Number::PredictedN)
    | bit(Number::PromptTime)
    | bit(Number::PredictedTime);

impl Said {
    /// A member that is read as this begins.
    pub(super) fn named(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Count(number) | Wanted::Time(number) => self.set(number, None),
            Wanted::Inside(within) => self.begin(within),
            Wanted::Stop => self.stop = false,
            Wanted::Nothing | Wanted::Index | Wanted::Error => {}
        }
        self.counts |= wanted.makes_an_event_count();
    }

    /// Its value is a number, true, false or null.
    pub(super) fn scalar(&mut self, wanted: Wanted, text: &[u8]) {
        match wanted {
            Wanted::Count(number) => self.set(number, count(text)),
            Wanted::Time(number) => self.set(number, nanoseconds(text)),
            Wanted::Index => self.several |= count(text) != Some(0),
            Wanted::Stop => self.stop = text == b"true",
            Wanted::Error => self.error |= text != b"null",
            Wanted::Nothing | Wanted::Inside(_) => {}
        }
    }

    fn set(&mut self, number: Number, value: Option<u64>) {
        if let (Some(place), Some(value)) = (self.numbers.get_mut(number as usize), value) {
            *place = value;
            self.stated |= bit(number);
        } else {
            self.stated &= !bit(number);
        }
    }

    fn get(&self, number: Number) -> Option<u64> {
        let stated = self.stated & bit(number) != 0;
        self.numbers
            .get(number as usize)
            .copied()
            .filter(|_| stated)
    }

    /// Another object of this kind begins: of two members of one name, the last counts.
    fn begin(&mut self, within: Within) {
        self.stated &= !match within {
            Within::Usage | Within::StartUsage => USAGE,
            Within::Details => bit(Number::CachedTokens),
            Within::Timings => TIMINGS,
            _ => 0,
        };
    }

    /// Takes over what a stream's next event states.
    pub(super) fn take(&mut self, event: &Self) {
        // One answer has one usage of this form.
        let again = |number| self.get(number).is_some() && event.get(number).is_some();
        let again = again(Number::PromptTokens) || again(Number::CompletionTokens);
        self.several |= event.several || again;
        self.stop |= event.stop;
        self.error |= event.error;
        for (at, (mine, new)) in self.numbers.iter_mut().zip(event.numbers).enumerate() {
            if event.stated & (1 << at) != 0 {
                *mine = new;
            }
        }
        self.stated |= event.stated;
    }

    /// What that means.
    pub(super) fn usage(&self) -> Usage {
        if self.several {
            return Usage::default();
        }
        // Before the first token, the timings are of a part of the prompt.
        let past_prompt = self.stop || self.get(Number::PredictedN).is_some_and(|n| n > 0);
        let timed = |number| self.get(number).filter(|_| past_prompt);
        let prompt = self
            .get(Number::PromptTokens)
            .or_else(|| self.input_tokens())
            .or_else(|| self.get(Number::TokensEvaluated))
            .or_else(|| timed(Number::PromptN)?.checked_add(self.get(Number::CacheN)?));
        Usage {
            prompt_tokens: prompt,
            cached_tokens: self
                .get(Number::CachedTokens)
                .or_else(|| self.get(Number::CacheRead))
                .or_else(|| self.get(Number::CacheN)),
            generated_tokens: self
                .get(Number::CompletionTokens)
                .or_else(|| self.get(Number::OutputTokens))
                .or_else(|| self.get(Number::TokensPredicted))
                .or_else(|| self.get(Number::PredictedN)),
            prompt_time: timed(Number::PromptTime).map(Duration::from_nanos),
            generation_time: timed(Number::PredictedTime).map(Duration::from_nanos),
        }
    }

    /// Anthropic counts what the cache served apart, `OpenAI`'s Responses count it in.
    fn input_tokens(&self) -> Option<u64> {
        let apart = |number| self.get(number).unwrap_or(0);
        self.get(Number::InputTokens)?
            .checked_add(apart(Number::CacheRead))?
            .checked_add(apart(Number::CacheCreation))
    }
}

fn count(text: &[u8]) -> Option<u64> {
    let (first, rest) = text.split_first()?;
    rest.iter().try_fold(digit(*first)?, |number, next| {
        number.checked_mul(10)?.checked_add(digit(*next)?)
    })
}

fn digit(byte: u8) -> Option<u64> {
    byte.is_ascii_digit().then(|| u64::from(byte - b'0'))
}

/// Milliseconds as a decimal.
fn nanoseconds(text: &[u8]) -> Option<u64> {
    let milliseconds: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    let time = Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?;
    u64::try_from(time.as_nanos()).ok()
}
