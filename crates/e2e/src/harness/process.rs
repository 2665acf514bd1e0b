//! Other processes, as `/proc` shows them.

use std::fs;

use rustix::process::{Signal, kill_process};

/// One process: its number, and when it began, for numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid {
    number: i32,
    began: u64,
}

impl Pid {
    /// The process with this number, if there is one that lives.
    pub fn find(number: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name stands in parentheses and can hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // A zombie has ended, whether anybody reaps it or not; but its first thread can be one while
        // others still end, and its sockets are open until the last has.
        let lives = match *fields.first()? {
            "X" => false,
            "Z" => fs::read_dir(format!("/proc/{number}/task")).ok()?.count() > 1,
            _ => true,
        };
        let began = fields.get(19)?.parse().ok()?;
        lives.then_some(Self { number, began })
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.number
    }

    /// Whether it lives.
    pub fn is_alive(self) -> bool {
        Self::find(self.number) == Some(self)
    }

    /// Sends it a signal; one that has ended gets none.
    pub fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = rustix::process::Pid::from_raw(self.number)
        {
            // It may end at this moment.
            let _ = kill_process(pid, signal);
        }
    }
}

/// The processes whose command line contains these words.
pub fn with_words(words: &str) -> Vec<(Pid, String)> {
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
