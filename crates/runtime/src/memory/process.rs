//! How much RAM a process occupies.

use std::fs;
use std::path::Path;

use super::{ROOT, kibibytes};

/// The most processes of one family that are looked at. A llama-server has no children.
const FAMILY: usize = 64;

/// The bytes of RAM that a process and its descendants occupy; `None` if there is no such process, or
/// the kernel does not say.
///
/// The proportional set size: a page shared by two processes counts half for each, so sums are right.
/// A mapped model file counts with the pages that are in memory. Where that may not be read, the
/// resident set size is taken, which counts a shared page in full.
///
/// This blocks: the kernel walks all pages of the process for it (27 ms for each GiB of small pages, as
/// measured on a virtual machine). Async code calls it with `spawn_blocking`.
pub(crate) fn occupied(pid: u32) -> Option<u64> {
    occupied_under(Path::new(ROOT), pid)
}

fn occupied_under(root: &Path, pid: u32) -> Option<u64> {
    let proc = root.join("proc");
    let mut total = own(&proc, pid)?;
    let mut family = children(&proc, pid);
    let mut next = 0;
    while next < family.len().min(FAMILY) {
        let pid = family[next];
        // One that has ended meanwhile occupies nothing.
        total = total.saturating_add(own(&proc, pid).unwrap_or(0));
        for child in children(&proc, pid) {
            if !family.contains(&child) {
                family.push(child);
            }
        }
        next += 1;
    }
    Some(total)
}

fn own(proc: &Path, pid: u32) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(proc.join(pid.to_string()).join(name)).ok();
    // The same number as in `statm`, in a unit that needs no page size.
    let resident = || kibibytes(&read("status")?, "VmRSS");
    read("smaps_rollup")
        .and_then(|text| kibibytes(&text, "Pss"))
        .or_else(resident)
}

/// The children of all threads of a process, as far as they can be read.
fn children(proc: &Path, pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(proc.join(pid.to_string()).join("task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        let Ok(text) = fs::read_to_string(thread.path().join("children")) else {
            continue;
        };
        let room = FAMILY - children.len();
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
        assert_eq!(occupied_under(root.path(), 7), Some(60 * 1024));
    }

    #[test]
    fn the_resident_set_stands_in_for_it() {
        let root = FakeRoot::new(&[("proc/7/status", "Name: x\nVmRSS:\t     100 kB\n")]);
        assert_eq!(occupied_under(root.path(), 7), Some(100 * 1024));
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
            // A loop cannot be, and does not hang.
            ("proc/9/task/9/children", "8 "),
        ]);
        assert_eq!(occupied_under(root.path(), 7), Some(3 * 60 * 1024));
    }

    #[test]
    fn a_process_that_is_not_there_occupies_nothing_known() {
        let root = FakeRoot::new(&[("proc/8/status", "Name: zombie\n")]);
        assert_eq!(occupied_under(root.path(), 7), None);
        assert_eq!(occupied_under(root.path(), 8), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_occupies_memory() {
        assert!(occupied(std::process::id()).is_some_and(|bytes| bytes > 1 << 16));
    }
}
