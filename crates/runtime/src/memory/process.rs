//! Reads how much RAM a process uses.

use std::fs;
use std::path::Path;

use super::{ROOT, kibibytes};

/// Maximum number of descendants that are counted. A llama-server has no children.
const MAX_PROCESSES: usize = 64;

/// Returns the bytes of RAM of a process and its descendants; `None` if there is no such process, or the kernel
/// does not report it.
///
/// Uses the proportional set size, in which a page shared by two processes counts half for each, so that sums are
/// right; pages of a mapped model file count while they are in memory. If it is not readable, the resident set size
/// is used, which counts a shared page in full.
///
/// Blocks: the kernel walks all pages of the process (27 ms for each GiB of small pages, measured on a virtual
/// machine).
pub(crate) fn used_bytes(pid: u32) -> Option<u64> {
    used_bytes_under(Path::new(ROOT), pid)
}

/// Does the work of [`used_bytes`], for a given root directory.
fn used_bytes_under(root: &Path, pid: u32) -> Option<u64> {
    let proc = root.join("proc");
    let mut total = process_bytes(&proc, pid)?;
    let mut family = children(&proc, pid);
    let mut next = 0;
    while next < family.len().min(MAX_PROCESSES) {
        let pid = family[next];
        // A process that has ended meanwhile uses nothing.
        total = total.saturating_add(process_bytes(&proc, pid).unwrap_or(0));
        for child in children(&proc, pid) {
            if !family.contains(&child) {
                family.push(child);
            }
        }
        next += 1;
    }
    Some(total)
}

/// Returns the bytes of RAM of one process.
fn process_bytes(proc: &Path, pid: u32) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(proc.join(pid.to_string()).join(name)).ok();
    // The same number as in `statm`, in a unit that needs no page size.
    let resident = || kibibytes(&read("status")?, "VmRSS");
    read("smaps_rollup")
        .and_then(|text| kibibytes(&text, "Pss"))
        .or_else(resident)
}

/// Returns the children of all threads of a process, as far as readable.
fn children(proc: &Path, pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(proc.join(pid.to_string()).join("task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        let Ok(text) = fs::read_to_string(thread.path().join("children")) else {
            continue;
        };
        let room = MAX_PROCESSES - children.len();
        let pids = text
            .split_whitespace()
            .filter_map(|pid| pid.parse::<u32>().ok());
        children.extend(pids.take(room));
    }
    children
}

#[cfg(test)]
mod tests {
    use super::super::FakeRoot;
    use super::*;

    const ROLLUP: &str =
        "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss: 100 kB\nPss: 60 kB\nPss_Dirty: 9 kB\n";

    #[test]
    fn a_process_counts_by_its_proportional_share() {
        let root = FakeRoot::new(&[
            ("proc/7/smaps_rollup", ROLLUP),
            ("proc/7/status", "VmRSS: 100 kB\n"),
        ]);
        assert_eq!(used_bytes_under(root.path(), 7), Some(60 * 1024));
    }

    #[test]
    fn the_resident_set_stands_in_for_it() {
        let root = FakeRoot::new(&[("proc/7/status", "Name: x\nVmRSS:\t     100 kB\n")]);
        assert_eq!(used_bytes_under(root.path(), 7), Some(100 * 1024));
    }

    #[test]
    fn descendants_of_every_thread_are_counted_once() {
        let root = FakeRoot::new(&[
            ("proc/7/smaps_rollup", ROLLUP),
            ("proc/7/task/7/children", "8 "),
            ("proc/7/task/70/children", "9 10 "),
            ("proc/8/smaps_rollup", ROLLUP),
            ("proc/8/task/8/children", "9 "),
            ("proc/9/smaps_rollup", ROLLUP),
            // A loop is impossible, and does not hang.
            ("proc/9/task/9/children", "8 "),
        ]);
        assert_eq!(used_bytes_under(root.path(), 7), Some(3 * 60 * 1024));
    }

    #[test]
    fn a_process_that_is_not_there_occupies_nothing_known() {
        let root = FakeRoot::new(&[("proc/8/status", "Name: zombie\n")]);
        assert_eq!(used_bytes_under(root.path(), 7), None);
        assert_eq!(used_bytes_under(root.path(), 8), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_occupies_memory() {
        assert!(used_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 16));
    }
}
