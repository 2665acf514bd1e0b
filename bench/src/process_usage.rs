//! CPU time, memory and context switches of processes, from /proc.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The processes of one subject, without the child behind it.
#[derive(Debug, Clone)]
pub(crate) struct Processes(pub(crate) Vec<u32>);

/// Context switches and memory of processes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdleUsage {
    /// Context switches, voluntary and involuntary, of all threads.
    pub(crate) switches: u64,
    /// Resident memory in bytes; shared pages count for each process.
    pub(crate) resident: u64,
}

impl Processes {
    /// Returns a process and its children.
    pub(crate) fn family(parent: u32) -> Result<Self> {
        let path = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(&path).with_context(|| path.clone())?;
        let mut family = vec![parent];
        for child in children.split_whitespace() {
            family.push(child.parse().with_context(|| path.clone())?);
        }
        Ok(Self(family))
    }

    /// Returns the CPU time of all threads so far, in nanoseconds.
    pub(crate) fn cpu(&self) -> Result<u64> {
        self.sum(|thread| {
            let path = thread.join("schedstat");
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let first = text.split_whitespace().next().unwrap_or_default();
            first.parse().with_context(|| path.display().to_string())
        })
    }

    pub(crate) fn idle_usage(&self) -> Result<IdleUsage> {
        let switches = self.sum(|thread| {
            let status = read_status(&thread.join("status"))?;
            Ok(field(&status, "voluntary_ctxt_switches:")
                + field(&status, "nonvoluntary_ctxt_switches:"))
        })?;
        let resident = self.resident()?;
        Ok(IdleUsage { switches, resident })
    }

    /// Resident memory in bytes; shared pages count for each process.
    pub(crate) fn resident(&self) -> Result<u64> {
        let mut resident = 0;
        for pid in &self.0 {
            let status = read_status(Path::new(&format!("/proc/{pid}/status")))?;
            resident += field(&status, "VmRSS:") * 1024;
        }
        Ok(resident)
    }

    /// Sums a value over all threads. Threads that end meanwhile are skipped.
    fn sum(&self, read: impl Fn(&Path) -> Result<u64>) -> Result<u64> {
        let mut sum = 0;
        for pid in &self.0 {
            let tasks = format!("/proc/{pid}/task");
            for thread in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
                let thread = thread?.path();
                match read(&thread) {
                    Ok(part) => sum += part,
                    Err(_) if !thread.exists() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(sum)
    }
}

fn read_status(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_measure_itself() {
        let this = Processes(vec![std::process::id()]);
        assert!(this.cpu().unwrap() > 0);
        assert!(this.idle_usage().unwrap().resident > 0);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 7);
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), 3);
        assert_eq!(field(status, "VmRSS:"), 0);
    }
}
