//! What the engine itself counts for a model.
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
//! in one line each (llama.cpp b11434, common/fit.cpp `common_memory_breakdown_print`). The parts are
//! rounded down to whole MiB.
//!
//! - **Stream**: stdout (common/log.cpp). A child that finds `LLAMA_SERVER_ROUTER_PORT` in its environment
//!   makes its stdout a copy of its stderr and keeps the old one for its states (tools/server/server-common.cpp
//!   `server_reserve_stdout`): then the lines are on **stderr**.
//! - **While it loads**, only with `--fit on` (the default): one line for each trial, which counts what a
//!   load *would* take and allocates nothing. One if all fits as asked; one more for each change that is
//!   tried, and for each time a draft model is measured, which the line does not tell apart
//!   (common/fit.cpp `common_fit_params`). With `--fit off` there is none.
//! - **At its end**, one that counts what the model had really taken, written after the last request
//!   (tools/server/server.cpp). A child that is killed, or told to stop twice, does not write it.
//! - **Not in it**: a multimodal projector, a draft model (at the end), the prompt cache, and what the driver takes.
//!
//! So the last report of a load is a good guess, and the one at the end is the truth about the main
//! model. `device` rows come in the order of the model's devices; `buffer_type` rows are what lies in
//! neither a device's own memory nor plain host memory: repacked weights in RAM, for the most part.

use serde_json::{Map, Value};

/// A longer line is not read: each row takes about 200 bytes.
const LONGEST: usize = 64 * 1024;

/// More rows than that are not read.
const ROWS: usize = 256;

const MIB: u64 = 1024 * 1024;

/// What the engine counts for one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

/// Where the memory of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On an accelerator.
    Device,
    /// In RAM.
    Host,
    /// In a buffer that is not listed with a device: in RAM, unless its name begins with a device's.
    Buffer,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "device" => Some(Self::Device),
            "host" => Some(Self::Host),
            "buffer_type" => Some(Self::Buffer),
            _ => None,
        }
    }
}

/// One place, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub model: u64,
    pub(crate) context: u64,
    pub(crate) compute: u64,
}

impl Row {
    pub(crate) fn total(&self) -> u64 {
        self.model
            .saturating_add(self.context)
            .saturating_add(self.compute)
    }

    /// Whether this is `device`'s memory: its own row, or a buffer named after it.
    fn is_of(&self, device: &str) -> bool {
        match self.kind {
            Kind::Device => self.name == device,
            Kind::Buffer => self
                .name
                .strip_prefix(device)
                // CUDA10 is not one of CUDA1's.
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit())),
            Kind::Host => false,
        }
    }
}

impl Report {
    /// Reads a line of a child's output; `None` for a line that is no report, or a malformed one.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > LONGEST || !line.starts_with(b"{") {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?;
        // Each line of the log is JSON: most need not be parsed.
        if !text.contains("\"fit_memory_breakdown\"") {
            return None;
        }
        let event: Value = serde_json::from_str(text).ok()?;
        if event.get("type")? != "fit_memory_breakdown" || event["data"].get("unit")? != "MiB" {
            return None;
        }
        let rows = event["data"].get("rows")?.as_array()?;
        if rows.len() > ROWS {
            return None;
        }
        let mut known = Vec::new();
        for fields in rows {
            let fields = fields.as_object()?;
            // A kind that is not known here says nothing that could be placed.
            if let Some(kind) = Kind::of(fields.get("kind")?.as_str()?) {
                known.push(row(kind, fields)?);
            }
        }
        Some(Self { rows: known })
    }

    /// The bytes in RAM, but for weights that were rearranged for the processor: the pages of the file behind
    /// those are not needed any more, and the prediction counts weights once.
    pub(crate) fn host_without_copies(&self) -> u64 {
        let copies = self.rows.iter().filter(|row| {
            row.kind == Kind::Buffer && (row.name.contains("REPACK") || row.name == "AMX")
        });
        let copies = copies.fold(0_u64, |sum, row| sum.saturating_add(row.model));
        self.host().saturating_sub(copies)
    }

    /// The bytes in RAM.
    pub(crate) fn host(&self) -> u64 {
        self.sum(|row| match row.kind {
            Kind::Host => true,
            Kind::Device => false,
            Kind::Buffer => !self.devices().any(|device| row.is_of(device)),
        })
    }

    /// The bytes on an accelerator, by the engine's name for it.
    pub(crate) fn device(&self, name: &str) -> u64 {
        self.sum(|row| row.is_of(name))
    }

    /// The names of the accelerators.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &str> {
        let devices = self.rows.iter().filter(|row| row.kind == Kind::Device);
        devices.map(|row| row.name.as_str())
    }

    fn sum(&self, which: impl Fn(&Row) -> bool) -> u64 {
        let chosen = self.rows.iter().filter(|row| which(row));
        chosen.fold(0, |sum, row| sum.saturating_add(row.total()))
    }
}

fn row(kind: Kind, fields: &Map<String, Value>) -> Option<Row> {
    Some(Row {
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

    fn report(rows: &str) -> Option<Report> {
        let line =
            format!(r#"{{"type":"fit_memory_breakdown","data":{{"unit":"MiB","rows":[{rows}]}}}}"#);
        Report::parse(line.as_bytes())
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
        let report = Report::parse(line).unwrap();
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
            assert_eq!(Report::parse(line.as_bytes()), None, "{line}");
        }
        let mut broken = b"{\"fit_memory_breakdown\"".to_vec();
        broken.push(0xff);
        assert_eq!(Report::parse(&broken), None);
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let many = vec![row("host", "Host", 1); ROWS + 1].join(",");
        assert_eq!(report(&many), None);
        assert_eq!(report(&row("host", &"x".repeat(LONGEST), 1)), None);
        let deep = "[".repeat(30_000);
        assert_eq!(report(&deep), None);
    }
}
