use std::sync::atomic::{AtomicU64, Ordering};

/// Which start of a model's instance a lease is for. Counts up from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u32);

const OPEN: u64 = 1 << 63;
const COUNT: u64 = u32::MAX as u64;
const GENERATION_SHIFT: u32 = 32;
const GENERATION: u64 = 0x7fff_ffff << GENERATION_SHIFT;

/// The fast path of a lease: one atomic word that says whether one more request may go now.
///
/// It holds open or shut, the generation of the instance it lets through to, and how many leases
/// are in flight. Anybody may try to pass; the runtime alone opens and shuts it. It is shut while
/// somebody is queued for the model, so the fast path never overtakes the queue.
#[derive(Debug, Default)]
pub struct Gate {
    word: AtomicU64,
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

    /// Gives a lease back. True when the gate is shut: then the runtime wants to know.
    #[must_use]
    pub fn release(&self) -> bool {
        let before = self.word.fetch_sub(1, Ordering::Release);
        before & OPEN == 0
    }

    /// Takes a lease for a queued request, open or shut. The runtime's alone.
    pub fn grant(&self) -> Generation {
        generation(self.word.fetch_add(1, Ordering::Acquire))
    }

    /// Names the generation that leases are for, open or shut. The runtime's alone.
    pub fn set_generation(&self, to: Generation) {
        let bits = (u64::from(to.0) << GENERATION_SHIFT) & GENERATION;
        self.update(|word| word & !GENERATION | bits);
    }

    /// Opens it. The runtime's alone.
    pub fn open(&self) {
        self.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Shuts it. The runtime's alone.
    pub fn shut(&self) {
        self.word.fetch_and(!OPEN, Ordering::AcqRel);
    }

    /// Leases in flight now.
    pub fn in_flight(&self) -> u32 {
        u32::try_from(self.word.load(Ordering::Acquire) & COUNT).unwrap_or(u32::MAX)
    }

    fn update(&self, change: impl Fn(u64) -> u64) {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Err(now) =
            self.word
                .compare_exchange_weak(word, change(word), Ordering::AcqRel, Ordering::Relaxed)
        {
            word = now;
        }
    }
}

fn generation(word: u64) -> Generation {
    Generation(u32::try_from((word & GENERATION) >> GENERATION_SHIFT).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shut_gate_lets_nobody_through() {
        let gate = Gate::default();
        assert_eq!(gate.try_acquire(8), None);
        gate.set_generation(Generation(3));
        gate.open();
        assert_eq!(gate.try_acquire(8), Some(Generation(3)));
        gate.shut();
        assert_eq!(gate.try_acquire(8), None);
        assert_eq!(gate.in_flight(), 1);
        assert!(gate.release(), "the release of a shut gate is told");
        assert_eq!(gate.in_flight(), 0);
    }

    #[test]
    fn the_cap_holds_for_the_fast_path_alone() {
        let gate = Gate::default();
        gate.open();
        assert!(gate.try_acquire(1).is_some());
        assert_eq!(gate.try_acquire(1), None);
        gate.grant();
        assert_eq!(gate.in_flight(), 2);
        assert!(!gate.release());
    }

    #[test]
    fn threads_never_pass_the_cap() {
        let gate = Gate::default();
        gate.open();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if gate.try_acquire(3).is_some() {
                            assert!(gate.in_flight() <= 3);
                            let _ = gate.release();
                        }
                    }
                });
            }
        });
        assert_eq!(gate.in_flight(), 0);
    }
}
