//! Builds the list of metric families (a name, type and help text with samples) for `/metrics` and the OTLP export.

use paddock_runtime::RuntimeSnapshot;
use paddock_scheduler::Memory;
use paddock_telemetry::{Histogram, MetricFamily, MetricSample, MetricValue};

/// Metric families under construction.
#[derive(Default)]
pub(super) struct FamilyList(pub(super) Vec<MetricFamily>);

impl FamilyList {
    /// Starts a family, to which the next samples belong.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0.push(MetricFamily {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: help.to_owned(),
            samples: Vec::new(),
        });
    }

    /// Adds a value to the last family, which must have this name.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.add(name, labels, MetricValue::Number(value));
    }

    /// Adds a histogram to the last family, which must have this name. Omits an empty histogram.
    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        if histogram.count() > 0 {
            let value = MetricValue::Histogram(histogram.clone());
            self.add(name, labels, value);
        }
    }

    /// Adds a sample to the last family.
    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: MetricValue) {
        let family = self.0.last_mut().filter(|family| family.name == name);
        debug_assert!(family.is_some(), "{name} has no family");
        if let Some(family) = family {
            let labels = labels.iter();
            let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
            family.samples.push(MetricSample {
                labels: labels.map(owned).collect(),
                value,
            });
        }
    }

    /// Adds a sample for the host's memory and one for the memory of each device.
    pub(super) fn memory(
        &mut self,
        name: &str,
        kind: &str,
        model: &str,
        memory: &Memory,
        snapshot: &RuntimeSnapshot,
    ) {
        let devices = snapshot.devices.iter().enumerate();
        let devices = devices.map(|(index, device)| (device.as_str(), memory.device(index)));
        for (device, bytes) in [("host", memory.host())].into_iter().chain(devices) {
            // `u64::MAX` means no limit.
            if bytes != u64::MAX {
                let labels = [("kind", kind), ("device", device), ("model", model)];
                self.sample(name, &labels, to_f64(bytes));
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format has no other numbers"
)]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}
