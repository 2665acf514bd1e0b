//! Reads the memory buffers that the engine (llama-server) logs while it loads a model.
//!
//! At verbosity 4 the engine writes a line for each allocated buffer (llama.cpp b11434, src/llama-model.cpp
//! `load_tensors`, src/llama-kv-cache.cpp, src/llama-memory-recurrent.cpp, src/llama-context.cpp `sched_reserve`):
//!
//! ```text
//! load_tensors:   CPU_Mapped model buffer size =   235.16 MiB
//! llama_kv_cache:      CUDA0 KV buffer size =    12.00 MiB
//! sched_reserve:        CPU compute buffer size =    23.28 MiB
//! ```
//!
//! The sizes are exact, and available as soon as the model is ready; the exact [`MemoryReport`] of `--log-jsonl` is
//! written only when the process ends.

use super::report::{MemoryKind, MemoryReport, MemoryRow};

const MIB: f64 = 1024.0 * 1024.0;

/// Parses the buffers in the lines of a load; `None` if there are none.
pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<MemoryReport> {
    let rows: Vec<MemoryRow> = lines.into_iter().filter_map(parse_row).collect();
    (!rows.is_empty()).then_some(MemoryReport { rows })
}

/// Parses a line; `None` if it does not name a buffer.
fn parse_row(line: &str) -> Option<MemoryRow> {
    let (left, right) = line.split_once(" buffer size = ")?;
    let size = right.trim_start().split_once(" MiB")?.0;
    let size: f64 = size.parse().ok()?;
    if !(0.0..1e9).contains(&size) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, positive and far below the greatest"
    )]
    let bytes = (size * MIB).round() as u64;
    let mut words = left.split_whitespace().rev();
    let what = words.next()?;
    let name = words.next()?.to_owned();
    let (model, context, compute) = match what {
        "model" => (bytes, 0, 0),
        "KV" | "RS" => (0, bytes, 0),
        "compute" | "output" => (0, 0, bytes),
        _ => return None,
    };
    let kind = match name.as_str() {
        "CPU" | "CPU_Mapped" => MemoryKind::Host,
        _ if name.starts_with("CPU") || name.contains("_Host") || name == "AMX" => {
            MemoryKind::Buffer
        }
        _ if name.contains('_') => MemoryKind::Buffer,
        _ => MemoryKind::Device,
    };
    Some(MemoryRow {
        kind,
        name,
        model,
        context,
        compute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_real_load_is_read() {
        // Written by llama-server b11434 -lv 4 for gemma-3-270m with -c 4096.
        let lines = [
            "0.00.760.519 I load_tensors:   CPU_Mapped model buffer size =   235.16 MiB",
            "0.00.760.543 I load_tensors:   CPU_REPACK model buffer size =    12.66 MiB",
            "0.00.791.841 I llama_context:        CPU  output buffer size =     1.00 MiB",
            "0.00.791.904 I llama_kv_cache:        CPU KV buffer size =    12.00 MiB",
            "0.00.803.836 I llama_kv_cache: size =   12.00 MiB (  4096 cells,   3 layers)",
            "0.00.803.916 I llama_kv_cache:        CPU KV buffer size =    15.00 MiB",
            "0.00.825.007 I sched_reserve:        CPU compute buffer size =    23.28 MiB",
        ];
        let report = parse(lines).unwrap();
        assert_eq!(report.rows.len(), 6);
        let sum = |of: fn(&MemoryRow) -> u64| report.rows.iter().map(of).sum::<u64>() / MIB;
        assert_eq!(
            (
                sum(|row| row.model),
                sum(|row| row.context),
                sum(|row| row.compute)
            ),
            (247, 27, 24)
        );
    }

    #[test]
    fn each_device_has_its_own() {
        let report = parse([
            "load_tensors:        CUDA0 model buffer size =  1000.00 MiB",
            "load_tensors:   CPU_Mapped model buffer size =   100.00 MiB",
            "llama_kv_cache:      CUDA0 KV buffer size =    50.00 MiB",
            "sched_reserve:  CUDA_Host compute buffer size =    5.00 MiB",
        ]);
        let report = report.unwrap();
        assert_eq!(report.device("CUDA0"), 1050 * MIB);
        assert_eq!(report.host(), 105 * MIB);
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "buffer size = ",
            "CPU KV buffer size = x MiB",
            "CPU odd buffer size = 1 MiB",
            "CPU KV buffer size = -1 MiB",
            "KV buffer size = 1 MiB",
        ] {
            assert_eq!(parse([line]), None, "{line}");
        }
    }
}
