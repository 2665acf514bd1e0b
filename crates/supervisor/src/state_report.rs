//! Parses the child's state reports on stdout, and defines the exit command for its stdin.
//!
//! A llama-server that finds `LLAMA_SERVER_ROUTER_PORT` in its environment writes lines of the form
//! `cmd_child_to_router:state:{"state":"loading","payload":{"value":0.5,…}}` (llama.cpp b11434,
//! tools/server/server-models.cpp).

use serde_json::Value;

/// The variable that makes the child write its state to stdout. The child does not use the value.
pub(crate) const REPORT_VARIABLE: &str = "LLAMA_SERVER_ROUTER_PORT";

/// The line on stdin that asks such a child to exit.
///
/// Sent with the first SIGTERM, which alone is not enough: the child then ends its work, and waits for its
/// stdin thread, which waits for this line or the end of stdin (llama.cpp b11434, tools/server/server.cpp
/// `monitor_thread.join()`).
pub(crate) const EXIT_COMMAND: &[u8] = b"cmd_router_to_child:exit\n";

/// The last line of a child that exits because its stdin has ended (llama.cpp b11434,
/// tools/server/server-models.cpp).
pub(crate) const INPUT_ENDED: &str = "EOF on stdin detected, forcing shutdown";

/// The beginning of a state line; JSON follows.
const STATE_LINE_PREFIX: &[u8] = b"cmd_child_to_router:state:";

/// A child's report of its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StateReport {
    /// Loading; the share that is done, 0 to 1, if reported.
    Loading(Option<f32>),
    /// Ready to serve.
    Ready,
    /// Asleep with its memory freed; it wakes for a request, so it can serve.
    Sleeping,
    /// A state line that cannot be read. Only a probe can show whether the child is ready.
    Unreadable,
}

/// Parses one line of stdout; `None` for a line that is no state, or an unused state.
pub(crate) fn parse_state_line(line: &[u8]) -> Option<StateReport> {
    let json = line.strip_prefix(STATE_LINE_PREFIX)?;
    let Ok(Value::Object(event)) = serde_json::from_slice(json) else {
        return Some(StateReport::Unreadable);
    };
    match event.get("state").and_then(Value::as_str) {
        Some("loading") => Some(StateReport::Loading(
            event.get("payload").and_then(progress),
        )),
        Some("ready") => Some(StateReport::Ready),
        Some("sleeping") => Some(StateReport::Sleeping),
        Some(_) => None,
        None => Some(StateReport::Unreadable),
    }
}

/// Reads the progress of the current stage, clamped to 0 and 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an f32 is precise enough for a share"
)]
fn progress(payload: &Value) -> Option<f32> {
    payload
        .get("value")
        .and_then(Value::as_f64)
        .map(|value| value.clamp(0.0, 1.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(json: &str) -> Option<StateReport> {
        parse_state_line(format!("cmd_child_to_router:state:{json}").as_bytes())
    }

    #[test]
    fn the_states_of_a_child_are_read() {
        let loading = r#"{"state":"loading","payload":{"stages":["text_model"],"current":"text_model","value":0.5}}"#;
        assert_eq!(state(loading), Some(StateReport::Loading(Some(0.5))));
        assert_eq!(
            state(r#"{"state":"loading"}"#),
            Some(StateReport::Loading(None))
        );
        assert_eq!(
            state(r#"{"state":"ready","payload":{"id":"m","size":1}}"#),
            Some(StateReport::Ready)
        );
        assert_eq!(
            state(r#"{"state":"sleeping","payload":null}"#),
            Some(StateReport::Sleeping)
        );
    }

    #[test]
    fn a_progress_out_of_range_is_clamped() {
        let value = |v: &str| {
            state(&format!(
                r#"{{"state":"loading","payload":{{"value":{v}}}}}"#
            ))
        };
        assert_eq!(value("7"), Some(StateReport::Loading(Some(1.0))));
        assert_eq!(value("-1e300"), Some(StateReport::Loading(Some(0.0))));
        assert_eq!(value("\"half\""), Some(StateReport::Loading(None)));
    }

    #[test]
    fn other_lines_are_no_state() {
        for line in [
            "",
            "hello",
            "cmd_child_to_router:info:{}",
            " cmd_child_to_router:state:{}",
        ] {
            assert_eq!(parse_state_line(line.as_bytes()), None, "{line}");
        }
        assert_eq!(state(r#"{"state":"dreaming"}"#), None);
    }

    #[test]
    fn a_broken_state_line_is_harmless() {
        for json in [
            "",
            "{",
            "[]",
            "7",
            r#"{"state":7}"#,
            "{}",
            r#"{"state":"ready","payload":{"#,
        ] {
            assert_eq!(state(json), Some(StateReport::Unreadable), "{json}");
        }
        assert_eq!(
            parse_state_line(b"cmd_child_to_router:state:\xff\xfe"),
            Some(StateReport::Unreadable)
        );
        let deep = "[".repeat(60_000);
        assert_eq!(state(&deep), Some(StateReport::Unreadable));
    }
}
