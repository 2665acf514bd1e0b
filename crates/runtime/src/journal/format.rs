//! Formats names, times and amounts of memory for people.

use crate::memory::ByteSize;
use paddock_scheduler::{Memory, ModelId};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names of models and devices by index.
#[derive(Debug)]
pub(crate) struct DisplayNames {
    pub(crate) models: Vec<String>,
    pub(crate) devices: Vec<String>,
}

impl DisplayNames {
    /// Returns the name of a model.
    pub(crate) fn name(&self, model: ModelId) -> &str {
        self.models.get(model.0).map_or("a model", String::as_str)
    }

    /// Returns the names of models, separated by commas.
    pub(super) fn list(&self, models: &[ModelId]) -> String {
        let names: Vec<_> = models.iter().map(|model| self.name(*model)).collect();
        names.join(", ")
    }

    /// Formats an amount of memory: RAM and that of each device.
    pub(super) fn format_memory(&self, memory: &Memory) -> String {
        format_memory(memory, &self.devices)
    }
}

/// Formats an amount of memory: RAM and that of each device.
pub(crate) fn format_memory(memory: &Memory, devices: &[String]) -> String {
    let mut parts = Vec::new();
    for (index, device) in devices
        .iter()
        .enumerate()
        .filter(|(index, _)| memory.device(*index) > 0)
    {
        parts.push(format!("{} on {device}", ByteSize(memory.device(index))));
    }
    if memory.host() > 0 || parts.is_empty() {
        parts.insert(0, ByteSize(memory.host()).to_string());
    }
    parts.join(" and ")
}

/// Formats a duration in the unit that suits its length.
pub(crate) fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..120 => format!("{} s", duration.as_secs()),
        seconds => format!("{} min", seconds / 60),
    }
}

/// Formats the time of day in UTC, as the log does.
pub(crate) fn format_clock(at: SystemTime) -> String {
    let seconds = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_of_its_length() {
        for (millis, text) in [
            (0, "0.00 s"),
            (1_234, "1.23 s"),
            (9_999, "10.00 s"),
            (10_000, "10 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_260_000, "121 min"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_time_of_day_is_in_utc() {
        for (seconds, text) in [
            (0, "00:00:00 UTC"),
            (3_661, "01:01:01 UTC"),
            (86_399, "23:59:59 UTC"),
            (86_400 + 60, "00:01:00 UTC"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(format_clock(at), text);
        }
        assert_eq!(
            format_clock(UNIX_EPOCH - Duration::from_secs(9)),
            "00:00:00 UTC"
        );
    }

    #[test]
    fn memory_names_each_device_that_holds_some() {
        const MIB: u64 = 1 << 20;
        let devices = ["CUDA0", "CUDA1"].map(str::to_owned);
        let host = Memory::needed(5 * MIB);
        let none = Memory::needed(0);
        for (memory, text) in [
            (none, "0 B"),
            (host, "5.00 MiB"),
            (none.with_device(1, MIB), "1.00 MiB on CUDA1"),
            (host.with_device(0, MIB), "5.00 MiB and 1.00 MiB on CUDA0"),
            (
                none.with_device(0, MIB).with_device(1, 2 * MIB),
                "1.00 MiB on CUDA0 and 2.00 MiB on CUDA1",
            ),
        ] {
            assert_eq!(format_memory(&memory, &devices), text);
        }
    }

    #[test]
    fn an_unknown_model_is_a_model() {
        let names = DisplayNames {
            models: vec!["a".to_owned(), "b".to_owned()],
            devices: Vec::new(),
        };
        assert_eq!(names.list(&[ModelId(1), ModelId(0)]), "b, a");
        assert_eq!(names.list(&[]), "");
        assert_eq!(names.name(ModelId(2)), "a model");
    }
}
