//! Decides whether the kernel killed a child because memory ran out.
//!
//! A SIGKILL does not show its sender. But the kernel counts its out-of-memory kills before it sends them
//! (`mm/oom_kill.c`, `__oom_kill_process`): for each memory control group (Linux,
//! Documentation/admin-guide/cgroup-v2.rst `memory.events`, cgroup-v1/memory.rst `memory.oom_control`) and for
//! the whole machine (`/proc/vmstat`). A count that rose while the child lived gives the answer.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The maximum number of bytes read of a kernel file.
const MAX_FILE_BYTES: u64 = 32 * 1024;

/// The kernel's counters of out-of-memory events. A missing counter is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OomCounters {
    /// The memory control groups that children are in, the innermost first.
    pub groups: Vec<OomGroup>,
    /// The count of processes killed on the whole machine.
    pub machine: Option<KernelCounter>,
}

/// The kernel's counters for one memory control group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OomGroup {
    /// The count of the group's processes that were killed, whichever group's memory had run out.
    pub kills: KernelCounter,
    /// The count of times the group's own limit was reached.
    pub hits: KernelCounter,
    /// The file with the group's limit in bytes, or with a word if it has none.
    pub limit: PathBuf,
}

/// A number in a file of `name number` lines; without a name, the only content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelCounter {
    /// The file.
    pub file: PathBuf,
    /// The name.
    pub name: Option<&'static str>,
}

/// The values of the counters at one moment; `None` for a counter that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OomReading {
    groups: Vec<OomGroupReading>,
    machine: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OomGroupReading {
    kills: Option<u64>,
    hits: Option<u64>,
    limit: Option<u64>,
}

/// The sender of a SIGKILL that was not paddock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillSource {
    /// The kernel, because this memory was exhausted.
    Kernel(ExhaustedMemory),
    /// Another process.
    Other,
    /// Not known.
    Unknown,
}

/// The memory that was exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExhaustedMemory {
    /// The memory of the whole machine.
    System,
    /// The memory of a control group with this limit in bytes.
    Group { limit: Option<u64> },
}

impl OomCounters {
    /// Reads the counters. The machine's counter sums over all processors, and is read only if no group counts.
    pub(crate) fn read(&self) -> OomReading {
        let groups: Vec<_> = self.groups.iter().map(OomGroup::read).collect();
        let counted = groups.first().is_some_and(|group| group.kills.is_some());
        let machine = self.machine.as_ref().filter(|_| !counted);
        OomReading {
            groups,
            machine: machine.and_then(KernelCounter::read),
        }
    }
}

impl OomGroup {
    fn read(&self) -> OomGroupReading {
        OomGroupReading {
            kills: self.kills.read(),
            hits: self.hits.read(),
            limit: read_start(&self.limit).and_then(|text| parse_counter(&text, None)),
        }
    }
}

impl KernelCounter {
    fn read(&self) -> Option<u64> {
        parse_counter(&read_start(&self.file)?, self.name)
    }
}

/// Finds the sender of a SIGKILL from the counters before the child's start and after its death:
/// 1. a group that counts decides, because the machine's counter includes strangers;
/// 2. the exhausted memory is that of the innermost group whose limit was reached, or otherwise the machine's;
/// 3. without a group the machine's counter decides.
pub(crate) fn find_kill_source(before: &OomReading, after: &OomReading) -> KillSource {
    let rose = |before: Option<u64>, after: Option<u64>| Some(after? > before?);
    let mut pairs = before.groups.iter().zip(&after.groups);
    let own = pairs.clone().next();
    match own.and_then(|(before, after)| rose(before.kills, after.kills)) {
        Some(false) => return KillSource::Other, // 1.
        Some(true) => {
            let full = pairs.find(|(before, after)| rose(before.hits, after.hits) == Some(true));
            return KillSource::Kernel(full.map_or(ExhaustedMemory::System, |(_, full)| {
                ExhaustedMemory::Group { limit: full.limit }
            })); // 2.
        }
        None => {}
    }
    match rose(before.machine, after.machine) {
        Some(true) => KillSource::Kernel(ExhaustedMemory::System), // 3.
        Some(false) => KillSource::Other,
        None => KillSource::Unknown,
    }
}

impl fmt::Display for ExhaustedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        match self {
            Self::System => f.write_str("the system's memory"),
            Self::Group { limit: None } => f.write_str("the memory of its cgroup"),
            Self::Group { limit: Some(limit) } => {
                write!(f, "the {} MiB of its cgroup", limit / MIB)
            }
        }
    }
}

fn read_start(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(file).ok()?;
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

fn parse_counter(text: &str, name: Option<&str>) -> Option<u64> {
    let value = match name {
        Some(name) => text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(other, value)| (other == name).then_some(value))?,
        None => text,
    };
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kills: u64, hits: u64) -> OomGroupReading {
        OomGroupReading {
            kills: Some(kills),
            hits: Some(hits),
            limit: Some(64 << 20),
        }
    }

    fn reading(groups: &[OomGroupReading], machine: Option<u64>) -> OomReading {
        OomReading {
            groups: groups.to_vec(),
            machine,
        }
    }

    #[test]
    fn a_group_whose_limit_was_reached_ran_out() {
        let full = KillSource::Kernel(ExhaustedMemory::Group {
            limit: Some(64 << 20),
        });
        let table = [
            (vec![group(0, 0)], vec![group(1, 1)]),
            (vec![group(7, 9)], vec![group(8, 30)]),
            // The limit belongs to an outer group.
            (
                vec![group(0, 4), group(3, 3)],
                vec![group(1, 4), group(4, 4)],
            ),
        ];
        for (before, after) in table {
            let judged = find_kill_source(&reading(&before, None), &reading(&after, None));
            assert_eq!(judged, full, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_group_whose_limit_was_not_reached_died_for_the_machine() {
        let judged = find_kill_source(
            &reading(&[group(0, 5), group(0, 5)], None),
            &reading(&[group(1, 5), group(1, 5)], None),
        );
        assert_eq!(judged, KillSource::Kernel(ExhaustedMemory::System));
    }

    #[test]
    fn kills_elsewhere_on_the_machine_are_no_kills_of_the_group() {
        let judged = find_kill_source(
            &reading(&[group(2, 5)], Some(1)),
            &reading(&[group(2, 6)], Some(9)),
        );
        assert_eq!(judged, KillSource::Other);
    }

    #[test]
    fn without_a_group_the_machine_tells_and_without_both_nobody_does() {
        let none = OomGroupReading::default();
        let table = [
            (
                Some(1),
                Some(2),
                KillSource::Kernel(ExhaustedMemory::System),
            ),
            (Some(1), Some(1), KillSource::Other),
            (Some(1), None, KillSource::Unknown),
            (None, Some(1), KillSource::Unknown),
            (None, None, KillSource::Unknown),
        ];
        for groups in [&[][..], &[none]] {
            for (before, after, kill_source) in table {
                let judged = find_kill_source(&reading(groups, before), &reading(groups, after));
                assert_eq!(judged, kill_source, "{groups:?} {before:?} {after:?}");
            }
        }
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let events = "low 0\nhigh 3\noom 4\noom_kill 5\noom_group_kill 6\n";
        assert_eq!(parse_counter(events, Some("oom_kill")), Some(5));
        assert_eq!(parse_counter(events, Some("oom")), Some(4));
        assert_eq!(parse_counter(events, Some("kill")), None);
        assert_eq!(parse_counter("12\n", None), Some(12));
        for text in ["", "max\n", "-1", "1 2", "99999999999999999999"] {
            assert_eq!(parse_counter(text, None), None, "{text}");
        }
    }

    #[test]
    fn files_that_are_missing_or_endless_cost_nothing() {
        let counter = |file: &str| KernelCounter {
            file: file.into(),
            name: None,
        };
        let counters = OomCounters {
            groups: vec![OomGroup {
                kills: counter("/proc/nonexistent/events"),
                hits: counter("/dev/zero"),
                limit: "/".into(),
            }],
            machine: Some(counter("/proc/nonexistent/vmstat")),
        };
        let read = counters.read();
        assert_eq!(read, reading(&[OomGroupReading::default()], None));
    }
}
