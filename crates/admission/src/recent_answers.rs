//! Stores the token counts of a model's latest answers, which the request path writes and the runtime reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of answers that are kept. New answers overwrite the oldest.
const CAPACITY: usize = 64;

/// Number of bits of each count. Answers with a count above 2,097,151 are not recorded.
const COUNT_BITS: u32 = 21;

const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Token counts of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTokens {
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Tokens of the prompt that the child did not read because a slot or its prompt cache had them.
    pub cached: u32,
    /// Tokens that the child generated.
    pub generated: u32,
}

/// A ring buffer of the latest answers. Each answer is one atomic word, so a reader never sees a mix of two answers.
#[derive(Debug)]
pub struct RecentAnswers {
    /// Number of answers recorded so far.
    count: AtomicU64,
    words: [AtomicU64; CAPACITY],
}

impl Default for RecentAnswers {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; CAPACITY],
        }
    }
}

impl RecentAnswers {
    /// Records an answer. Ignores an answer without prompt tokens, and an answer with a count that does not fit into
    /// the word.
    pub fn record(&self, answer: AnswerTokens) {
        let counts = [answer.prompt, answer.cached, answer.generated].map(u64::from);
        if answer.prompt == 0 || counts.iter().any(|count| *count > MAX_COUNT) {
            return;
        }
        let [prompt, cached, generated] = counts;
        let word = prompt << (2 * COUNT_BITS) | cached << COUNT_BITS | generated;
        let index = self.count.fetch_add(1, Ordering::Relaxed) % CAPACITY as u64;
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the capacity")]
        self.words[index as usize].store(word, Ordering::Release);
    }

    /// Returns the number of answers recorded so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Returns the answers after the first `seen` ones that are still kept, oldest first.
    pub fn since(&self, seen: u64) -> Vec<AnswerTokens> {
        let count = self.count();
        let first = seen.max(count.saturating_sub(CAPACITY as u64));
        let indices = first..count;
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the capacity")]
        let words = indices.map(|index| &self.words[(index % CAPACITY as u64) as usize]);
        words
            .map(|word| word.load(Ordering::Acquire))
            .filter(|word| *word != 0)
            .map(unpack)
            .collect()
    }
}

fn unpack(word: u64) -> AnswerTokens {
    let count = |shift: u32| (word >> shift & MAX_COUNT) as u32;
    AnswerTokens {
        prompt: count(2 * COUNT_BITS),
        cached: count(COUNT_BITS),
        generated: count(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = (1 << COUNT_BITS) - 1;

    fn answer(prompt: u32) -> AnswerTokens {
        AnswerTokens {
            prompt,
            cached: prompt / 2,
            generated: 7,
        }
    }

    #[test]
    fn answers_after_the_last_read_are_returned_in_order() {
        let answers = RecentAnswers::default();
        assert_eq!(answers.since(0), []);
        for prompt in [1, 2, MAX] {
            answers.record(answer(prompt));
        }
        assert_eq!(answers.count(), 3);
        assert_eq!(answers.since(0), [1, 2, MAX].map(answer));
        assert_eq!(answers.since(2), [answer(MAX)]);
        assert_eq!(answers.since(3), []);
        assert_eq!(answers.since(9), []);
    }

    #[test]
    fn the_oldest_answers_are_overwritten() {
        let answers = RecentAnswers::default();
        for prompt in 1..=100 {
            answers.record(answer(prompt));
        }
        let kept = answers.since(0);
        assert_eq!(kept.len(), CAPACITY);
        assert_eq!(kept.first(), Some(&answer(37)));
        assert_eq!(kept.last(), Some(&answer(100)));
    }

    #[test]
    fn answers_whose_counts_do_not_fit_are_ignored() {
        let answers = RecentAnswers::default();
        answers.record(answer(0));
        answers.record(answer(1 << COUNT_BITS));
        assert_eq!(answers.count(), 0);
    }
}
