use crate::sync::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Which start of a model's instance a lease is for. Counts up from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u32);

/// Where a gate's milliseconds begin.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(Instant);

impl Epoch {
    /// Counts from here.
    pub const fn new(at: Instant) -> Self {
        Self(at)
    }

    /// A moment as a gate keeps it; what lies before the epoch is the epoch.
    pub fn stamp(self, at: Instant) -> Stamp {
        let since = at.saturating_duration_since(self.0).as_millis();
        Stamp(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// The moment of a stamp.
    pub(crate) fn moment(self, stamp: Stamp) -> Instant {
        self.0 + Duration::from_millis(stamp.0)
    }
}

/// A moment, in milliseconds since the [`Epoch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

const OPEN: u64 = 1 << 63;
const TELL: u64 = 1 << 62;
const WANTED: u64 = 1 << 61;
const COUNT: u64 = u32::MAX as u64;
const GENERATION_SHIFT: u32 = 32;
const GENERATION: u64 = 0x1fff_ffff << GENERATION_SHIFT;

/// The fast path of a lease: one atomic word that says whether one more request may go now.
///
/// It holds open or shut, the generation of the instance it lets through to, and how many leases
/// are in flight. Anybody may try to pass; the scheduler alone opens and shuts it. It is shut while
/// somebody is queued for the model, so the fast path never overtakes the queue.
#[derive(Debug)]
#[repr(align(64))]
pub struct Gate {
    word: AtomicU64,
    /// When the last lease ended.
    used: AtomicU64,
    /// How many leases have ended.
    uses: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(0),
            used: AtomicU64::new(0),
            uses: AtomicU64::new(0),
        }
    }
}

impl Gate {
    /// Takes a lease if the gate is open and fewer than `cap` are in flight. Never waits.
    pub fn try_acquire(&self, cap: u32) -> Option<Generation> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & OPEN == 0 || word & COUNT >= u64::from(cap) {
                return None;
            }
            match self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(generation(word)),
                Err(now) => word = now,
            }
        }
    }

    /// Gives a lease back. True when the scheduler wants to know: the gate is shut, or this was the
    /// last lease and somebody waits for the model's memory.
    #[must_use]
    pub fn release(&self, now: Stamp) -> bool {
        self.used.store(now.0, Ordering::Relaxed);
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.give_back()
    }

    /// Gives back a lease that was no use of the model, which stays as idle as it was. The scheduler always wants to
    /// know: the model's keep-alive may have ended meanwhile.
    pub fn release_unused(&self) {
        self.give_back();
    }

    fn give_back(&self) -> bool {
        let before = self.word.fetch_sub(1, Ordering::Release);
        before & OPEN == 0 || (before & TELL != 0 && before & COUNT == 1)
    }

    /// Returns true while somebody waits for a lease to end: for its place, or for the model's memory.
    pub fn is_contended(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & OPEN == 0 || word & WANTED != 0
    }

    /// Leases in flight now.
    pub fn in_flight(&self) -> u32 {
        count(self.word.load(Ordering::Acquire))
    }

    /// Takes a lease for a queued request, open or shut.
    pub(crate) fn grant(&self) -> Generation {
        generation(self.word.fetch_add(1, Ordering::Acquire))
    }

    /// Names the generation that leases are for, open or shut.
    pub(crate) fn set_generation(&self, to: Generation) {
        let bits = (u64::from(to.0) << GENERATION_SHIFT) & GENERATION;
        let mut word = self.word.load(Ordering::Relaxed);
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            word & !GENERATION | bits,
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            word = now;
        }
    }

    /// Lets requests pass.
    pub(crate) fn open(&self) {
        self.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Lets no more pass, and says how many are in flight.
    pub(crate) fn shut(&self) -> u32 {
        count(self.word.fetch_and(!OPEN, Ordering::AcqRel))
    }

    /// Shuts it unless a request is in flight; whether it is shut and nothing is.
    pub(crate) fn shut_if_idle(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & COUNT > 0 {
                return false;
            }
            match self.word.compare_exchange_weak(
                word,
                word & !OPEN,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Asks to be told, or not, when the last lease ends although the gate is open.
    pub(crate) fn tell(&self, tell: bool) {
        if tell {
            self.word.fetch_or(TELL, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!TELL, Ordering::AcqRel);
        }
    }

    /// Takes note that another model waits for this one's memory, or none does.
    pub(crate) fn set_wanted(&self, wanted: bool) {
        if wanted {
            self.word.fetch_or(WANTED, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!WANTED, Ordering::AcqRel);
        }
    }

    /// When the last lease ended.
    pub(crate) fn used(&self) -> Stamp {
        Stamp(self.used.load(Ordering::Relaxed))
    }

    /// How many leases have ended so far.
    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// Lets requests pass to this generation, where there is no scheduler to do so: in tests of what
    /// stands before the gate.
    #[doc(hidden)]
    pub fn open_for_tests(&self, generation: Generation) {
        self.set_generation(generation);
        self.open();
    }

    /// Has another model wait for this one's memory, or none, where there is no scheduler to say so.
    #[doc(hidden)]
    pub fn set_wanted_for_tests(&self, wanted: bool) {
        self.set_wanted(wanted);
    }

    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) & OPEN != 0
    }
}

fn count(word: u64) -> u32 {
    u32::try_from(word & COUNT).unwrap_or(u32::MAX)
}

fn generation(word: u64) -> Generation {
    Generation(u32::try_from((word & GENERATION) >> GENERATION_SHIFT).unwrap_or(0))
}

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
