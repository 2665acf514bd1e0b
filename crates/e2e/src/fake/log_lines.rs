//! Writes log lines to stderr in the real server's format: `0.00.012.345 I srv  llama_server: model
//! loaded`.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::clock;

/// Writes a line of the server: level, function, message.
pub(super) fn server(level: char, function: &str, message: &str) {
    line(level, &format!("srv  {function:>12}: {message}"));
}

/// Writes a line with time and level.
pub(super) fn line(level: char, message: &str) {
    raw(&format!("{} {level} {message}", stamp()));
}

/// Writes a line unchanged.
pub(super) fn raw(message: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{message}\n").as_bytes());
}

/// Prints the answer to a command-line question to stdout.
pub(super) fn answer(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Returns the time since the first line, as the real server prints it.
fn stamp() -> String {
    static START: OnceLock<Instant> = OnceLock::new();
    let micros = START.get_or_init(clock::now).elapsed().as_micros();
    format!(
        "{}.{:02}.{:03}.{:03}",
        micros / 60_000_000,
        micros / 1_000_000 % 60,
        micros / 1_000 % 1_000,
        micros % 1_000
    )
}

/// Writes log lines at this rate for as long as the process lives.
///
/// A reader that stops reading blocks only this thread, not the server.
pub(super) fn flood(bytes_a_second: u64) {
    const TICKS_A_SECOND: u64 = 50;
    let start = clock::now();
    let mut written = 0;
    for tick in 1.. {
        while written < bytes_a_second * tick / TICKS_A_SECOND {
            let text = format!(
                "{} D que    start_loop: flood line, offset = {written:>12}",
                stamp()
            );
            raw(&text);
            written += text.len() as u64 + 1;
        }
        let due = start + Duration::from_millis(1000 / TICKS_A_SECOND * tick);
        clock::sleep(due.saturating_duration_since(clock::now()));
    }
}

/// Writes log lines for this time, as fast as the reader accepts them. Returns the number of lines
/// and bytes.
pub(super) fn pour(time: Duration) -> (u64, u64) {
    const BLOCK_BYTES: usize = 64 << 10;
    let (mut lines, mut bytes) = (0, 0);
    let mut block = Vec::with_capacity(BLOCK_BYTES + 200);
    let start = clock::now();
    while start.elapsed() < time {
        block.clear();
        while block.len() < BLOCK_BYTES {
            lines += 1;
            let _ = writeln!(
                block,
                "0.00.000.000 D que    start_loop: poured line {lines:>12}, with about as many \
                 words as one of the real server has"
            );
        }
        bytes += block.len() as u64;
        let _ = io::stderr().lock().write_all(&block);
    }
    (lines, bytes)
}
