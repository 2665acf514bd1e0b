//! The accelerators, as the engine names them.
//!
//! `llama-server --list-devices` loads its backends, writes on stdout
//!
//! ```text
//! Available devices:
//!   CUDA0: NVIDIA GeForce RTX 4090 (24210 MiB, 23790 MiB free)
//! ```
//!
//! or `  (none)`, and exits with 0 (llama.cpp b11434, common/arg.cpp `common_print_available_devices`).
//! Each device that is no CPU has a line; one that has no memory of its own, such as BLAS, says 0 MiB.
//! An engine that does not know the flag exits with 1 and says so on stderr.

use std::time::Duration;

use paddock_supervisor::{Exit, Launch, ProgramOutput, RunProgramError, Spawner};

/// How long an engine may take. A cold GPU driver takes seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// How much of the last words of an engine that failed is told.
const WORDS: usize = 300;

const MIB: u64 = 1024 * 1024;

/// An accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The engine's name for it, such as `CUDA0`: what `--device` takes.
    pub(crate) name: String,
    pub(crate) description: String,
    /// Its memory in bytes; 0 if it has none of its own, or its driver does not say.
    pub(crate) total: u64,
    pub(crate) free: u64,
}

/// Why the devices are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevicesError {
    #[error("{program} --list-devices: {source}")]
    Silent {
        program: String,
        source: RunProgramError,
    },
    #[error("{program} --list-devices failed ({exit}): {words}")]
    Failed {
        program: String,
        exit: Exit,
        words: String,
    },
    #[error("{program} --list-devices wrote no list of devices")]
    NoList { program: String },
}

/// The argument that asks for them.
pub(crate) const FLAG: &str = "--list-devices";

/// Asks an engine which devices it can use: `launch` runs it with [`FLAG`], and its environment decides
/// which devices are seen.
pub(crate) async fn list(
    spawner: &Spawner,
    launch: Launch,
    cancelled: impl Future<Output = ()>,
) -> Result<Vec<Device>, DevicesError> {
    let program = launch.program.display().to_string();
    match spawner.run_program(launch, LIMIT, cancelled).await {
        Ok(answer) => read(program, &answer),
        Err(source) => Err(DevicesError::Silent { program, source }),
    }
}

fn read(program: String, answer: &ProgramOutput) -> Result<Vec<Device>, DevicesError> {
    if answer.exit != Exit::Code(0) {
        return Err(DevicesError::Failed {
            program,
            exit: answer.exit,
            words: last_words(&answer.stderr),
        });
    }
    parse(&String::from_utf8_lossy(&answer.stdout)).ok_or(DevicesError::NoList { program })
}

/// The last line that says anything.
fn last_words(err: &[u8]) -> String {
    let text = String::from_utf8_lossy(err);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or("it wrote nothing on stderr")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(WORDS)
        .collect()
}

/// Reads the list; `None` if there is none. What a backend writes in between is passed over.
fn parse(text: &str) -> Option<Vec<Device>> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == "Available devices:")?;
    Some(lines.filter_map(device).collect())
}

/// Reads one line from both ends: a description may hold any of the signs between.
fn device(line: &str) -> Option<Device> {
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

    fn answer(exit: i32, stdout: &str, stderr: &str) -> Result<Vec<Device>, DevicesError> {
        let answer = ProgramOutput {
            exit: Exit::Code(exit),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        read("/e/llama-server".to_owned(), &answer)
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
            assert_eq!(device(line), None, "{line}");
        }
        let huge = device("  A: x (18446744073709551615 MiB, 1 MiB free)").unwrap();
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
            matches!(quiet, Err(DevicesError::NoList { .. })),
            "{quiet:?}"
        );
        let list = "Available devices:\n  CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)\n";
        let devices = answer(0, list, "noise").unwrap();
        assert_eq!(devices, [named("CUDA0", "NVIDIA H200", 143_771, 143_000)]);
    }
}
