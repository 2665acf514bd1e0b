//! Stores recurring words as small numbers in a table of the activity database.

use foldhash::HashMap;
use rusqlite::{Connection, Result};

/// Reads all words; also compiled when the file is opened, to check its tables.
pub(super) const SELECT_WORDS: &str = "SELECT id, word FROM words";

/// Adds a word; `SQLite` chooses the number.
const INSERT_WORD: &str = "INSERT INTO words (word) VALUES (?1)";

/// The numbers of recurring words (names of models and keys, and paddock's own keywords), in both directions.
#[derive(Debug)]
pub(super) struct WordInterner {
    numbers: HashMap<String, i64>,
    words: HashMap<i64, String>,
}

impl WordInterner {
    /// Reads the words that the file has.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut read = Self {
            numbers: HashMap::default(),
            words: HashMap::default(),
        };
        let mut statement = connection.prepare(SELECT_WORDS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            read.add(row.get(0)?, row.get(1)?);
        }
        Ok(read)
    }

    fn add(&mut self, number: i64, word: String) {
        self.words.insert(number, word.clone());
        self.numbers.insert(word, number);
    }

    /// Assigns a number to a new word. This is a separate write, which persists even if the next one fails.
    pub(super) fn intern(&mut self, connection: &Connection, word: &str) -> Result<()> {
        if !self.numbers.contains_key(word) {
            connection.execute(INSERT_WORD, [word])?;
            self.add(connection.last_insert_rowid(), word.to_owned());
        }
        Ok(())
    }

    /// Returns the number of a word.
    pub(super) fn number_of(&self, word: &str) -> Option<i64> {
        self.numbers.get(word).copied()
    }

    /// Returns the word of a number; empty if the file has lost it.
    pub(super) fn word(&self, number: i64) -> &str {
        self.words.get(&number).map_or("", String::as_str)
    }
}
