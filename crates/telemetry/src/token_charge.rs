//! Checks the token counts that an answer states, and computes the tokens charged to an API key.
//!
//! An answer states its own tokens, and a faulty or hostile engine may state any number. That would spoil
//! totals for good, and a key's per-minute limit would refuse it for years. So a number counts only if it is
//! plausible for the bytes that passed.

use paddock_wire::{Usage, UsageReport};
use std::time::Duration;

/// Tokens that an answer may state beyond one per byte: chat templates, images and special tokens are more
/// tokens than bytes, and an image may be given as a URL only.
const MAX_UNSEEN_TOKENS: u64 = 64 * 1024;

/// Maximum time that an answer may state.
const MAX_STATED_TIME: Duration = Duration::from_hours(24);

/// Usual bytes of text per token.
const BYTES_PER_TOKEN: u64 = 4;

/// Returns the stated numbers that are plausible for the bytes of the request's and the answer's body.
pub(super) fn plausible_usage(stated: Usage, bytes_in: u64, bytes_out: u64) -> Usage {
    let plausible = |tokens: Option<u64>, bytes: u64| {
        tokens.filter(|tokens| *tokens <= bytes.saturating_add(MAX_UNSEEN_TOKENS))
    };
    let plausible_time = |time: Option<Duration>| time.filter(|time| *time <= MAX_STATED_TIME);
    Usage {
        prompt_tokens: plausible(stated.prompt_tokens, bytes_in),
        cached_tokens: plausible(stated.cached_tokens, bytes_in),
        generated_tokens: plausible(stated.generated_tokens, bytes_out),
        prompt_time: plausible_time(stated.prompt_time),
        generation_time: plausible_time(stated.generation_time),
    }
}

/// Returns the tokens charged to a key. A plausible stated number counts. Otherwise a stream, which lacks the number
/// if its client left early, is charged one generated token per event so far. Otherwise an implausible number, or one
/// that is missing from an answer with several choices, is replaced by one token per four bytes.
pub(super) fn charged_tokens(report: &UsageReport, streams: bool, bytes_in: u64) -> u64 {
    let stated = report.usage;
    let believed = plausible_usage(stated, bytes_in, report.bytes);
    let estimate = |stated: Option<u64>, bytes: u64| match stated {
        None if !report.has_multiple_choices => 0,
        _ => bytes / BYTES_PER_TOKEN,
    };
    let prompt = believed
        .prompt_tokens
        .unwrap_or_else(|| estimate(stated.prompt_tokens, bytes_in));
    let generated = believed.generated_tokens.unwrap_or_else(|| match streams {
        true => report.events,
        false => estimate(stated.generated_tokens, report.bytes),
    });
    prompt.saturating_add(generated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_wire::BodyOutcome;

    fn report(prompt: Option<u64>, generated: Option<u64>, bytes: u64, events: u64) -> UsageReport {
        UsageReport {
            bytes,
            usage: Usage {
                prompt_tokens: prompt,
                generated_tokens: generated,
                ..Usage::default()
            },
            outcome: BodyOutcome::Open,
            has_multiple_choices: false,
            events,
        }
    }

    #[test]
    fn a_number_counts_only_if_the_bytes_can_mean_it() {
        let most = 1000 + MAX_UNSEEN_TOKENS;
        for (tokens, expected) in [
            (0, Some(0)),
            (most, Some(most)),
            (most + 1, None),
            (u64::MAX, None),
        ] {
            let stated = Usage {
                prompt_tokens: Some(tokens),
                cached_tokens: Some(tokens),
                generated_tokens: Some(tokens),
                prompt_time: Some(Duration::from_secs(1)),
                generation_time: Some(Duration::MAX),
            };
            let usage = plausible_usage(stated, 1000, 1000);
            assert_eq!(usage.prompt_tokens, expected);
            assert_eq!(usage.cached_tokens, expected);
            assert_eq!(usage.generated_tokens, expected);
            assert_eq!(usage.prompt_time, stated.prompt_time);
            assert_eq!(usage.generation_time, None);
        }
        assert_eq!(
            plausible_usage(Usage::default(), 0, u64::MAX),
            Usage::default()
        );
    }

    #[test]
    fn what_an_answer_costs() {
        let stream = |report: &UsageReport| charged_tokens(report, true, 400);
        let whole = |report: &UsageReport| charged_tokens(report, false, 400);
        // Stated.
        assert_eq!(stream(&report(Some(7), Some(5), 100, 9)), 12);
        assert_eq!(whole(&report(Some(7), Some(5), 100, 0)), 12);
        // A stream that was left before it stated anything, and one that had stated its prompt.
        assert_eq!(stream(&report(None, None, 100, 9)), 9);
        assert_eq!(stream(&report(Some(7), None, 100, 9)), 16);
        // An answer that states none.
        assert_eq!(whole(&report(None, None, 100, 0)), 0);
        // Absurd ones.
        let absurd = Some(u64::MAX);
        assert_eq!(stream(&report(absurd, absurd, 800, 9)), 109);
        assert_eq!(whole(&report(absurd, absurd, 800, 0)), 300);
        assert_eq!(whole(&report(Some(7), absurd, 800, 0)), 207);
        // Several answers in one, whose numbers are unknown.
        let mut several = report(None, None, 800, 0);
        several.has_multiple_choices = true;
        assert_eq!(whole(&several), 300);
        several.events = 9;
        assert_eq!(stream(&several), 109);
    }
}
