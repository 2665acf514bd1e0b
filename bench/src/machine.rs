//! The machine in words: what a reader needs to judge the figures, and nothing that names it.

use std::fs;
use std::thread::available_parallelism;

/// Cores, processor, memory and kernel.
pub(crate) fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let memory = gibibytes(&read("/proc/meminfo"));
    let processor = processor(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".to_owned());
    let kernel = kernel(&rustix::system::uname().release().to_string_lossy());
    format!("{cores} cores ({processor}), {memory} GiB of memory, Linux {kernel}")
}

/// How many processes wanted to run, on average over the last minute.
pub(crate) fn load() -> String {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.trim().to_owned())
}

fn gibibytes(meminfo: &str) -> u64 {
    let total = meminfo.split_whitespace().nth(1);
    total.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20
}

/// The first two numbers of a release.
fn kernel(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_version_is_told() {
        assert_eq!(kernel("6.1.0-42-some-cloud"), "6.1");
    }

    #[test]
    fn memory_is_in_gibibytes() {
        assert_eq!(gibibytes("MemTotal:       24684252 kB\n"), 23);
    }
}
