//! Reads the memory of the machine, of processes and of devices, in bytes. The engine is llama-server.
//!
//! | module | fact | source |
//! |---|---|---|
//! | [`host`] | RAM available for models; counters of out-of-memory kills | the kernel |
//! | [`cgroup`] | limits of the memory cgroups around this process | the kernel |
//! | [`process`] | RAM of a process | the kernel |
//! | [`devices`] | accelerators, by the engine's names | the engine |
//! | [`nvml`] | memory of NVIDIA GPUs, by process | the driver |
//! | [`buffer_log`] | buffers that the engine allocated for one model | its log |
//! | [`report`] | the engine's memory breakdown of one model | its log in JSON |
//! | [`engine_help`] | flags that the engine supports | the engine |
//!
//! The kernel is read through files under `/proc` and `/sys`. On systems without these files, such as macOS, the
//! functions return `None`.

pub(crate) mod buffer_log;
mod byte_size;
mod cgroup;
pub(crate) mod devices;
pub(crate) mod engine_help;
pub(crate) mod host;
pub(crate) mod nvml;
pub(crate) mod process;
pub(crate) mod report;

pub(crate) use byte_size::ByteSize;
pub(crate) use devices::Device;

/// Directory that contains the kernel's `proc` and `sys`; tests use a temporary one.
const ROOT: &str = "/";

/// Parses `name: 123 kB`, as the kernel writes it in `meminfo`, `status` and `smaps_rollup`.
///
/// The parsers of procfs-core for these files require more fields, and fail on what a sandboxed kernel such as
/// gVisor leaves out.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let count: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    count.checked_mul(1024)
}

/// A temporary directory in place of the root of a machine.
#[cfg(test)]
struct FakeRoot(tempfile::TempDir);

#[cfg(test)]
impl FakeRoot {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::kibibytes;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "Rss: 1 kB\nPss_Dirty:       7 kB\nPss:            12 kB\n";
        assert_eq!(kibibytes(text, "Pss"), Some(12 * 1024));
    }

    #[test]
    fn what_is_no_number_of_kibibytes_is_nothing() {
        for text in [
            "",
            "Pss",
            "Pss:",
            "Pss: kB",
            "Pss: -1 kB",
            "Pss: 12",
            "Pss: 99999999999999999999 kB",
            "Pss: 18446744073709551615 kB",
        ] {
            assert_eq!(kibibytes(text, "Pss"), None, "{text}");
        }
    }
}
