//! What one load taught, and how two lessons become one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// How much memory, and where. In bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) host: u64,
    /// By the engine's names for them.
    pub(crate) devices: BTreeMap<String, u64>,
}

impl Memory {
    /// The greater of the two in each place.
    fn or_more(mut self, other: &Self) -> Self {
        self.host = self.host.max(other.host);
        for (name, bytes) in &other.devices {
            let mine = self.devices.entry(name.clone()).or_default();
            *mine = (*mine).max(*bytes);
        }
        self
    }

    pub(super) fn to_json(&self) -> String {
        json!({ "host": self.host, "devices": self.devices }).to_string()
    }

    /// Reads what [`Self::to_json`] wrote; `None` for anything else.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        let value: Map<String, Value> = serde_json::from_str(text).ok()?;
        let devices = value.get("devices")?.as_object()?;
        Some(Self {
            host: value.get("host")?.as_u64()?,
            devices: devices
                .iter()
                .map(|(name, bytes)| Some((name.clone(), bytes.as_u64()?)))
                .collect::<Option<_>>()?,
        })
    }
}

/// What loads of one kind taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// What the engine said it took, the last time it said so.
    pub(crate) reported: Option<Memory>,
    /// What the system showed, the last time it was looked at.
    pub(crate) observed: Option<Memory>,
    /// From start to ready. After more than one load a mean, in which the last counts half.
    pub(crate) load: Duration,
    /// The context the engine fitted into memory, where it chose it.
    pub(crate) context: Option<u32>,
    /// How many loads this was learned from. Not read when a lesson is given.
    pub(crate) loads: u32,
    /// When the last of them was, in seconds of Unix time.
    pub(crate) at: u64,
}

impl Lesson {
    /// What a load of this kind takes: the greater, in each place, of what was reported and observed.
    ///
    /// The engine knows nothing of the driver's part, and the system does not show what is reserved but
    /// not touched: each alone is too little.
    pub(crate) fn memory(&self) -> Memory {
        [&self.reported, &self.observed]
            .into_iter()
            .flatten()
            .fold(Memory::default(), Memory::or_more)
    }

    /// This lesson after an `earlier` one.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            reported: self.reported.or(earlier.reported),
            observed: self.observed.or(earlier.observed),
            load: self.load / 2 + earlier.load / 2,
            context: self.context,
            loads: earlier.loads.saturating_add(1),
            at: self.at.max(earlier.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(host: u64, devices: &[(&str, u64)]) -> Memory {
        let devices = devices
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), *bytes));
        Memory {
            host,
            devices: devices.collect(),
        }
    }

    fn lesson(reported: Option<Memory>, observed: Option<Memory>) -> Lesson {
        Lesson {
            reported,
            observed,
            load: Duration::from_secs(4),
            context: Some(4096),
            loads: 1,
            at: 100,
        }
    }

    #[test]
    fn memory_is_the_greater_in_each_place() {
        let taught = lesson(
            Some(memory(10, &[("CUDA0", 500), ("CUDA1", 7)])),
            Some(memory(30, &[("CUDA0", 400), ("Vulkan0", 1)])),
        );
        let want = memory(30, &[("CUDA0", 500), ("CUDA1", 7), ("Vulkan0", 1)]);
        assert_eq!(taught.memory(), want);
        assert_eq!(lesson(None, None).memory(), memory(0, &[]));
    }

    #[test]
    fn the_last_load_counts_half_and_replaces_what_it_knows() {
        let first = lesson(Some(memory(10, &[])), Some(memory(99, &[])));
        let mut second = lesson(None, Some(memory(50, &[])));
        second.load = Duration::from_secs(1);
        second.context = None;
        second.at = 50;
        let both = second.after(first);
        assert_eq!(both.load, Duration::from_millis(2500));
        assert_eq!(both.reported, Some(memory(10, &[])));
        assert_eq!(both.observed, Some(memory(50, &[])));
        assert_eq!(both.context, None);
        assert_eq!(both.loads, 2);
        assert_eq!(
            both.at, 100,
            "a clock that was set back does not make it older"
        );
    }

    #[test]
    fn counting_and_meaning_do_not_overflow() {
        let mut old = lesson(None, None);
        old.loads = u32::MAX;
        old.load = Duration::MAX;
        let mut new = lesson(None, None);
        new.load = Duration::MAX;
        assert_eq!(new.after(old).loads, u32::MAX);
    }

    #[test]
    fn memory_survives_being_written_down() {
        let full = memory(u64::MAX, &[("CUDA0", 1), ("a \"quoted\" name", u64::MAX)]);
        for memory in [full, Memory::default()] {
            assert_eq!(Memory::from_json(&memory.to_json()), Some(memory));
        }
        for text in [
            "",
            "7",
            "{}",
            r#"{"host":-1,"devices":{}}"#,
            r#"{"host":1,"devices":{"a":"b"}}"#,
        ] {
            assert_eq!(Memory::from_json(text), None, "{text}");
        }
    }
}
