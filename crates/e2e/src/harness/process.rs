//! Finds and signals processes through `/proc`.

use std::fs;

use rustix::process::{Signal, kill_process};

/// A process: its ID and start time, because IDs are reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid {
    number: i32,
    began: u64,
}

impl Pid {
    /// Finds the living process with this ID.
    pub fn find(number: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name is in parentheses and may contain any bytes.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // A zombie has ended even if not reaped. But the first thread can be a zombie while others
        // are ending; the process's sockets stay open until the last thread has ended.
        let lives = match *fields.first()? {
            "X" => false,
            "Z" => fs::read_dir(format!("/proc/{number}/task")).ok()?.count() > 1,
            _ => true,
        };
        let began = fields.get(19)?.parse().ok()?;
        lives.then_some(Self { number, began })
    }

    /// Returns the process ID.
    pub fn number(self) -> i32 {
        self.number
    }

    /// Returns true while the process lives.
    pub fn is_alive(self) -> bool {
        Self::find(self.number) == Some(self)
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = rustix::process::Pid::from_raw(self.number)
        {
            // The process may end at this moment.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Returns the processes whose command line contains these words.
pub fn processes_with_argument(words: &str) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(words)
            && let Some(pid) = Pid::find(number)
        {
            found.push((pid, line));
        }
    }
    found
}
