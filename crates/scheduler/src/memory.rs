//! Defines [`Memory`], an amount of memory in each pool: the host's RAM and each device's own memory.

use std::fmt;
use std::num::NonZeroU32;

/// The number of devices (GPUs) whose memory is counted separately; that of further devices counts as the host's.
pub const MAX_DEVICES: usize = 8;

/// Bytes in the host's memory and in each device's, and a number of models. As a budget it also bounds how many
/// models may be loaded, whatever their size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    host: u64,
    devices: [u64; MAX_DEVICES],
    models: ModelCount,
}

/// A number of models, or no limit. [`Ord`] follows the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ModelCount {
    Finite(u64),
    Unlimited,
}

impl Memory {
    /// No memory and no model.
    pub const NONE: Self = Self {
        host: 0,
        devices: [0; MAX_DEVICES],
        models: ModelCount::Finite(0),
    };

    /// Returns the demand of one model: `host` bytes of the host's memory;
    /// [`with_device`](Self::with_device) adds that of devices.
    pub const fn needed(host: u64) -> Self {
        Self {
            host,
            devices: [0; MAX_DEVICES],
            models: ModelCount::Finite(1),
        }
    }

    /// Returns a budget: `host` bytes of the host's memory, and at most `max_models` models; `None` for any number.
    pub fn budget(host: u64, max_models: Option<NonZeroU32>) -> Self {
        Self {
            host,
            devices: [0; MAX_DEVICES],
            models: max_models.map_or(ModelCount::Unlimited, |max| {
                ModelCount::Finite(max.get().into())
            }),
        }
    }

    /// Returns the same with `bytes` more on a device. A device beyond [`MAX_DEVICES`] counts as the host.
    #[must_use]
    pub fn with_device(mut self, device: usize, bytes: u64) -> Self {
        let pool = self.devices.get_mut(device).unwrap_or(&mut self.host);
        *pool = pool.saturating_add(bytes);
        self
    }

    /// Returns the same with `bytes` more of the host's memory.
    #[must_use]
    pub const fn with_host(mut self, bytes: u64) -> Self {
        self.host = self.host.saturating_add(bytes);
        self
    }

    /// Returns the bytes of the host's memory.
    pub const fn host(&self) -> u64 {
        self.host
    }

    /// Returns the bytes on a device.
    pub fn device(&self, device: usize) -> u64 {
        self.devices.get(device).copied().unwrap_or(0)
    }

    /// Returns the bytes of the host and all devices together.
    pub fn bytes(&self) -> u64 {
        self.devices
            .iter()
            .fold(self.host, |sum, device| sum.saturating_add(*device))
    }

    /// Returns true if this is at most `other` in each pool.
    pub fn fits(&self, other: &Self) -> bool {
        let mut devices = self.devices.iter().zip(&other.devices);
        self.host <= other.host
            && devices.all(|(need, have)| need <= have)
            && self.models <= other.models
    }

    /// Returns true if both have something in one and the same pool.
    pub fn overlaps(&self, other: &Self) -> bool {
        let mut devices = self.devices.iter().zip(&other.devices);
        (self.host > 0 && other.host > 0)
            || devices.any(|(a, b)| *a > 0 && *b > 0)
            || (self.models > ModelCount::Finite(0) && other.models > ModelCount::Finite(0))
    }

    /// Returns the sum, pool by pool.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        self.merge(other, u64::saturating_add, ModelCount::plus)
    }

    /// Returns what is left of each pool without `other`; 0 where `other` is more.
    #[must_use]
    pub fn minus(self, other: &Self) -> Self {
        self.merge(other, u64::saturating_sub, ModelCount::minus)
    }

    /// Returns the smaller amount of each pool.
    #[must_use]
    pub(crate) fn min_per_pool(self, other: &Self) -> Self {
        self.merge(other, u64::min, ModelCount::min)
    }

    /// Returns the amounts of the pools in which `other` has something, and nothing of the others.
    #[must_use]
    pub(crate) fn masked_by(self, other: &Self) -> Self {
        let mask = |amount, other| if other == 0 { 0 } else { amount };
        self.merge(other, mask, |count, other| match other {
            ModelCount::Finite(0) => other,
            _ => count,
        })
    }

    fn merge(
        mut self,
        other: &Self,
        bytes: impl Fn(u64, u64) -> u64,
        models: impl Fn(ModelCount, ModelCount) -> ModelCount,
    ) -> Self {
        self.host = bytes(self.host, other.host);
        for (device, other) in self.devices.iter_mut().zip(&other.devices) {
            *device = bytes(*device, *other);
        }
        self.models = models(self.models, other.models);
        self
    }

    /// Returns the same, but more than `free`, which was thought to be enough and was not: on each device that this
    /// uses, or in the host's memory if it uses none.
    #[must_use]
    pub(crate) fn raised_above(mut self, free: &Self) -> Self {
        let exceed = |needed: &mut u64, free: u64| {
            if *needed > 0 {
                *needed = (*needed).max(free.saturating_add(1));
            }
        };
        if self.devices == [0; MAX_DEVICES] {
            exceed(&mut self.host, free.host);
        }
        for (device, free) in self.devices.iter_mut().zip(free.devices) {
            exceed(device, free);
        }
        self
    }
}

impl ModelCount {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => Self::Finite(a.saturating_add(b)),
            _ => Self::Unlimited,
        }
    }

    /// Subtracts. A limit that does not exist stays so, except when the same is subtracted.
    fn minus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => Self::Finite(a.saturating_sub(b)),
            (Self::Unlimited, Self::Finite(_)) => Self::Unlimited,
            (_, Self::Unlimited) => Self::Finite(0),
        }
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
        for device in (0..MAX_DEVICES).filter(|device| self.device(*device) > 0) {
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
        let budget = Memory::budget(100, NonZeroU32::new(2)).with_device(0, 50);
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
        let all = Memory::budget(u64::MAX, None);
        assert_eq!(all.plus(&all), all);
        assert_eq!(Memory::NONE.minus(&all), Memory::NONE);
        assert_eq!(Memory::needed(1).with_device(MAX_DEVICES, 2).host(), 3);
        assert_eq!(Memory::needed(1).device(MAX_DEVICES), 0);
        assert!(!Memory::NONE.overlaps(&all));
    }

    #[test]
    fn any_number_of_models_fits_an_unlimited_budget() {
        let budget = Memory::budget(0, None);
        let many = (0..1000).fold(Memory::NONE, |sum, _| sum.plus(&Memory::needed(0)));
        assert!(many.fits(&budget) && Memory::needed(0).fits(&budget.minus(&many)));
        assert!(!budget.fits(&many), "no number is as many as any");
        assert!(many.overlaps(&budget) && budget.minus(&budget) == Memory::NONE);
    }

    #[test]
    fn memory_that_ran_out_is_asked_for_anew_where_it_is_used() {
        let free = Memory::budget(10, None).with_device(1, 5);
        let on_host = Memory::needed(3).raised_above(&free);
        assert_eq!((on_host.host(), on_host.device(1)), (11, 0));
        let on_device = Memory::needed(3).with_device(1, 2).raised_above(&free);
        assert_eq!((on_device.host(), on_device.device(1)), (3, 6));
        assert_eq!(Memory::needed(30).raised_above(&free).host(), 30);
    }
}
