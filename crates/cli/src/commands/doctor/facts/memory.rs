//! The RAM and swap of this machine, and the limit of this process's control group.

use std::fs;
use std::path::Path;

/// Sizes in bytes; `None` if the system does not report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct SystemMemory {
    pub(in super::super) total: Option<u64>,
    pub(in super::super) swap: Option<u64>,
    /// The smallest limit of the control groups around this process.
    pub(in super::super) limit: Option<u64>,
}

impl SystemMemory {
    pub(super) fn read() -> Self {
        Self::read_under(Path::new("/"))
    }

    fn read_under(root: &Path) -> Self {
        let text = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
        Self {
            total: kibibytes(&text, "MemTotal:"),
            swap: kibibytes(&text, "SwapTotal:"),
            limit: group_limit(root),
        }
    }
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// Returns the smallest `memory.max` from this process's group to the root (cgroup v2).
fn group_limit(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let groups = root.join("sys/fs/cgroup");
    let limits = Path::new(group).ancestors().filter_map(|group| {
        let text = fs::read_to_string(groups.join(group).join("memory.max")).ok()?;
        text.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_the_tightest_limit_are_read() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(
            SystemMemory::read_under(root.path()),
            SystemMemory::default()
        );
        write(
            "proc/meminfo",
            "MemTotal:  16 kB\nMemFree: 1 kB\nSwapTotal:  0 kB\n",
        );
        write("proc/self/cgroup", "0::/a/b\n");
        write("sys/fs/cgroup/a/memory.max", "9000\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        let memory = SystemMemory::read_under(root.path());
        let want = SystemMemory {
            total: Some(16 * 1024),
            swap: Some(0),
            limit: Some(9000),
        };
        assert_eq!(memory, want);
    }
}
