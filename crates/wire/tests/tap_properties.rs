//! Any bytes in any pieces: the same report, and never a panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tap;

use proptest::collection::vec;
use proptest::prelude::*;
use tap::{EVENTS, JSON, check, report};

/// Pieces that mean something to the reader.
const TOKENS: &[&str] = &[
    "data:",
    "data: ",
    "event: ",
    "message_stop",
    "error",
    ":",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "[DONE]",
    "data: [DONE]\n\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\\",
    "\"usage\":",
    "\"timings\":",
    "\"error\":",
    "\"prompt_tokens\":3",
    "\"completion_tokens\":4",
    "\"choices\":[",
    "\"index\":1",
    "\"stop\":true",
    "null",
    "12",
    "data: {\"usage\":{\"prompt_tokens\":3}}\n\n",
    "\"response\":{",
    "data: {\"timings\":{\"predicted_n\":3}}\r\n\r\n",
    "event: error\ndata: {}\n\n",
    "\u{feff}",
    "data: {\"choices\":[]}\n\n",
    "data: {\"error\":1}\r\r",
    "\"input_tokens_details\":{",
    ": ping\n\n",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(TOKENS), 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(body in prop_oneof![soup(), vec(any::<u8>(), 0..300)], sizes in vec(1..40_usize, 1..6)) {
        for kind in [EVENTS, JSON] {
            prop_assert_eq!(report(kind, &body, &sizes), check(kind, &body));
        }
    }

    #[test]
    fn a_number_is_the_one_a_parser_reads(
        prompt in any::<u32>(), generated in any::<u32>(), text in any::<String>(), pretty in any::<bool>(),
    ) {
        let document = serde_json::json!({
            "choices": [{ "index": 0, "message": { "content": text } }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": generated },
        });
        let body = if pretty {
            serde_json::to_string_pretty(&document).unwrap()
        } else {
            document.to_string()
        };
        let data = body.replace('\n', "\ndata: ");
        for (kind, body) in [(JSON, body), (EVENTS, format!("data: {data}\n\n"))] {
            let usage = check(kind, body.as_bytes()).usage;
            prop_assert_eq!(usage.prompt_tokens, Some(prompt.into()));
            prop_assert_eq!(usage.generated_tokens, Some(generated.into()));
        }
    }
}
