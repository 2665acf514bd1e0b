//! Keeps the newest entries of a log in memory, up to a limit.

use super::{ActivityQuery, Page};
use std::collections::VecDeque;

/// The newest entries, with increasing sequence numbers.
#[derive(Debug)]
pub(super) struct RecentEntries<T> {
    entries: VecDeque<(u64, T)>,
    capacity: usize,
    next_seq: u64,
    /// Selects minor entries (such as refusals without an API key). If the list is full and has more than
    /// `minor_share` minor entries, a new entry replaces the oldest of them.
    is_minor: fn(&T) -> bool,
    minor_share: usize,
    /// Number of minor entries.
    minor_count: usize,
}

impl<T: Clone> RecentEntries<T> {
    /// Creates an empty list of at most `capacity` entries.
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            capacity,
            next_seq: 1,
            is_minor: |_| false,
            minor_share: capacity,
            minor_count: 0,
        }
    }

    /// Lets minor entries displace others only while there are at most `share` of them.
    pub(super) const fn with_minor(mut self, share: usize, is_minor: fn(&T) -> bool) -> Self {
        self.minor_share = share;
        self.is_minor = is_minor;
        self
    }

    /// Adds an entry. Returns true if an older one was removed for it.
    pub(super) fn push(&mut self, entry: T) -> bool {
        let full = self.entries.len() == self.capacity;
        if full {
            self.make_room();
        }
        self.minor_count += usize::from((self.is_minor)(&entry));
        self.entries.push_back((self.next_seq, entry));
        self.next_seq += 1;
        full
    }

    /// Removes the oldest entry, or the oldest minor one if these exceed their share.
    fn make_room(&mut self) {
        let is_minor = self.is_minor;
        let minor = self.minor_count > self.minor_share;
        let at = minor.then(|| self.entries.iter().position(|(_, entry)| is_minor(entry)));
        let removed = self.entries.remove(at.flatten().unwrap_or(0));
        let was_minor = removed.is_some_and(|(_, entry)| is_minor(&entry));
        self.minor_count -= usize::from(was_minor);
    }

    /// Renumbers the entries so that the first has at least the number `next`.
    pub(super) fn renumber_from(&mut self, next: u64) {
        let Some(by) = next.checked_sub(self.first_seq()) else {
            return;
        };
        for (seq, _) in &mut self.entries {
            *seq += by;
        }
        self.next_seq += by;
    }

    /// Returns the number of the oldest entry, or the next number if there is none.
    fn first_seq(&self) -> u64 {
        self.entries.front().map_or(self.next_seq, |(seq, _)| *seq)
    }

    /// Returns the entries, oldest first.
    pub(super) fn entries(&self) -> &VecDeque<(u64, T)> {
        &self.entries
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.minor_count = 0;
    }

    /// Returns the selected entries that match: oldest first if the query has `after`, else newest first.
    pub(super) fn page(&self, query: &ActivityQuery, matches: impl Fn(&T) -> bool) -> Page<T> {
        let wants = |(seq, entry): &&(u64, T)| query.includes(*seq) && matches(entry);
        let limit = query.limit;
        if query.after.is_some() {
            self.entries
                .iter()
                .filter(wants)
                .take(limit)
                .cloned()
                .collect()
        } else {
            let entries = self.entries.iter().rev();
            entries.filter(wants).take(limit).cloned().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(recent: &RecentEntries<char>, query: &ActivityQuery) -> Vec<u64> {
        let found = recent.page(query, |entry| *entry != 'x');
        found.into_iter().map(|(seq, _)| seq).collect()
    }

    #[test]
    fn the_last_are_kept_and_found_from_both_ends() {
        let mut recent = RecentEntries::new(5);
        let displaced: Vec<bool> = "abcxefg".chars().map(|entry| recent.push(entry)).collect();
        assert_eq!(displaced, [false, false, false, false, false, true, true]);
        let mut query = ActivityQuery {
            limit: 2,
            ..ActivityQuery::default()
        };
        assert_eq!(seqs(&recent, &query), [7, 6]);
        query.before = Some(6);
        assert_eq!(seqs(&recent, &query), [5, 3]);
        query.after = Some(1);
        assert_eq!(seqs(&recent, &query), [3, 5]);
        query.before = None;
        query.after = Some(7);
        assert!(seqs(&recent, &query).is_empty());
    }

    #[test]
    fn minor_rows_displace_others_up_to_their_share() {
        let all = ActivityQuery {
            limit: 100,
            ..ActivityQuery::default()
        };
        let entries = |recent: &RecentEntries<char>| -> String {
            let found = recent.page(&all, |_| true).into_iter().rev();
            found.map(|(_, entry)| entry).collect()
        };
        let mut recent = RecentEntries::new(5).with_minor(2, |entry| *entry == '-');
        let push = |recent: &mut RecentEntries<char>, entries: &str| {
            entries.chars().for_each(|entry| {
                recent.push(entry);
            });
        };
        push(&mut recent, "ab--");
        assert_eq!(entries(&recent), "ab--");
        push(&mut recent, "-----");
        assert_eq!(
            entries(&recent),
            "ab---",
            "the third was there while there was room"
        );
        push(&mut recent, "cde");
        assert_eq!(entries(&recent), "--cde", "then the oldest go");
        push(&mut recent, "-fghij");
        assert_eq!(entries(&recent), "fghij");
        recent.clear();
        push(&mut recent, "------k");
        assert_eq!(entries(&recent), "----k");
    }

    #[test]
    fn places_go_on_behind_those_of_a_file() {
        let mut recent = RecentEntries::new(5);
        recent.push('a');
        recent.push('b');
        recent.renumber_from(100);
        assert_eq!(recent.entries()[0], (100, 'a'));
        recent.push('c');
        assert_eq!(recent.entries()[2], (102, 'c'));
        // A newly created file starts at a lower number, which changes nothing.
        recent.renumber_from(1);
        assert_eq!(recent.entries()[0], (100, 'a'));
    }
}
