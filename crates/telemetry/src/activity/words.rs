use foldhash::HashMap;
use rusqlite::{Connection, Result};

pub(super) const ALL: &str = "SELECT id, word FROM words";

const INSERT: &str = "INSERT INTO words (word) VALUES (?1)";

/// Words that recur, as small numbers: names of models and keys, and those out of paddock's own lists.
#[derive(Debug)]
pub(super) struct Words {
    numbers: HashMap<String, i64>,
    words: HashMap<i64, String>,
}

impl Words {
    /// Reads those that the file has.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut read = Self {
            numbers: HashMap::default(),
            words: HashMap::default(),
        };
        let mut statement = connection.prepare(ALL)?;
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

    /// Gives a word a number that has none. That is a write of its own, so that what comes after it may
    /// fail.
    pub(super) fn learn(&mut self, connection: &Connection, word: &str) -> Result<()> {
        if !self.numbers.contains_key(word) {
            connection.execute(INSERT, [word])?;
            self.add(connection.last_insert_rowid(), word.to_owned());
        }
        Ok(())
    }

    /// The number of a word.
    pub(super) fn number(&self, word: &str) -> Option<i64> {
        self.numbers.get(word).copied()
    }

    /// The word of a number; nothing where the file has lost it.
    pub(super) fn word(&self, number: i64) -> &str {
        self.words.get(&number).map_or("", String::as_str)
    }
}
