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

const OPEN_BIT: u64 = 1 << 63;
const NOTIFY_IDLE_BIT: u64 = 1 << 62;
const MEMORY_WANTED_BIT: u64 = 1 << 61;
const IN_FLIGHT_MASK: u64 = u32::MAX as u64;
const GENERATION_SHIFT: u32 = 32;
const GENERATION_MASK: u64 = 0x1fff_ffff << GENERATION_SHIFT;

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
    last_release: AtomicU64,
    /// How many leases have ended.
    releases: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(0),
            last_release: AtomicU64::new(0),
            releases: AtomicU64::new(0),
        }
    }
}

impl Gate {
    /// Takes a lease if the gate is open and fewer than `cap` are in flight. Never waits.
    pub fn try_acquire(&self, cap: u32) -> Option<Generation> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & OPEN_BIT == 0 || word & IN_FLIGHT_MASK >= u64::from(cap) {
                return None;
            }
            match self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(generation_of(word)),
                Err(now) => word = now,
            }
        }
    }

    /// Gives a lease back. True when the scheduler wants to know: the gate is shut, or this was the
    /// last lease and somebody waits for the model's memory.
    #[must_use]
    pub fn release(&self, now: Stamp) -> bool {
        self.last_release.store(now.0, Ordering::Relaxed);
        self.releases.fetch_add(1, Ordering::Relaxed);
        let before = self.word.fetch_sub(1, Ordering::Release);
        before & OPEN_BIT == 0 || (before & NOTIFY_IDLE_BIT != 0 && before & IN_FLIGHT_MASK == 1)
    }

    /// Returns true while somebody waits for a lease to end: for its place, or for the model's memory.
    pub fn is_contended(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & OPEN_BIT == 0 || word & MEMORY_WANTED_BIT != 0
    }

    /// Leases in flight now.
    pub fn in_flight(&self) -> u32 {
        in_flight_of(self.word.load(Ordering::Acquire))
    }

    /// Takes a lease for a queued request, open or shut.
    pub(crate) fn grant(&self) -> Generation {
        generation_of(self.word.fetch_add(1, Ordering::Acquire))
    }

    /// Names the generation that leases are for, open or shut.
    pub(crate) fn set_generation(&self, to: Generation) {
        let bits = (u64::from(to.0) << GENERATION_SHIFT) & GENERATION_MASK;
        let mut word = self.word.load(Ordering::Relaxed);
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            word & !GENERATION_MASK | bits,
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            word = now;
        }
    }

    /// Lets requests pass.
    pub(crate) fn open(&self) {
        self.word.fetch_or(OPEN_BIT, Ordering::Release);
    }

    /// Lets no more pass, and says how many are in flight.
    pub(crate) fn shut(&self) -> u32 {
        in_flight_of(self.word.fetch_and(!OPEN_BIT, Ordering::AcqRel))
    }

    /// Shuts it unless a request is in flight; whether it is shut and nothing is.
    pub(crate) fn shut_if_idle(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & IN_FLIGHT_MASK > 0 {
                return false;
            }
            match self.word.compare_exchange_weak(
                word,
                word & !OPEN_BIT,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Asks to be told, or not, when the last lease ends although the gate is open.
    pub(crate) fn set_notify_idle(&self, notify: bool) {
        if notify {
            self.word.fetch_or(NOTIFY_IDLE_BIT, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!NOTIFY_IDLE_BIT, Ordering::AcqRel);
        }
    }

    /// Takes note that another model waits for this one's memory, or none does.
    pub(crate) fn set_memory_wanted(&self, wanted: bool) {
        if wanted {
            self.word.fetch_or(MEMORY_WANTED_BIT, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!MEMORY_WANTED_BIT, Ordering::AcqRel);
        }
    }

    /// When the last lease ended.
    pub(crate) fn last_release(&self) -> Stamp {
        Stamp(self.last_release.load(Ordering::Relaxed))
    }

    /// How many leases have ended so far.
    pub(crate) fn release_count(&self) -> u64 {
        self.releases.load(Ordering::Relaxed)
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
    pub fn set_memory_wanted_for_tests(&self, wanted: bool) {
        self.set_memory_wanted(wanted);
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) & OPEN_BIT != 0
    }
}

fn in_flight_of(word: u64) -> u32 {
    u32::try_from(word & IN_FLIGHT_MASK).unwrap_or(u32::MAX)
}

fn generation_of(word: u64) -> Generation {
    Generation(u32::try_from((word & GENERATION_MASK) >> GENERATION_SHIFT).unwrap_or(0))
}

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
