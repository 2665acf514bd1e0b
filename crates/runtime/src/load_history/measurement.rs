//! Defines the measurement of a load's memory and duration, and merges measurements of several loads of the same model
//! files, arguments and engine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Memory of a load in RAM (`host`) and on each device, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MeasuredMemory {
    pub(crate) host: u64,
    /// Bytes by the engine's device names.
    pub(crate) devices: BTreeMap<String, u64>,
}

impl MeasuredMemory {
    /// Returns the maximum for each location.
    fn max(mut self, other: &Self) -> Self {
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

    /// Parses the output of [`Self::to_json`]; `None` for anything else.
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

/// Merged measurements of loads of the same files, arguments and engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadMeasurement {
    /// Memory by the engine's last report.
    pub(crate) reported: Option<MeasuredMemory>,
    /// Memory as the system last showed it.
    pub(crate) observed: Option<MeasuredMemory>,
    /// Time from start to ready; over several loads a mean in which the last one counts half.
    pub(crate) load: Duration,
    /// The context that the engine fitted into memory. Not measured yet: always `None` in new measurements.
    pub(crate) context: Option<u32>,
    /// Number of loads measured. Ignored when a measurement is recorded.
    pub(crate) loads: u32,
    /// Time of the last load in Unix seconds.
    pub(crate) measured_at: u64,
}

impl LoadMeasurement {
    /// Returns the memory of such a load: for each location the maximum of reported and observed.
    ///
    /// Either value alone is too low: the engine does not know the driver's part, and the system does not show
    /// memory that is reserved but not touched.
    pub(crate) fn memory(&self) -> MeasuredMemory {
        [&self.reported, &self.observed]
            .into_iter()
            .flatten()
            .fold(MeasuredMemory::default(), MeasuredMemory::max)
    }

    /// Merges this measurement with an `earlier` one.
    pub(super) fn merge_earlier(self, earlier: Self) -> Self {
        Self {
            reported: self.reported.or(earlier.reported),
            observed: self.observed.or(earlier.observed),
            load: self.load / 2 + earlier.load / 2,
            context: self.context,
            loads: earlier.loads.saturating_add(1),
            measured_at: self.measured_at.max(earlier.measured_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(host: u64, devices: &[(&str, u64)]) -> MeasuredMemory {
        let devices = devices
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), *bytes));
        MeasuredMemory {
            host,
            devices: devices.collect(),
        }
    }

    fn measurement(
        reported: Option<MeasuredMemory>,
        observed: Option<MeasuredMemory>,
    ) -> LoadMeasurement {
        LoadMeasurement {
            reported,
            observed,
            load: Duration::from_secs(4),
            context: Some(4096),
            loads: 1,
            measured_at: 100,
        }
    }

    #[test]
    fn memory_is_the_greater_in_each_place() {
        let merged = measurement(
            Some(memory(10, &[("CUDA0", 500), ("CUDA1", 7)])),
            Some(memory(30, &[("CUDA0", 400), ("Vulkan0", 1)])),
        );
        let want = memory(30, &[("CUDA0", 500), ("CUDA1", 7), ("Vulkan0", 1)]);
        assert_eq!(merged.memory(), want);
        assert_eq!(measurement(None, None).memory(), memory(0, &[]));
    }

    #[test]
    fn the_last_load_counts_half_and_replaces_what_it_knows() {
        let first = measurement(Some(memory(10, &[])), Some(memory(99, &[])));
        let mut second = measurement(None, Some(memory(50, &[])));
        second.load = Duration::from_secs(1);
        second.context = None;
        second.measured_at = 50;
        let both = second.merge_earlier(first);
        assert_eq!(both.load, Duration::from_millis(2500));
        assert_eq!(both.reported, Some(memory(10, &[])));
        assert_eq!(both.observed, Some(memory(50, &[])));
        assert_eq!(both.context, None);
        assert_eq!(both.loads, 2);
        assert_eq!(
            both.measured_at, 100,
            "a clock that was set back does not make it older"
        );
    }

    #[test]
    fn counting_and_meaning_do_not_overflow() {
        let mut old = measurement(None, None);
        old.loads = u32::MAX;
        old.load = Duration::MAX;
        let mut new = measurement(None, None);
        new.load = Duration::MAX;
        assert_eq!(new.merge_earlier(old).loads, u32::MAX);
    }

    #[test]
    fn memory_survives_being_written_down() {
        let full = memory(u64::MAX, &[("CUDA0", 1), ("a \"quoted\" name", u64::MAX)]);
        for memory in [full, MeasuredMemory::default()] {
            assert_eq!(MeasuredMemory::from_json(&memory.to_json()), Some(memory));
        }
        for text in [
            "",
            "7",
            "{}",
            r#"{"host":-1,"devices":{}}"#,
            r#"{"host":1,"devices":{"a":"b"}}"#,
        ] {
            assert_eq!(MeasuredMemory::from_json(text), None, "{text}");
        }
    }
}
