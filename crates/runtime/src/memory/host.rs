//! Determines how much RAM models may use.

use std::fs;
use std::path::Path;

use paddock_supervisor::{KernelCounter, OomCounters};

use super::{ROOT, cgroup, kibibytes};

/// Returns the bytes of RAM available for models before any is loaded: the minimum of what the kernel can provide
/// without swapping and of what each memory cgroup around this process still allows.
///
/// Memory of loaded models does not count as available, so call this only once, before the first load. Returns
/// `None` if the kernel does not report it. Reads a few small files for each level of cgroups.
pub(crate) fn available_bytes() -> Option<u64> {
    available_bytes_under(Path::new(ROOT))
}

/// Returns the kernel's counters of processes killed for lack of memory.
pub(crate) fn oom_counters() -> OomCounters {
    OomCounters {
        groups: cgroup::oom_groups(Path::new(ROOT)),
        machine: Some(KernelCounter {
            file: Path::new(ROOT).join("proc/vmstat"),
            name: Some("oom_kill"),
        }),
    }
}

/// Does the work of [`available_bytes`], for a given root directory.
fn available_bytes_under(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| kibibytes(&text, "MemAvailable"));
    machine.into_iter().chain(cgroup::headroom(root)).min()
}

#[cfg(test)]
mod tests {
    use super::super::FakeRoot;
    use super::*;

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       16000000 kB\nMemFree:         100000 kB\nMemAvailable:    8000000 kB\n",
    );
    const GROUP: (&str, &str) = ("proc/self/cgroup", "0::/paddock\n");
    const MOUNT: (&str, &str) = (
        "proc/self/mountinfo",
        "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    );

    #[test]
    fn without_cgroups_it_is_what_the_kernel_can_give() {
        let root = FakeRoot::new(&[MEMINFO]);
        assert_eq!(available_bytes_under(root.path()), Some(8_000_000 * 1024));
    }

    #[test]
    fn the_tighter_of_machine_and_cgroup_counts() {
        for (limit, want) in [("1000000", 400_000), ("999999999999999", 8_000_000 * 1024)] {
            let root = FakeRoot::new(&[
                MEMINFO,
                GROUP,
                MOUNT,
                ("sys/fs/cgroup/paddock/memory.max", limit),
                ("sys/fs/cgroup/paddock/memory.current", "600000"),
            ]);
            assert_eq!(available_bytes_under(root.path()), Some(want), "{limit}");
        }
    }

    #[test]
    fn a_system_that_says_nothing_gives_no_answer() {
        let root = FakeRoot::new(&[]);
        assert_eq!(available_bytes_under(root.path()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_memory() {
        assert!(available_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
