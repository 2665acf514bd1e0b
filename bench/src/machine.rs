//! Describes the machine: enough to judge the figures, without identifying it.

use std::fs;
use std::thread::available_parallelism;

/// Describes cores, processor, memory and kernel.
pub(crate) fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let memory = gibibytes(&read_file("/proc/meminfo"));
    let processor =
        processor_name(&read_file("/proc/cpuinfo")).unwrap_or_else(|| "unknown".to_owned());
    let kernel = kernel(&rustix::system::uname().release().to_string_lossy());
    format!("{cores} cores ({processor}), {memory} GiB of memory, Linux {kernel}")
}

/// Returns the load average of the last minute.
pub(crate) fn load_average() -> String {
    read_file("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

fn read_file(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn processor_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.trim().to_owned())
}

fn gibibytes(meminfo: &str) -> u64 {
    let total = meminfo.split_whitespace().nth(1);
    total.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20
}

/// Returns the first two numbers of a kernel release.
fn kernel(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernel_version_is_shown() {
        assert_eq!(kernel("6.1.0-42-some-cloud"), "6.1");
    }

    #[test]
    fn memory_is_in_gibibytes() {
        assert_eq!(gibibytes("MemTotal:       24684252 kB\n"), 23);
    }
}
