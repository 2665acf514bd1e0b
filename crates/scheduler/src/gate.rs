//! Admits requests to a warm (loaded) model without asking the scheduler.
//!
//! An admitted request holds a lease: the permission to send one request to the model, which stays in memory until
//! the lease is released.

use crate::sync::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The number of a start of a model's child process, counted from 1. A lease is valid for one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u32);

/// The moment from which a gate's timestamps count.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(Instant);

impl Epoch {
    /// Makes an epoch that begins at `at`.
    pub const fn new(at: Instant) -> Self {
        Self(at)
    }

    /// Converts a moment to a timestamp; moments before the epoch become the epoch.
    pub fn stamp(self, at: Instant) -> Stamp {
        let since = at.saturating_duration_since(self.0).as_millis();
        Stamp(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// Converts a timestamp to a moment.
    pub(crate) fn moment(self, stamp: Stamp) -> Instant {
        self.0 + Duration::from_millis(stamp.0)
    }
}

/// A moment, in milliseconds since the [`Epoch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

/// Set while the gate is open: requests may take leases.
const OPEN_BIT: u64 = 1 << 63;
/// Set while the end of the last lease must notify the scheduler.
const NOTIFY_IDLE_BIT: u64 = 1 << 62;
/// Set while another model waits for this one's memory.
const MEMORY_WANTED_BIT: u64 = 1 << 61;
/// The low 32 bits: the number of leases in flight.
const IN_FLIGHT_MASK: u64 = u32::MAX as u64;
/// The position of the next 29 bits: the generation of new leases.
const GENERATION_SHIFT: u32 = 32;
/// The bits of the generation.
const GENERATION_MASK: u64 = 0x1fff_ffff << GENERATION_SHIFT;

/// An atomic word that decides whether one more request may take a lease.
///
/// The word holds whether the gate is open, the generation of the child, and the number of leases in flight. Any
/// thread may try to take a lease; only the scheduler opens and shuts the gate. The gate is shut while a request is
/// queued for the model, so no request overtakes the queue.
#[derive(Debug)]
#[repr(align(64))]
pub struct Gate {
    word: AtomicU64,
    /// The end of the last lease.
    last_release: AtomicU64,
    /// The number of leases that have ended.
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
    /// Takes a lease if the gate is open and fewer than `cap` leases are in flight. Never waits.
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

    /// Gives a lease back. Returns true if the scheduler must be notified: the gate is shut, or this was the
    /// last lease and another model waits for the memory.
    #[must_use]
    pub fn release(&self, now: Stamp) -> bool {
        self.last_release.store(now.0, Ordering::Relaxed);
        self.releases.fetch_add(1, Ordering::Relaxed);
        self.give_back()
    }

    /// Gives back a lease that does not count as use of the model. The caller must notify the scheduler in any case:
    /// the model's keep-alive may have expired meanwhile.
    pub fn release_unused(&self) {
        self.give_back();
    }

    fn give_back(&self) -> bool {
        let before = self.word.fetch_sub(1, Ordering::Release);
        before & OPEN_BIT == 0 || (before & NOTIFY_IDLE_BIT != 0 && before & IN_FLIGHT_MASK == 1)
    }

    /// Returns true while a queued request waits for a lease to end, or another model for this one's memory.
    pub fn is_contended(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & OPEN_BIT == 0 || word & MEMORY_WANTED_BIT != 0
    }

    /// Returns the number of leases in flight.
    pub fn in_flight(&self) -> u32 {
        in_flight_of(self.word.load(Ordering::Acquire))
    }

    /// Takes a lease for a queued request, whether the gate is open or shut.
    pub(crate) fn grant(&self) -> Generation {
        generation_of(self.word.fetch_add(1, Ordering::Acquire))
    }

    /// Sets the generation of new leases, whether the gate is open or shut.
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

    /// Stops letting requests pass. Returns the number of leases in flight.
    pub(crate) fn shut(&self) -> u32 {
        in_flight_of(self.word.fetch_and(!OPEN_BIT, Ordering::AcqRel))
    }

    /// Shuts the gate unless a lease is in flight. Returns true if no lease is.
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

    /// Sets whether the end of the last lease notifies the scheduler while the gate is open.
    pub(crate) fn set_notify_idle(&self, notify: bool) {
        if notify {
            self.word.fetch_or(NOTIFY_IDLE_BIT, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!NOTIFY_IDLE_BIT, Ordering::AcqRel);
        }
    }

    /// Sets whether another model waits for this one's memory.
    pub(crate) fn set_memory_wanted(&self, wanted: bool) {
        if wanted {
            self.word.fetch_or(MEMORY_WANTED_BIT, Ordering::AcqRel);
        } else {
            self.word.fetch_and(!MEMORY_WANTED_BIT, Ordering::AcqRel);
        }
    }

    /// Returns the end of the last lease.
    pub(crate) fn last_release(&self) -> Stamp {
        Stamp(self.last_release.load(Ordering::Relaxed))
    }

    /// Returns the number of leases that have ended.
    pub(crate) fn release_count(&self) -> u64 {
        self.releases.load(Ordering::Relaxed)
    }

    /// Lets requests pass to this generation in tests that have no scheduler.
    #[doc(hidden)]
    pub fn open_for_tests(&self, generation: Generation) {
        self.set_generation(generation);
        self.open();
    }

    /// Sets whether another model waits for this one's memory, in tests that have no scheduler.
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
