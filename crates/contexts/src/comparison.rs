//! Compares the tokens of a prompt with those of a stored context.

/// Number of tokens before the first difference that an excerpt includes.
const TOKENS_BEFORE: usize = 4;

/// Number of tokens from the first difference on that an excerpt includes.
const TOKENS_AFTER: usize = 12;

/// The first place where a prompt and a context differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptComparison {
    /// Number of tokens with which both begin.
    pub shared: usize,
    /// The tokens of the context.
    pub context: ComparedTokens,
    /// The tokens of the prompt.
    pub prompt: ComparedTokens,
}

/// A token list that was compared with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedTokens {
    /// Number of tokens in the list.
    pub len: usize,
    /// Some tokens around the first difference; empty if the list ends there.
    pub excerpt: Vec<i32>,
}

/// Finds the first place where a prompt and a context differ.
pub fn compare_prompt(context: &[i32], prompt: &[i32]) -> PromptComparison {
    let pairs = context.iter().zip(prompt);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    let compared = |tokens: &[i32]| ComparedTokens {
        len: tokens.len(),
        excerpt: excerpt(tokens, shared),
    };
    PromptComparison {
        shared,
        context: compared(context),
        prompt: compared(prompt),
    }
}

fn excerpt(tokens: &[i32], shared: usize) -> Vec<i32> {
    if shared >= tokens.len() {
        return Vec::new();
    }
    let start = shared.saturating_sub(TOKENS_BEFORE);
    let end = tokens.len().min(shared + TOKENS_AFTER);
    tokens[start..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_with_tokens_around_it() {
        let context: Vec<i32> = (0..100).collect();
        let changed = |index: usize| {
            let mut prompt = context.clone();
            prompt[index] = -7;
            prompt
        };
        let range = |from: i32, to: i32| (from..to).collect::<Vec<i32>>();
        let cases = [
            ("in the middle", changed(50), 50, range(46, 62)),
            ("near the end", changed(98), 98, range(94, 100)),
            ("near the beginning", changed(2), 2, range(0, 14)),
            ("at the first token", changed(0), 0, range(0, 12)),
            ("longer than the context", range(0, 130), 100, Vec::new()),
            ("shorter than the context", range(0, 30), 30, range(26, 42)),
            ("empty", Vec::new(), 0, range(0, 12)),
        ];
        for (name, prompt, shared, excerpt) in cases {
            let found = compare_prompt(&context, &prompt);
            assert_eq!(found.shared, shared, "{name}");
            assert_eq!(found.context.excerpt, excerpt, "{name}");
            let lengths = (found.context.len, found.prompt.len);
            assert_eq!(lengths, (context.len(), prompt.len()), "{name}");
        }
    }

    #[test]
    fn the_excerpt_of_a_list_that_ends_at_the_difference_is_empty() {
        let found = compare_prompt(&[1, 2, 3], &[1, 2, 3]);
        assert_eq!(found.shared, 3);
        assert_eq!(
            (found.context.excerpt, found.prompt.excerpt),
            (Vec::new(), Vec::new())
        );
    }
}
