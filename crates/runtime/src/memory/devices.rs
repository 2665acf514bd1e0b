//! Lists the accelerators that the engine (llama-server) can use, by the engine's names.
//!
//! `llama-server --list-devices` loads its backends, writes on stdout
//!
//! ```text
//! Available devices:
//!   CUDA0: NVIDIA GeForce RTX 4090 (24210 MiB, 23790 MiB free)
//! ```
//!
//! or `  (none)`, and exits with 0 (llama.cpp b11434, common/arg.cpp `common_print_available_devices`). Each device
//! except the CPU has a line; one without memory of its own, such as BLAS, shows 0 MiB. An engine that does not
//! know the flag exits with 1 and an error on stderr.

use std::time::Duration;

use paddock_supervisor::{Exit, Launch, ProgramOutput, RunProgramError, Spawner};

/// Longest run of the engine with `--list-devices`. A cold GPU driver takes seconds.
const LIST_TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum number of characters quoted from the last line of an engine that failed.
const MAX_ERROR_CHARS: usize = 300;

const MIB: u64 = 1024 * 1024;

/// An accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The engine's name, such as `CUDA0`, as `--device` takes it.
    pub(crate) name: String,
    pub(crate) description: String,
    /// Memory in bytes; 0 without memory of its own, or if its driver does not report any.
    pub(crate) total: u64,
    pub(crate) free: u64,
}

/// Failures to list the devices.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListDevicesError {
    #[error("{program} --list-devices: {source}")]
    NotRun {
        program: String,
        source: RunProgramError,
    },
    #[error("{program} --list-devices failed ({exit}): {words}")]
    Failed {
        program: String,
        exit: Exit,
        words: String,
    },
    #[error("{program} --list-devices printed no device list")]
    NoList { program: String },
}

/// Flag that makes the engine list its devices.
pub(crate) const LIST_FLAG: &str = "--list-devices";

/// Lists the devices that an engine can use. `launch` runs it with [`LIST_FLAG`]; its environment decides which
/// devices are visible.
pub(crate) async fn list_devices(
    spawner: &Spawner,
    launch: Launch,
    cancelled: impl Future<Output = ()>,
) -> Result<Vec<Device>, ListDevicesError> {
    let program = launch.program.display().to_string();
    match spawner.run_program(launch, LIST_TIMEOUT, cancelled).await {
        Ok(answer) => parse_output(program, &answer),
        Err(source) => Err(ListDevicesError::NotRun { program, source }),
    }
}

fn parse_output(program: String, answer: &ProgramOutput) -> Result<Vec<Device>, ListDevicesError> {
    if answer.exit != Exit::Code(0) {
        return Err(ListDevicesError::Failed {
            program,
            exit: answer.exit,
            words: last_line(&answer.stderr),
        });
    }
    parse(&String::from_utf8_lossy(&answer.stdout)).ok_or(ListDevicesError::NoList { program })
}

/// Returns the last nonempty line.
fn last_line(err: &[u8]) -> String {
    let text = String::from_utf8_lossy(err);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or("no error output")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_ERROR_CHARS)
        .collect()
}

/// Parses the list, ignoring other lines; `None` if there is none.
fn parse(text: &str) -> Option<Vec<Device>> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == "Available devices:")?;
    Some(lines.filter_map(parse_device).collect())
}

/// Parses one line from both ends, because a description may contain any of the separators.
fn parse_device(line: &str) -> Option<Device> {
    let (name, rest) = line.strip_prefix("  ")?.split_once(": ")?;
    let (rest, free) = rest
        .trim_end()
        .strip_suffix(" MiB free)")?
        .rsplit_once(" MiB, ")?;
    let (description, total) = rest.rsplit_once(" (")?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    Some(Device {
        name: name.to_owned(),
        description: description.to_owned(),
        total: total.parse::<u64>().ok()?.saturating_mul(MIB),
        free: free.parse::<u64>().ok()?.saturating_mul(MIB),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(exit: i32, stdout: &str, stderr: &str) -> Result<Vec<Device>, ListDevicesError> {
        let answer = ProgramOutput {
            exit: Exit::Code(exit),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        parse_output("/e/llama-server".to_owned(), &answer)
    }

    fn named(name: &str, description: &str, total: u64, free: u64) -> Device {
        Device {
            name: name.to_owned(),
            description: description.to_owned(),
            total: total * MIB,
            free: free * MIB,
        }
    }

    #[test]
    fn devices_of_many_kinds_are_read() {
        let text = "load_backend: loaded CUDA\nAvailable devices:\n\
            \x20 CUDA0: NVIDIA GeForce RTX 4090 (24210 MiB, 23790 MiB free)\n\
            ggml_vulkan: a word in between\n\
            \x20 Vulkan1: AMD Radeon RX 7900 XTX (RADV NAVI31) (24560 MiB, 24000 MiB free)\r\n\
            \x20 RPC0: 10.0.0.2:50052 (8000 MiB, 7000 MiB free)\n\
            \x20 BLAS: OpenBLAS (0 MiB, 0 MiB free)\n";
        let want = [
            named("CUDA0", "NVIDIA GeForce RTX 4090", 24210, 23790),
            named(
                "Vulkan1",
                "AMD Radeon RX 7900 XTX (RADV NAVI31)",
                24560,
                24000,
            ),
            named("RPC0", "10.0.0.2:50052", 8000, 7000),
            named("BLAS", "OpenBLAS", 0, 0),
        ];
        assert_eq!(parse(text).unwrap(), want);
    }

    #[test]
    fn none_is_an_empty_list_and_silence_is_no_list() {
        assert_eq!(parse("Available devices:\n  (none)\n"), Some(vec![]));
        assert_eq!(parse(""), None);
        assert_eq!(parse("llama-server\n"), None);
    }

    #[test]
    fn odd_lines_are_passed_over() {
        for line in [
            "  ",
            "  CUDA0",
            "  CUDA0: x",
            "  CUDA0: x (1 MiB, 2 MiB)",
            "  CUDA0: x (-1 MiB, 2 MiB free)",
            "  CUDA0: x (1 MiB, 99999999999999999999 MiB free)",
            "  : x (1 MiB, 2 MiB free)",
            "  a b: x (1 MiB, 2 MiB free)",
            "CUDA0: x (1 MiB, 2 MiB free)",
        ] {
            assert_eq!(parse_device(line), None, "{line}");
        }
        let huge = parse_device("  A: x (18446744073709551615 MiB, 1 MiB free)").unwrap();
        assert_eq!(huge.total, u64::MAX);
    }

    #[test]
    fn an_engine_without_the_flag_is_quoted() {
        let flag = "noise\nerror: invalid argument: --list-devices\n\n";
        let error = answer(1, "", flag).unwrap_err().to_string();
        assert!(error.starts_with("/e/llama-server --list-devices failed (exit code 1)"));
        assert!(
            error.ends_with("error: invalid argument: --list-devices"),
            "{error}"
        );
        let quiet = answer(0, "", "");
        assert!(
            matches!(quiet, Err(ListDevicesError::NoList { .. })),
            "{quiet:?}"
        );
        let list = "Available devices:\n  CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)\n";
        let devices = answer(0, list, "noise").unwrap();
        assert_eq!(devices, [named("CUDA0", "NVIDIA H200", 143_771, 143_000)]);
    }
}
