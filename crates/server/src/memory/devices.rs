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

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long an engine may take. A cold GPU driver takes seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// How much of what the engine writes on one stream is kept; the rest is read and dropped.
const KEPT: usize = 64 * 1024;

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
    #[error("cannot run {program} --list-devices: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} --list-devices did not end within {} s", limit.as_secs())]
    Slow { program: String, limit: Duration },
    #[error("{program} --list-devices failed ({status}): {words}")]
    Failed {
        program: String,
        status: ExitStatus,
        words: String,
    },
    #[error("{program} --list-devices wrote no list of devices")]
    NoList { program: String },
}

/// Asks an engine which devices it can use.
///
/// `env` is the engine's whole environment: it decides which devices are seen. An engine that hangs is
/// killed, and so is one whose asker is gone.
pub(crate) async fn list(
    program: &Path,
    env: &[(OsString, OsString)],
) -> Result<Vec<Device>, DevicesError> {
    list_within(LIMIT, program, env).await
}

async fn list_within(
    limit: Duration,
    program: &Path,
    env: &[(OsString, OsString)],
) -> Result<Vec<Device>, DevicesError> {
    let name = || program.display().to_string();
    let spawn = |source| DevicesError::Spawn {
        program: name(),
        source,
    };
    let child = Command::new(program)
        .arg("--list-devices")
        .env_clear()
        .envs(env.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(spawn)?;
    let Ok(ended) = timeout(limit, outcome(child)).await else {
        return Err(DevicesError::Slow {
            program: name(),
            limit,
        });
    };
    let (status, out, err) = ended.map_err(spawn)?;
    if !status.success() {
        return Err(DevicesError::Failed {
            program: name(),
            status,
            words: last_words(&err),
        });
    }
    parse(&String::from_utf8_lossy(&out)).ok_or_else(|| DevicesError::NoList { program: name() })
}

/// Waits for the end of a child and of what it writes.
async fn outcome(mut child: Child) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    tokio::try_join!(child.wait(), start_of(out), start_of(err))
}

/// Reads a stream to its end and keeps its first bytes.
async fn start_of(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return Ok(kept);
    };
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Ok(kept);
        }
        let room = KEPT - kept.len();
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
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
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    const LIST: &str = "Available devices:\n  CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)\n";

    /// A shell script that stands for an engine.
    struct Engine(tempfile::TempDir);

    impl Engine {
        fn new(script: &str) -> Self {
            let engine = Self(tempfile::tempdir().unwrap());
            fs::write(engine.program(), format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(engine.program(), fs::Permissions::from_mode(0o755)).unwrap();
            engine
        }

        fn program(&self) -> PathBuf {
            self.0.path().join("engine")
        }

        async fn list(&self, limit: Duration) -> Result<Vec<Device>, DevicesError> {
            let env = [
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("CUDA_VISIBLE_DEVICES".into(), "3".into()),
            ];
            // A test beside this one may fork while the script is being written, and so hold it open
            // for a moment (ETXTBSY).
            for _ in 0..200 {
                match list_within(limit, &self.program(), &env).await {
                    Err(DevicesError::Spawn { source, .. })
                        if source.kind() == io::ErrorKind::ExecutableFileBusy => {}
                    other => return other,
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("the script stays busy");
        }
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

    #[tokio::test]
    async fn an_engine_is_asked_with_the_environment_given() {
        let script = format!(
            "[ \"$1\" = --list-devices ] && [ \"$CUDA_VISIBLE_DEVICES\" = 3 ] && [ -z \"$HOME\" ] || exit 9\n\
             echo noise >&2\nprintf '{LIST}'"
        );
        let devices = Engine::new(&script).list(LIMIT).await.unwrap();
        assert_eq!(devices, [named("CUDA0", "NVIDIA H200", 143_771, 143_000)]);
    }

    #[tokio::test]
    async fn an_engine_without_the_flag_is_quoted() {
        let engine = Engine::new("echo 'error: invalid argument: --list-devices' >&2; exit 1");
        let error = engine.list(LIMIT).await.unwrap_err().to_string();
        assert!(
            error.ends_with("error: invalid argument: --list-devices"),
            "{error}"
        );
        let quiet = Engine::new("true").list(LIMIT).await;
        assert!(
            matches!(quiet, Err(DevicesError::NoList { .. })),
            "{quiet:?}"
        );
    }

    #[tokio::test]
    async fn an_engine_that_hangs_is_given_up() {
        let engine = Engine::new("exec sleep 1000");
        let slow = engine.list(Duration::from_millis(300)).await;
        assert!(matches!(slow, Err(DevicesError::Slow { .. })), "{slow:?}");
    }

    #[tokio::test]
    async fn an_engine_that_writes_without_end_costs_a_constant() {
        let script =
            format!("printf '{LIST}'\nhead -c 3000000 /dev/zero\nhead -c 3000000 /dev/zero >&2");
        let devices = Engine::new(&script).list(LIMIT).await.unwrap();
        assert_eq!(devices.len(), 1);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = list(Path::new("/nowhere/engine"), &[]).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/engine"), "{error}");
    }
}
