//! Shows the progress of downloads: a bar on a terminal, a line every few seconds elsewhere, or JSON.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use paddock_download::Progress;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::format::{format_bytes, format_duration};
use crate::output;

/// Template of the bar, which truncates the file's name to fit on one line.
const BAR_TEMPLATE: &str = "{wide_msg}  [{bar:12}] {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta}";

/// Characters of the bar, from full to empty.
const BAR_CHARACTERS: &str = "█▉▊▋▌▍▎▏ ";

/// Time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two events of received bytes in JSON.
const EVENT_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest pause before a repeated request that people are told about.
const MIN_REPORTED_PAUSE: Duration = Duration::from_secs(1);

/// The form of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressFormat {
    /// A bar that is redrawn, on standard error.
    Bar,
    /// Lines on standard error.
    Lines,
    /// JSON objects on standard output, one a line.
    Json,
}

/// Shows the progress of one download after the other.
#[derive(Debug)]
pub(crate) struct TransferProgress {
    format: ProgressFormat,
    bar: ProgressBar,
    pace: RefCell<Pace>,
}

/// Times of one download.
#[derive(Debug, Default)]
struct Pace {
    /// The start of the transfer, and the bytes that were on disk then.
    begin: Option<(Instant, u64)>,
    last_report: Option<Instant>,
    /// The last note. The connections of a transfer often fail together, for one reason.
    last_note: Option<String>,
}

impl ProgressFormat {
    /// Chooses a bar if standard error is a terminal.
    pub(crate) fn detect(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if output::is_error_terminal() => Self::Bar,
            false => Self::Lines,
        }
    }
}

impl TransferProgress {
    pub(crate) fn new(format: ProgressFormat) -> Self {
        let bar = match format {
            ProgressFormat::Bar => ProgressBar::new(0),
            ProgressFormat::Lines | ProgressFormat::Json => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
            bar.set_style(style.progress_chars(BAR_CHARACTERS));
        }
        let pace = RefCell::default();
        Self { format, bar, pace }
    }

    /// Shows a step of the download of a file.
    pub(crate) fn show(&self, file: &str, step: &Progress) {
        let now = Instant::now();
        let file = output::printable(file);
        if let Progress::Started { held, .. } = step {
            *self.pace.borrow_mut() = Pace {
                begin: Some((now, *held)),
                last_report: Some(now),
                last_note: None,
            };
        }
        match self.format {
            ProgressFormat::Bar => self.draw(&file, step),
            ProgressFormat::Lines => {
                if self.is_due(step, now, LINE_INTERVAL)
                    && let Some(line) = self.line(&file, step, now)
                {
                    output::print_error(&line);
                }
            }
            ProgressFormat::Json => {
                if self.is_due(step, now, EVENT_INTERVAL) {
                    output::print(&event(&file, step).to_string());
                }
            }
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn draw(&self, file: &str, step: &Progress) {
        match step {
            Progress::Started { held, size } => {
                self.bar.set_message(file.to_owned());
                self.bar.set_length(*size);
                self.bar.set_position(*held);
                self.bar.reset_eta();
            }
            Progress::Received { received, size } => {
                self.bar.set_length(*size);
                self.bar.set_position(*received);
                self.bar.set_message(file.to_owned());
            }
            Progress::Verifying { verified, size } => {
                self.bar.set_length(*size);
                self.bar.set_position(*verified);
                self.bar.set_message(format!("{file}: verifying"));
            }
            other => {
                if let Some(note) = self.new_note(file, other) {
                    self.bar.suspend(|| output::print_error(&note));
                }
            }
        }
    }

    /// Returns true if a step is shown now. Steps that repeat are shown at intervals.
    fn is_due(&self, step: &Progress, now: Instant, interval: Duration) -> bool {
        if !matches!(step, Progress::Received { .. } | Progress::Verifying { .. }) {
            return true;
        }
        let mut pace = self.pace.borrow_mut();
        let last = *pace.last_report.get_or_insert(now);
        let is_due = now.duration_since(last) >= interval;
        if is_due {
            pace.last_report = Some(now);
        }
        is_due
    }

    fn line(&self, file: &str, step: &Progress, now: Instant) -> Option<String> {
        match step {
            Progress::Started { held: 0, size } => {
                Some(format!("{file}: downloading {}", format_bytes(*size)))
            }
            Progress::Started { held, size } => Some(format!(
                "{file}: continuing at {} of {}",
                format_bytes(*held),
                format_bytes(*size)
            )),
            Progress::Received { received, size } => {
                self.pace.borrow_mut().last_note = None;
                let begin = self.pace.borrow().begin;
                let (start, held) = begin.unwrap_or((now, *received));
                let elapsed = now.duration_since(start);
                Some(progress_line(
                    file,
                    *received,
                    *size,
                    received.saturating_sub(held),
                    elapsed,
                ))
            }
            Progress::Verifying { verified, size } => Some(format!(
                "{file}: verified {} of {}",
                format_bytes(*verified),
                format_bytes(*size)
            )),
            other => self.new_note(file, other),
        }
    }

    /// Returns the note about a step, unless it was the last one too.
    fn new_note(&self, file: &str, step: &Progress) -> Option<String> {
        let note = note(file, step)?;
        let last = &mut self.pace.borrow_mut().last_note;
        let is_new = last.replace(note.clone()).as_ref() != Some(&note);
        is_new.then_some(note)
    }
}

/// Formats a line about received bytes; `new` of them arrived in `elapsed`.
fn progress_line(file: &str, received: u64, size: u64, new: u64, elapsed: Duration) -> String {
    let percent = u128::from(received) * 100 / u128::from(size.max(1));
    let line = format!(
        "{file}: {percent} %, {} of {}",
        format_bytes(received),
        format_bytes(size)
    );
    let milliseconds = elapsed.as_millis().max(1);
    let rate = u64::try_from(u128::from(new) * 1000 / milliseconds).unwrap_or(u64::MAX);
    match size.saturating_sub(received).checked_div(rate) {
        Some(left) => {
            let (rate, left) = (format_bytes(rate), format_duration(left));
            format!("{line}, {rate}/s, {left} left")
        }
        None => line,
    }
}

/// Formats a note about anything but bytes, if people should know it.
fn note(file: &str, step: &Progress) -> Option<String> {
    match step {
        Progress::Waiting => Some(format!(
            "{file}: waiting for another process that downloads it"
        )),
        Progress::Retrying { after, reason } if *after >= MIN_REPORTED_PAUSE => Some(format!(
            "{file}: {reason}; retrying in {}",
            format_duration(after.as_secs())
        )),
        Progress::Restarted { reason } => Some(format!("{file}: {reason}; starting again")),
        _ => None,
    }
}

/// Returns a step as JSON.
fn event(file: &str, step: &Progress) -> Value {
    match step {
        Progress::Waiting => json!({"event": "waiting", "file": file}),
        Progress::Started { held, size } => {
            json!({"event": "started", "file": file, "held": held, "size": size})
        }
        Progress::Received { received, size } => {
            json!({"event": "progress", "file": file, "received": received, "size": size})
        }
        Progress::Retrying { after, reason } => {
            json!({"event": "retrying", "file": file, "after_seconds": after.as_secs_f64(), "reason": reason})
        }
        Progress::Restarted { reason } => {
            json!({"event": "restarted", "file": file, "reason": reason})
        }
        Progress::Verifying { verified, size } => {
            json!({"event": "verifying", "file": file, "verified": verified, "size": size})
        }
        _ => json!({"event": "other", "file": file}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_rate_of_this_transfer() {
        let line = |received, new, seconds| {
            progress_line(
                "m.gguf",
                received,
                100 << 20,
                new,
                Duration::from_secs(seconds),
            )
        };
        assert_eq!(
            line(50 << 20, 20 << 20, 10),
            "m.gguf: 50 %, 50.0 MiB of 100.0 MiB, 2.0 MiB/s, 25s left"
        );
        assert_eq!(line(50 << 20, 0, 10), "m.gguf: 50 %, 50.0 MiB of 100.0 MiB");
    }

    #[test]
    fn short_pauses_are_not_reported() {
        let retrying = |milliseconds| Progress::Retrying {
            after: Duration::from_millis(milliseconds),
            reason: "cut".to_owned(),
        };
        assert_eq!(note("m", &retrying(250)), None);
        assert_eq!(
            note("m", &retrying(7_000)).unwrap(),
            "m: cut; retrying in 7s"
        );
    }

    #[test]
    fn bytes_are_reported_at_intervals() {
        let progress = TransferProgress::new(ProgressFormat::Lines);
        let received = Progress::Received {
            received: 1,
            size: 2,
        };
        let begin = Instant::now();
        let is_due = |now| progress.is_due(&received, now, LINE_INTERVAL);
        assert!(!is_due(begin));
        assert!(is_due(begin + LINE_INTERVAL));
        assert!(!is_due(begin + LINE_INTERVAL));
        assert!(progress.is_due(&Progress::Waiting, begin, LINE_INTERVAL));
    }
}
