//! The most probable next token of a conversation, with which a restored state is compared with the saved one.

/// Log-probabilities are stored as whole numbers of millionths.
const SCALE: f64 = 1e6;

/// Maximum difference between the log-probabilities of the same state in two children. Rounding depends on the batch size
/// and on the layout of the cells: the same prompt differed by 0.02 with batches of 512, 128 and 64 tokens. A state with a
/// wrong window differed by 0.33 (measured with llama.cpp b11434, gemma-3-270m).
const TOLERANCE: f64 = 0.25;

/// The most probable token after a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NextToken {
    pub(crate) id: i32,
    /// Natural logarithm of its probability.
    pub(crate) logprob: f64,
}

impl NextToken {
    /// Encodes the token for the database.
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates")]
    pub(super) fn encode(self) -> [i32; 2] {
        [self.id, (self.logprob * SCALE).round() as i32]
    }

    /// Decodes a token that [`NextToken::encode`] encoded; `None` if the data has another length.
    pub(super) fn decode(encoded: &[i32]) -> Option<Self> {
        let [id, logprob] = *encoded else { return None };
        let logprob = f64::from(logprob) / SCALE;
        Some(Self { id, logprob })
    }

    /// Returns true if the probabilities show that two children are in the same state. The tokens may differ: rounding
    /// can swap two tokens of almost equal probability.
    pub(super) fn agrees_with(self, other: Self) -> bool {
        (self.logprob - other.logprob).abs() <= TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_token_equals_the_encoded_one() {
        let next = NextToken {
            id: 236_888,
            logprob: -1.039_383,
        };
        assert_eq!(NextToken::decode(&next.encode()), Some(next));
        assert_eq!(NextToken::decode(&[]), None);
        assert_eq!(NextToken::decode(&[1, 2, 3]), None);
    }

    #[test]
    fn children_in_the_same_state_agree() {
        let next = |id, logprob| NextToken { id, logprob };
        assert!(next(1, -1.0).agrees_with(next(1, -1.24)));
        assert!(!next(1, -1.0).agrees_with(next(1, -1.26)));
        // Rounding has swapped two tokens of almost equal probability.
        assert!(next(1, -0.7).agrees_with(next(2, -0.7001)));
    }
}
