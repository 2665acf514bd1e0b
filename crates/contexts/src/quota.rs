//! Decides which contexts to delete from the store.

use std::time::Duration;

/// A stored context, with its size, age and the reading time that it saves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaEntry {
    /// Number of the context in the store.
    pub id: i64,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Time since the context was last used.
    pub age: Duration,
    /// Estimated time to read the conversation's tokens again.
    pub reading_time: Duration,
}

/// Returns the contexts to delete: contexts not used for longer than `max_age`, then contexts in ascending order of the reading time
/// that they save per byte, until the others have at most `quota` bytes together.
pub fn choose_deletions(entries: &[QuotaEntry], quota: u64, max_age: Duration) -> Vec<i64> {
    let (expired, mut kept): (Vec<&QuotaEntry>, Vec<&QuotaEntry>) =
        entries.iter().partition(|entry| entry.age > max_age);
    let mut deleted: Vec<i64> = expired.iter().map(|entry| entry.id).collect();
    kept.sort_by(|a, b| {
        seconds_per_byte(a)
            .total_cmp(&seconds_per_byte(b))
            .then(b.age.cmp(&a.age))
    });
    let mut total: u64 = kept.iter().map(|entry| entry.bytes).sum();
    for entry in kept {
        if total <= quota {
            break;
        }
        total -= entry.bytes;
        deleted.push(entry.id);
    }
    deleted
}

/// Returns the reading time that a context saves per byte, in seconds.
#[expect(clippy::cast_precision_loss, reason = "the result is only compared")]
fn seconds_per_byte(entry: &QuotaEntry) -> f64 {
    entry.reading_time.as_secs_f64() / entry.bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, bytes: u64, age: u64, reading_time: u64) -> QuotaEntry {
        QuotaEntry {
            id,
            bytes,
            age: Duration::from_secs(age),
            reading_time: Duration::from_secs(reading_time),
        }
    }

    #[test]
    fn the_oldest_and_the_cheapest_contexts_are_deleted() {
        let entries = [
            entry(1, 100, 10, 10),
            entry(2, 100, 20, 5),
            entry(3, 200, 30, 40),
            entry(4, 100, 40, 10),
        ];
        let cases = [
            ("all fit", 500, 100, vec![]),
            ("one byte over the quota", 499, 100, vec![2]),
            (
                "the older of two equally cheap contexts",
                400 - 1,
                100,
                vec![2, 4],
            ),
            ("all except the most expensive", 200, 100, vec![2, 4, 1]),
            ("nothing fits", 0, 100, vec![2, 4, 1, 3]),
            ("too old", 500, 39, vec![4]),
            ("as old as allowed", 500, 40, vec![]),
            ("too old, and over the quota", 399, 39, vec![4, 2]),
        ];
        for (name, quota, max_age, deleted) in cases {
            let found = choose_deletions(&entries, quota, Duration::from_secs(max_age));
            assert_eq!(found, deleted, "{name}");
        }
    }
}
