//! Parses the memory breakdown of a model that the engine (llama-server) itself logs.
//!
//! With `--log-jsonl` llama-server writes lines such as
//!
//! ```text
//! {"type":"fit_memory_breakdown","data":{"unit":"MiB","rows":[
//!   {"kind":"device","name":"CUDA0","description":"…","total":…,"free":…,"self":…,"model":…,"context":…,"compute":…,"unaccounted":…},
//!   {"kind":"host","name":"Host","self":…,"model":…,"context":…,"compute":…},
//!   {"kind":"buffer_type","name":"CPU_REPACK","self":…,"model":…,"context":…,"compute":…}]}}
//! ```
//!
//! in one line each (llama.cpp b11434, common/fit.cpp `common_memory_breakdown_print`). Values are rounded down to
//! whole MiB.
//!
//! - **Stream**: stdout (common/log.cpp). A child with `LLAMA_SERVER_ROUTER_PORT` in its environment makes its
//!   stdout a copy of its stderr and keeps the old one for its states (tools/server/server-common.cpp
//!   `server_reserve_stdout`): then the lines are on **stderr**.
//! - **While the engine loads**, only with `--fit on` (the default): one line for each trial fit, which counts what
//!   a load *would* take and allocates nothing. One line if all fits as requested; one more for each change that is
//!   tried, and for each measurement of a draft model, which the line does not distinguish (common/fit.cpp
//!   `common_fit_params`). With `--fit off` there is none.
//! - **When the engine ends**, one line with the memory the model really took, written after the last request
//!   (tools/server/server.cpp). A child that is killed, or signalled twice, does not write it.
//! - **Not included**: a multimodal projector, a draft model (at the end), the prompt cache, and the driver's
//!   memory.
//!
//! So the last report of a load is a good estimate, and the one at the end is exact for the main model. `device`
//! rows are in the order of the model's devices; `buffer_type` rows are neither in a device's own memory nor in
//! plain host memory: mostly repacked weights in RAM.

use serde_json::{Map, Value};

/// Longest line that is parsed: each row takes about 200 bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Maximum number of rows.
const MAX_ROWS: usize = 256;

const MIB: u64 = 1024 * 1024;

/// The engine's memory breakdown of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryReport {
    pub(crate) rows: Vec<MemoryRow>,
}

/// The location of a row's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryKind {
    /// On an accelerator.
    Device,
    /// In RAM.
    Host,
    /// In a buffer not listed with a device: in RAM, unless its name begins with a device's.
    Buffer,
}

impl MemoryKind {
    /// Parses the `kind` of a row.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "device" => Some(Self::Device),
            "host" => Some(Self::Host),
            "buffer_type" => Some(Self::Buffer),
            _ => None,
        }
    }
}

/// Memory at one location, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryRow {
    pub(crate) kind: MemoryKind,
    pub(crate) name: String,
    pub model: u64,
    pub(crate) context: u64,
    pub(crate) compute: u64,
}

impl MemoryRow {
    pub(crate) fn total(&self) -> u64 {
        self.model
            .saturating_add(self.context)
            .saturating_add(self.compute)
    }

    /// Returns true for `device`'s own row, or a buffer named after it.
    fn is_on(&self, device: &str) -> bool {
        match self.kind {
            MemoryKind::Device => self.name == device,
            MemoryKind::Buffer => self
                .name
                .strip_prefix(device)
                // CUDA10 is not a buffer of CUDA1.
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit())),
            MemoryKind::Host => false,
        }
    }
}

impl MemoryReport {
    /// Parses a line of a child's output; `None` if it is not a well-formed report.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > MAX_LINE_BYTES || !line.starts_with(b"{") {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?;
        // Every log line is JSON: skip the parser for most of them.
        if !text.contains("\"fit_memory_breakdown\"") {
            return None;
        }
        let event: Value = serde_json::from_str(text).ok()?;
        if event.get("type")? != "fit_memory_breakdown" || event["data"].get("unit")? != "MiB" {
            return None;
        }
        let rows = event["data"].get("rows")?.as_array()?;
        if rows.len() > MAX_ROWS {
            return None;
        }
        let mut known = Vec::new();
        for fields in rows {
            let fields = fields.as_object()?;
            // An unknown kind has no known location.
            if let Some(kind) = MemoryKind::parse(fields.get("kind")?.as_str()?) {
                known.push(parse_row(kind, fields)?);
            }
        }
        Some(Self { rows: known })
    }

    /// Returns the bytes in RAM without weights repacked for the CPU: the file's pages behind those are no longer
    /// needed, and the prediction counts weights once.
    pub(crate) fn host_without_repacked(&self) -> u64 {
        let copies = self.rows.iter().filter(|row| {
            row.kind == MemoryKind::Buffer && (row.name.contains("REPACK") || row.name == "AMX")
        });
        let copies = copies.fold(0_u64, |sum, row| sum.saturating_add(row.model));
        self.host().saturating_sub(copies)
    }

    /// Returns the bytes in RAM.
    pub(crate) fn host(&self) -> u64 {
        self.sum(|row| match row.kind {
            MemoryKind::Host => true,
            MemoryKind::Device => false,
            MemoryKind::Buffer => !self.devices().any(|device| row.is_on(device)),
        })
    }

    /// Returns the bytes on an accelerator, by the engine's name.
    pub(crate) fn device(&self, name: &str) -> u64 {
        self.sum(|row| row.is_on(name))
    }

    /// Returns the names of the accelerators.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &str> {
        let devices = self
            .rows
            .iter()
            .filter(|row| row.kind == MemoryKind::Device);
        devices.map(|row| row.name.as_str())
    }

    fn sum(&self, which: impl Fn(&MemoryRow) -> bool) -> u64 {
        let chosen = self.rows.iter().filter(|row| which(row));
        chosen.fold(0, |sum, row| sum.saturating_add(row.total()))
    }
}

fn parse_row(kind: MemoryKind, fields: &Map<String, Value>) -> Option<MemoryRow> {
    Some(MemoryRow {
        kind,
        name: fields.get("name")?.as_str()?.to_owned(),
        model: bytes(fields, "model")?,
        context: bytes(fields, "context")?,
        compute: bytes(fields, "compute")?,
    })
}

fn bytes(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    Some(fields.get(name)?.as_u64()?.saturating_mul(MIB))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &str) -> Option<MemoryReport> {
        let line =
            format!(r#"{{"type":"fit_memory_breakdown","data":{{"unit":"MiB","rows":[{rows}]}}}}"#);
        MemoryReport::parse(line.as_bytes())
    }

    fn row(kind: &str, name: &str, model: u64) -> String {
        format!(
            r#"{{"kind":"{kind}","name":"{name}","self":{model},"model":{model},"context":1,"compute":2}}"#
        )
    }

    #[test]
    fn a_line_of_a_real_engine_is_read() {
        // Written by llama-server b11434 for gemma-3-270m with -c 2048.
        let line = br#"{"type":"fit_memory_breakdown","data":{"unit":"MiB","rows":[{"kind":"host","name":"Host","self":293,"model":235,"context":36,"compute":22},{"kind":"buffer_type","name":"CPU_REPACK","self":12,"model":12,"context":0,"compute":0}]}}"#;
        let report = MemoryReport::parse(line).unwrap();
        assert_eq!(report.host(), (293 + 12) * MIB);
        assert_eq!(report.devices().count(), 0);
        assert_eq!(report.device("CUDA0"), 0);
        assert_eq!(report.rows[0].context, 36 * MIB);
    }

    #[test]
    fn each_place_has_its_own_sum() {
        let rows = [
            row("device", "CUDA1", 100),
            row("device", "CUDA10", 200),
            row("host", "Host", 10),
            row("buffer_type", "CUDA1_Split", 1000),
            row("buffer_type", "AMX", 20),
        ];
        let report = report(&rows.join(",")).unwrap();
        assert_eq!(report.device("CUDA1"), (103 + 1003) * MIB);
        assert_eq!(report.device("CUDA10"), 203 * MIB);
        assert_eq!(report.host(), (13 + 23) * MIB);
        assert_eq!(report.devices().collect::<Vec<_>>(), ["CUDA1", "CUDA10"]);
    }

    #[test]
    fn what_a_later_engine_adds_is_passed_over() {
        let rows = [
            row("host", "Host", 10),
            r#"{"kind":"tape","length":3}"#.to_owned(),
        ];
        assert_eq!(report(&rows.join(",")).unwrap().rows.len(), 1);
        let extra = row("host", "Host", 10).replace("\"self\"", "\"new\":[1],\"self\"");
        assert_eq!(report(&extra).unwrap().host(), 13 * MIB);
    }

    #[test]
    fn absurd_numbers_saturate() {
        let rows = [row("host", "Host", u64::MAX), row("host", "Host", u64::MAX)];
        assert_eq!(report(&rows.join(",")).unwrap().host(), u64::MAX);
    }

    #[test]
    fn malformed_lines_are_no_report() {
        for rows in [
            "7",
            "{}",
            r#"{"kind":"host","name":"Host","model":-1,"context":0,"compute":0}"#,
            r#"{"kind":"host","name":"Host","model":1.5,"context":0,"compute":0}"#,
            r#"{"kind":"host","name":7,"model":1,"context":0,"compute":0}"#,
            r#"{"kind":"host","name":"Host","model":1}"#,
        ] {
            assert_eq!(report(rows), None, "{rows}");
        }
        for line in [
            "",
            "{",
            "plain words",
            "\"fit_memory_breakdown\"",
            r#"{"type":"log","msg":"\"fit_memory_breakdown\""}"#,
            r#"{"type":"fit_memory_breakdown"}"#,
            r#"{"type":"fit_memory_breakdown","data":7}"#,
            r#"{"type":"fit_memory_breakdown","data":{"unit":"GiB","rows":[]}}"#,
            r#"{"type":"fit_memory_breakdown","data":{"unit":"MiB","rows":{}}}"#,
        ] {
            assert_eq!(MemoryReport::parse(line.as_bytes()), None, "{line}");
        }
        let mut broken = b"{\"fit_memory_breakdown\"".to_vec();
        broken.push(0xff);
        assert_eq!(MemoryReport::parse(&broken), None);
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let many = vec![row("host", "Host", 1); MAX_ROWS + 1].join(",");
        assert_eq!(report(&many), None);
        assert_eq!(report(&row("host", &"x".repeat(MAX_LINE_BYTES), 1)), None);
        let deep = "[".repeat(30_000);
        assert_eq!(report(&deep), None);
    }
}
