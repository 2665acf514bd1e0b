//! Saves, restores and erases slots, as llama-server does with `--slot-save-path`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use paddock_contexts::SlotFile;
use paddock_contexts::builder::{Conversation, Shape};
use serde_json::Value;

use super::exit;
use super::json_writer::quote;
use super::response::Response;
use super::result_signal::WakeReason;
use super::server::Server;

/// A simulated failure of a save or restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotFailure {
    /// A save writes no file and answers 500.
    Save,
    /// A restore is refused.
    Restore,
    /// A save writes half of the file and answers 200.
    Truncate,
    /// A save never answers.
    Hang,
    /// A save writes half of the file and answers 500, as on a full disk.
    Enospc,
}

impl SlotFailure {
    /// Parses the value of `--fake-slot-fail`.
    pub fn parse(value: &str) -> Result<Self, String> {
        Ok(match value {
            "save" => Self::Save,
            "restore" => Self::Restore,
            "truncate" => Self::Truncate,
            "hang" => Self::Hang,
            "enospc" => Self::Enospc,
            _ => return Err(format!("unknown slot failure: {value}")),
        })
    }
}

/// Answers `POST /slots/N?action=…`. Ignores the body if the action does not need it.
pub(super) fn answer(server: &Server, slot: &str, query: &str, body: &[u8]) -> Response {
    let Some(directory) = &server.args.slot_save_path else {
        let what = "slots action. Start it with `--slot-save-path`";
        return Response::not_supported(&format!("This server does not support {what}"));
    };
    let Ok(slot) = slot.parse() else {
        return Response::invalid("Invalid slot ID");
    };
    let action = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("action="));
    if action == Some("erase") {
        let erased = exchange(server, slot, Some(&[])).len();
        return Response::json(format!(r#"{{"id_slot":{slot},"n_erased":{erased}}}"#));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = body["filename"].as_str().unwrap_or_default();
    if name.is_empty() || name.contains('/') {
        return Response::invalid("Invalid filename");
    }
    let path = format!("{directory}{name}");
    match action {
        Some("save") => save(server, slot, name, Path::new(&path)),
        Some("restore") => restore(server, slot, name, Path::new(&path)),
        _ => Response::invalid("Invalid action"),
    }
}

/// Waits until a slot is free, then reads its conversation, or replaces it by `tokens`. The slot number wraps.
fn exchange(server: &Server, slot: usize, tokens: Option<&[i32]>) -> Vec<i32> {
    let slot = slot % server.args.parallel;
    let mut seen = server.results.count();
    loop {
        if let Some(old) = server.slots.exchange(slot, tokens) {
            return old;
        }
        if let WakeReason::Result(count) = server.results.wait(seen, None) {
            seen = count;
        }
    }
}

fn save(server: &Server, slot: usize, name: &str, path: &Path) -> Response {
    let failure = server.args.slot_fail;
    if failure == Some(SlotFailure::Hang) {
        loop {
            server.results.wait(server.results.count(), None);
        }
    }
    let tokens = exchange(server, slot, None);
    let saved = tokens.len();
    let bytes = slot_file(tokens);
    let written = match failure {
        Some(SlotFailure::Save) => Err(io::ErrorKind::Other.into()),
        Some(SlotFailure::Truncate) => fs::write(path, &bytes[..bytes.len() / 2]),
        Some(SlotFailure::Enospc) => {
            fs::write(path, &bytes[..bytes.len() / 2]).and(Err(io::ErrorKind::StorageFull.into()))
        }
        _ => fs::write(path, &bytes),
    };
    if written.is_err() {
        return Response::error(500, "server_error", "Unable to save slot");
    }
    Response::json(format!(
        concat!(
            r#"{{"id_slot":{slot},"filename":{name},"n_saved":{saved},"#,
            r#""n_written":{written},"timings":{{"save_ms":0.5}}}}"#
        ),
        slot = slot,
        name = quote(name),
        saved = saved,
        written = bytes.len(),
    ))
}

fn slot_file(tokens: Vec<i32>) -> Vec<u8> {
    let length = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let mut conversation = Conversation::new(length);
    conversation.tokens = tokens;
    conversation.attention(0, 1, Shape::default()).write()
}

/// Restores a slot. Like the real server, refuses a missing file and aborts on a damaged one.
fn restore(server: &Server, slot: usize, name: &str, path: &Path) -> Response {
    let length = fs::metadata(path).map_or(0, |file| file.len());
    let file = File::open(path).ok();
    let (Some(file), false) = (file, server.args.slot_fail == Some(SlotFailure::Restore)) else {
        let why = "No available space in KV cache or invalid slot save file";
        return Response::invalid(&format!("Unable to restore slot: {why}"));
    };
    let Ok(read) = SlotFile::read(file, length) else {
        exit::abort();
    };
    let restored = read.tokens.len();
    exchange(server, slot, Some(&read.tokens));
    Response::json(format!(
        concat!(
            r#"{{"id_slot":{slot},"filename":{name},"n_restored":{restored},"#,
            r#""n_read":{length},"timings":{{"restore_ms":0.5}}}}"#
        ),
        slot = slot,
        name = quote(name),
        restored = restored,
        length = length,
    ))
}
