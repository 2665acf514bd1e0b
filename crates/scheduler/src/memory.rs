//! Amounts of memory, pool by pool.

use std::fmt;

/// How many pools there are: the host's, [`DEVICES`] devices', and the number of models.
const POOLS: usize = DEVICES + 2;

/// The most devices that are told apart.
pub const DEVICES: usize = 8;

/// The pool that counts loaded models.
const MODELS: usize = POOLS - 1;

/// Bytes in the host's memory and in each device's. As a budget it also bounds how many models may
/// be loaded, whatever their size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Memory([u64; POOLS]);

impl Memory {
    /// Nothing at all.
    pub const NONE: Self = Self([0; POOLS]);

    /// What one model needs: so much of the host's memory, and [`with_device`](Self::with_device)
    /// more.
    pub const fn needed(host: u64) -> Self {
        let mut pools = [0; POOLS];
        pools[0] = host;
        pools[MODELS] = 1;
        Self(pools)
    }

    /// A budget: so much of the host's memory, and at most so many models; 0 for any number.
    pub const fn budget(host: u64, models: u32) -> Self {
        let mut pools = [0; POOLS];
        pools[0] = host;
        pools[MODELS] = match models {
            0 => u64::MAX,
            most => most as u64,
        };
        Self(pools)
    }

    /// The same with so many bytes on a device. A device beyond [`DEVICES`] counts as the host.
    #[must_use]
    pub fn with_device(mut self, device: usize, bytes: u64) -> Self {
        let pool = if device < DEVICES { device + 1 } else { 0 };
        self.0[pool] = self.0[pool].saturating_add(bytes);
        self
    }

    /// Returns the same with `bytes` more of the host's memory.
    #[must_use]
    pub const fn with_host(mut self, bytes: u64) -> Self {
        self.0[0] = self.0[0].saturating_add(bytes);
        self
    }

    /// Bytes of the host's memory.
    pub const fn host(&self) -> u64 {
        self.0[0]
    }

    /// Bytes on a device.
    pub fn device(&self, device: usize) -> u64 {
        match device {
            0..DEVICES => self.0[device + 1],
            _ => 0,
        }
    }

    /// Bytes in all pools together.
    pub fn bytes(&self) -> u64 {
        self.0[..MODELS]
            .iter()
            .fold(0, |sum, pool| sum.saturating_add(*pool))
    }

    /// Whether this is at most `other` in each pool.
    pub fn fits(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(need, have)| need <= have)
    }

    /// Whether both have something in a pool.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| *a > 0 && *b > 0)
    }

    /// The sum, pool by pool.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (pool, more) in self.0.iter_mut().zip(&other.0) {
            *pool = pool.saturating_add(*more);
        }
        self
    }

    /// What is left, pool by pool; nothing where `other` is more.
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        for (pool, less) in self.0.iter_mut().zip(&other.0) {
            *pool = pool.saturating_sub(*less);
        }
        self
    }
}

impl Memory {
    /// The lesser of both, pool by pool.
    #[must_use]
    pub(crate) fn least(mut self, other: &Self) -> Self {
        for (pool, other) in self.0.iter_mut().zip(&other.0) {
            *pool = (*pool).min(*other);
        }
        self
    }

    /// The same, but more than `free` where it was thought to be enough and was not: on each device
    /// that this uses, else in the host's memory.
    #[must_use]
    pub(crate) fn beyond(mut self, free: &Self) -> Self {
        let mut pools = 0..MODELS;
        if self.0[1..MODELS].iter().any(|pool| *pool > 0) {
            pools = 1..MODELS;
        }
        for pool in pools.filter(|pool| self.0[*pool] > 0).collect::<Vec<_>>() {
            self.0[pool] = self.0[pool].max(free.0[pool].saturating_add(1));
        }
        self
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.host())?;
        for device in (0..DEVICES).filter(|device| self.device(*device) > 0) {
            write!(f, " + {} B on device {device}", self.device(device))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_compared_one_by_one() {
        let budget = Memory::budget(100, 2).with_device(0, 50);
        assert!(Memory::needed(100).fits(&budget));
        assert!(!Memory::needed(101).fits(&budget));
        assert!(!Memory::needed(1).with_device(0, 51).fits(&budget));
        assert!(!Memory::needed(1).with_device(1, 1).fits(&budget));
        let two = Memory::needed(10).plus(&Memory::needed(10));
        assert!(two.fits(&budget));
        assert!(!two.plus(&Memory::needed(0)).fits(&budget), "a third model");
        assert_eq!(budget.minus(&two).host(), 80);
        assert_eq!(two.bytes(), 20);
    }

    #[test]
    fn nothing_overflows_and_far_devices_count_as_the_host() {
        let all = Memory::budget(u64::MAX, 0);
        assert_eq!(all.plus(&all), all);
        assert_eq!(Memory::NONE.minus(&all), Memory::NONE);
        assert_eq!(Memory::needed(1).with_device(DEVICES, 2).host(), 3);
        assert_eq!(Memory::needed(1).device(DEVICES), 0);
        assert!(!Memory::NONE.meets(&all));
    }
}
