//! Reads the output of a process on a thread, so that tests can search it while the process runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::waiting::wait_for;

/// The output of a process, read line by line as it arrives.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Starts reading.
    pub fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let to = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                to.0.lock().unwrap().push(line);
            }
        });
        lines
    }

    /// Returns all lines so far.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Returns true if a line contains these words.
    pub fn contain(&self, words: &str) -> bool {
        self.0.lock().unwrap().iter().any(|l| l.contains(words))
    }

    /// Waits for a line that contains these words and returns the first.
    pub fn wait_for(&self, limit: Duration, words: &str) -> String {
        wait_for(limit, &format!("a line with {words:?}"), || {
            let lines = self.0.lock().unwrap();
            lines.iter().find(|line| line.contains(words)).cloned()
        })
    }
}
