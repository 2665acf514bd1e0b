//! What memory there is, and what is used of it. Everything here is in bytes.
//!
//! | module | fact | asked of |
//! |---|---|---|
//! | [`host`] | the RAM models may use, and who dies for want of it | the kernel |
//! | [`process`] | the RAM a process occupies | the kernel |
//! | [`devices`] | the accelerators there are, by the engine's names | the engine |
//! | [`nvml`] | the memory of NVIDIA cards, by process | the driver |
//! | [`buffers`] | what the engine has allocated for one model | its log |
//! | [`report`] | what the engine counts for one model | its log, where that is JSON |
//! | [`help`] | which flags the engine knows | the engine |
//!
//! The kernel is asked through files under `/proc` and `/sys`. Where there are none, as on macOS, the
//! answer is `None`, with no code of its own.

pub(crate) mod buffers;
mod bytes;
mod cgroup;
pub(crate) mod devices;
pub(crate) mod help;
pub(crate) mod host;
pub(crate) mod nvml;
pub(crate) mod process;
pub(crate) mod report;

pub(crate) use bytes::Bytes;
pub(crate) use devices::Device;

/// Where the kernel's files are, outside tests.
const ROOT: &str = "/";

/// Reads `name: 123 kB`, as the kernel writes it in `meminfo`, `status` and `smaps_rollup`.
///
/// The parsers of procfs-core for these files want more fields than this: they refuse what a sandboxed
/// kernel such as gVisor leaves out.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let count: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    count.checked_mul(1024)
}

/// A directory that stands for the root of a machine.
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
