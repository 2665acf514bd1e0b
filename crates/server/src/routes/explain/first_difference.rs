//! Describes the first place where a request's prompt differs from the contexts that its child had restored.
//!
//! Without a key for the admin address any local program can use it, so the description then has no text of prompts.

use paddock_api::FirstDifference;
use paddock_runtime::contexts::{DifferenceError, PromptDifference};

/// Describes the result of a comparison for the API, with the text of prompts only if `shows_text`.
pub(super) fn to_api(
    found: Result<PromptDifference, DifferenceError>,
    shows_text: bool,
) -> FirstDifference {
    match found {
        Ok(found) => FirstDifference {
            message: sentence(&found, shows_text),
            prompt_text: found.prompt_text.filter(|_| shows_text),
            shared_tokens: Some(found.shared as u64),
            stored_text: found.context_text.filter(|_| shows_text),
        },
        Err(error) => FirstDifference {
            message: format!("the first difference cannot be told: {error}"),
            prompt_text: None,
            shared_tokens: None,
            stored_text: None,
        },
    }
}

fn sentence(found: &PromptDifference, shows_text: bool) -> String {
    let (shared, context) = (found.shared, found.context_tokens);
    match (&found.context_text, &found.prompt_text) {
        (Some(stored), Some(prompt)) => {
            let texts = match shows_text {
                true => format!(": stored \"{stored}\", prompt \"{prompt}\""),
                false => " (texts are shown only if the admin address requires a key)".to_owned(),
            };
            format!(
                "the prompt follows a stored context for {shared} of {context} tokens and differs at token {}{texts}",
                shared + 1
            )
        }
        (None, Some(_)) => {
            format!(
                "the prompt continues a whole stored context ({context} tokens) and does not differ from it"
            )
        }
        (_, None) => format!(
            "the whole prompt is the beginning of a stored context ({shared} of {context} tokens), to which the child could \
             not return"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_described_in_a_sentence() {
        let found = |context_text: Option<&str>, prompt_text: Option<&str>| PromptDifference {
            shared: 412,
            context_tokens: 900,
            context_text: context_text.map(str::to_owned),
            prompt_text: prompt_text.map(str::to_owned),
        };
        for (found, expected) in [
            (
                found(Some("it is Monday"), Some("it is Tuesday")),
                "the prompt follows a stored context for 412 of 900 tokens and differs at token 413: stored \"it is \
                 Monday\", prompt \"it is Tuesday\"",
            ),
            (
                found(None, Some("more")),
                "the prompt continues a whole stored context (900 tokens) and does not differ from it",
            ),
            (
                found(Some("more"), None),
                "the whole prompt is the beginning of a stored context (412 of 900 tokens), to which the child could not \
                 return",
            ),
        ] {
            let described = to_api(Ok(found.clone()), true);
            assert_eq!(described.message, expected);
            assert_eq!(described.shared_tokens, Some(412));
            assert_eq!(described.stored_text, found.context_text);
            assert_eq!(described.prompt_text, found.prompt_text);
        }
    }

    #[test]
    fn no_text_is_shown_at_an_address_without_a_key() {
        let found = PromptDifference {
            shared: 0,
            context_tokens: 2,
            context_text: Some("secret".to_owned()),
            prompt_text: Some("secret".to_owned()),
        };
        let described = to_api(Ok(found), false);
        let expected = "the prompt follows a stored context for 0 of 2 tokens and differs at token 1 (texts are shown only \
                        if the admin address requires a key)";
        assert_eq!(described.message, expected);
        assert_eq!((described.stored_text, described.prompt_text), (None, None));
    }

    #[test]
    fn the_reason_is_given_if_the_place_is_unknown() {
        let described = to_api(Err(DifferenceError::NotLoaded), true);
        let expected = "the first difference cannot be told: the model is not loaded";
        assert_eq!(described.message, expected);
        assert_eq!(described.shared_tokens, None);
    }
}
