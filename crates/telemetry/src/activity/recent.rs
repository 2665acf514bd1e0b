use super::{Page, Wanted};
use std::collections::VecDeque;

/// The last of something, each in its place: a later one has a greater one.
#[derive(Debug)]
pub(super) struct Recent<T> {
    rows: VecDeque<(u64, T)>,
    most: usize,
    next: u64,
    /// Which rows are minor: once there are more of them than `minor_share`, they make room first.
    is_minor: fn(&T) -> bool,
    minor_share: usize,
    /// The number of minor rows.
    minor: usize,
}

impl<T: Clone> Recent<T> {
    /// At most so many.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            most,
            next: 1,
            is_minor: |_| false,
            minor_share: most,
            minor: 0,
        }
    }

    /// Lets minor rows displace others only while there are at most `share` of them.
    pub(super) const fn with_minor(mut self, share: usize, is_minor: fn(&T) -> bool) -> Self {
        self.minor_share = share;
        self.is_minor = is_minor;
        self
    }

    /// Adds one. Says whether an older one had to go for it.
    pub(super) fn push(&mut self, row: T) -> bool {
        let full = self.rows.len() == self.most;
        if full {
            self.make_room();
        }
        self.minor += usize::from((self.is_minor)(&row));
        self.rows.push_back((self.next, row));
        self.next += 1;
        full
    }

    /// Removes the oldest row, or the oldest minor one if there are more of these than their share.
    fn make_room(&mut self) {
        let is_minor = self.is_minor;
        let minor = self.minor > self.minor_share;
        let at = minor.then(|| self.rows.iter().position(|(_, row)| is_minor(row)));
        let gone = self.rows.remove(at.flatten().unwrap_or(0));
        let was_minor = gone.is_some_and(|(_, row)| is_minor(&row));
        self.minor -= usize::from(was_minor);
    }

    /// Goes on behind a place: what is there moves up behind it.
    pub(super) fn follow(&mut self, next: u64) {
        let Some(by) = next.checked_sub(self.first()) else {
            return;
        };
        for (seq, _) in &mut self.rows {
            *seq += by;
        }
        self.next += by;
    }

    /// The place of the oldest, or of the next one where there is none.
    fn first(&self) -> u64 {
        self.rows.front().map_or(self.next, |(seq, _)| *seq)
    }

    /// Those that are there, the oldest first.
    pub(super) fn rows(&self) -> &VecDeque<(u64, T)> {
        &self.rows
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.minor = 0;
    }

    /// Those that are wanted and match, newest first where nothing is said of a place before them, and
    /// oldest first else.
    pub(super) fn find(&self, wanted: &Wanted, matches: impl Fn(&T) -> bool) -> Page<T> {
        let wants = |(seq, row): &&(u64, T)| wanted.has(*seq) && matches(row);
        let limit = wanted.limit;
        if wanted.after.is_some() {
            self.rows
                .iter()
                .filter(wants)
                .take(limit)
                .cloned()
                .collect()
        } else {
            let rows = self.rows.iter().rev();
            rows.filter(wants).take(limit).cloned().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(recent: &Recent<char>, wanted: &Wanted) -> Vec<u64> {
        let found = recent.find(wanted, |row| *row != 'x');
        found.into_iter().map(|(seq, _)| seq).collect()
    }

    #[test]
    fn the_last_are_kept_and_found_from_both_ends() {
        let mut recent = Recent::new(5);
        let gone: Vec<bool> = "abcxefg".chars().map(|row| recent.push(row)).collect();
        assert_eq!(gone, [false, false, false, false, false, true, true]);
        let mut wanted = Wanted {
            limit: 2,
            ..Wanted::default()
        };
        assert_eq!(seqs(&recent, &wanted), [7, 6]);
        wanted.before = Some(6);
        assert_eq!(seqs(&recent, &wanted), [5, 3]);
        wanted.after = Some(1);
        assert_eq!(seqs(&recent, &wanted), [3, 5]);
        wanted.before = None;
        wanted.after = Some(7);
        assert!(seqs(&recent, &wanted).is_empty());
    }

    #[test]
    fn minor_rows_displace_others_up_to_their_share() {
        let all = Wanted {
            limit: 100,
            ..Wanted::default()
        };
        let rows = |recent: &Recent<char>| -> String {
            let found = recent.find(&all, |_| true).into_iter().rev();
            found.map(|(_, row)| row).collect()
        };
        let mut recent = Recent::new(5).with_minor(2, |row| *row == '-');
        let push = |recent: &mut Recent<char>, rows: &str| {
            rows.chars().for_each(|row| {
                recent.push(row);
            });
        };
        push(&mut recent, "ab--");
        assert_eq!(rows(&recent), "ab--");
        push(&mut recent, "-----");
        assert_eq!(
            rows(&recent),
            "ab---",
            "the third was there while there was room"
        );
        push(&mut recent, "cde");
        assert_eq!(rows(&recent), "--cde", "then the oldest go");
        push(&mut recent, "-fghij");
        assert_eq!(rows(&recent), "fghij");
        recent.clear();
        push(&mut recent, "------k");
        assert_eq!(rows(&recent), "----k");
    }

    #[test]
    fn places_go_on_behind_those_of_a_file() {
        let mut recent = Recent::new(5);
        recent.push('a');
        recent.push('b');
        recent.follow(100);
        assert_eq!(recent.rows()[0], (100, 'a'));
        recent.push('c');
        assert_eq!(recent.rows()[2], (102, 'c'));
        // A file that was begun anew knows less.
        recent.follow(1);
        assert_eq!(recent.rows()[0], (100, 'a'));
    }
}
