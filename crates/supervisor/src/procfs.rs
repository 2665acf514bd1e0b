//! Reads facts about other processes from `/proc`. On systems without `/proc` there are none.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
};

use rustix::{buffer::spare_capacity, io::retry_on_intr};

/// The maximum number of bytes read of an environment.
const MAX_ENVIRONMENT: usize = 4 << 20;

/// The fields of `/proc/PID/stat` that are used here (`proc_pid_stat(5)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// True unless the process has ended. One that has is a zombie until it is reaped.
    pub(crate) is_alive: bool,
    /// The parent: the process that forked it, or the one that adopted it.
    pub(crate) parent: i32,
    /// The process group.
    pub(crate) group: i32,
    /// True if the process has memory, but no program in it yet.
    pub(crate) is_between_programs: bool,
}

impl ProcessStat {
    fn parse(text: &[u8]) -> Option<Self> {
        // The name in parentheses may contain anything, also parentheses.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `vsize` and `startcode`: kernel threads and ended processes have no memory, and the start of the
        // program is recorded after its arguments and environment.
        let (memory, program) = (fields.get(20), fields.get(23));
        Some(Self {
            is_alive: !matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            is_between_programs: memory.is_some_and(|size| *size != "0") && program == Some(&"0"),
        })
    }
}

/// Reads the status of a process; `None` if there is no such process.
pub(crate) fn read_stat(pid: i32) -> Option<ProcessStat> {
    ProcessStat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads the environment with which a process was started into a buffer that callers reuse. Uses one read:
/// between two the process may have executed another program.
pub(crate) fn read_environment(pid: i32, into: &mut Vec<u8>) -> io::Result<()> {
    let file = File::open(format!("/proc/{pid}/environ"))?;
    into.clear();
    into.reserve(MAX_ENVIRONMENT);
    retry_on_intr(|| rustix::io::read(&file, spare_capacity(into)))?;
    Ok(())
}

/// Returns true if an environment, in the format of `/proc/PID/environ`, gives a variable this value.
pub(crate) fn has_variable(environment: &[u8], variable: &str, value: &str) -> bool {
    let entry = format!("{variable}={value}");
    memchr::memmem::find_iter(environment, &entry).any(|start| {
        let before = start.checked_sub(1).and_then(|at| environment.get(at));
        let after = environment.get(start + entry.len());
        before.is_none_or(|byte| *byte == 0) && after.is_none_or(|byte| *byte == 0)
    })
}

/// Returns the ids of all processes.
pub(crate) fn list_processes() -> impl Iterator<Item = i32> {
    numbers_in("/proc")
}

/// Returns the children of this process, adopted ones included.
///
/// The kernel may omit a child from the list if another one ends while it is read (proc(5),
/// `/proc/PID/task/TID/children`), so the list is read until two readings agree.
pub(crate) fn list_own_children() -> Vec<i32> {
    const MAX_READINGS: usize = 10;
    let mut last = read_children_files();
    for _ in 0..MAX_READINGS {
        let next = read_children_files();
        if next == last {
            break;
        }
        last = next;
    }
    last.unwrap_or_else(|| {
        // A kernel without CONFIG_PROC_CHILDREN.
        let me = std::process::id().cast_signed();
        list_processes()
            .filter(|pid| read_stat(*pid).is_some_and(|stat| stat.parent == me))
            .collect()
    })
}

fn read_children_files() -> Option<Vec<i32>> {
    let mut children = Vec::new();
    for thread in numbers_in("/proc/self/task") {
        match fs::read_to_string(format!("/proc/self/task/{thread}/children")) {
            Ok(text) => children.extend(
                text.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<i32>().ok()),
            ),
            // A thread that has just ended has passed its children on to another one.
            Err(_) if !fs::exists(format!("/proc/self/task/{thread}")).unwrap_or(true) => {}
            Err(_) => return None,
        }
    }
    children.sort_unstable();
    Some(children)
}

/// Returns the descendants of a process, in no order.
pub(crate) fn list_descendants(ancestor: i32) -> Vec<i32> {
    let mut children = HashMap::<i32, Vec<i32>>::new();
    for pid in list_processes() {
        if let Some(stat) = read_stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&ancestor).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let below = children.remove(pid).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    found
}

fn numbers_in(directory: &str) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = ProcessStat::parse(b"77 (a) S 1 (b)) S 42 43 44 0").unwrap();
        assert_eq!((stat.parent, stat.group), (42, 43));
        assert!(stat.is_alive);
        assert!(!ProcessStat::parse(b"77 (a) Z 42 43").unwrap().is_alive);
        assert!(!stat.is_between_programs);
        assert_eq!(ProcessStat::parse(b"77 (a"), None);
        assert_eq!(ProcessStat::parse(b""), None);
    }

    #[test]
    fn a_variable_counts_with_its_whole_name_and_value_only() {
        let environment = b"A=1\0PADDOCK_INSTANCE=ab\0B=PADDOCK_INSTANCE=cd\0";
        assert!(has_variable(environment, "PADDOCK_INSTANCE", "ab"));
        assert!(has_variable(environment, "A", "1"));
        assert!(has_variable(b"A=1", "A", "1"));
        assert!(!has_variable(environment, "PADDOCK_INSTANCE", "a"));
        assert!(!has_variable(environment, "PADDOCK_INSTANCE", "cd"));
        assert!(!has_variable(environment, "INSTANCE", "ab"));
        assert!(!has_variable(b"", "A", ""));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_and_its_child_are_found() {
        let mut shell = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = io::BufReader::new(shell.stdout.take().unwrap());
        io::BufRead::read_line(&mut output, &mut line).unwrap();
        let (child, grandchild) = (shell.id().cast_signed(), line.trim().parse().unwrap());
        assert!(list_own_children().contains(&child));
        assert!(!list_own_children().contains(&grandchild));
        assert_eq!(read_stat(grandchild).unwrap().parent, child);
        assert!(list_descendants(std::process::id().cast_signed()).contains(&grandchild));
        assert_eq!(list_descendants(child), [grandchild]);
        shell.kill().unwrap();
        shell.wait().unwrap();
        let pid = rustix::process::Pid::from_raw(grandchild).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
