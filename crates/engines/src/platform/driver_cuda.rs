//! Finds the highest version of CUDA that NVIDIA's driver supports.

use crate::MajorMinor;

/// First drivers that support a version of CUDA, from table "CUDA Toolkit and Corresponding Driver Versions" of the
/// CUDA toolkit's release notes.
const FIRST_DRIVERS: [(u32, MajorMinor); 10] = [
    (525, MajorMinor::new(12, 0)),
    (530, MajorMinor::new(12, 1)),
    (535, MajorMinor::new(12, 2)),
    (545, MajorMinor::new(12, 3)),
    (550, MajorMinor::new(12, 4)),
    (555, MajorMinor::new(12, 5)),
    (560, MajorMinor::new(12, 6)),
    (570, MajorMinor::new(12, 8)),
    (575, MajorMinor::new(12, 9)),
    (580, MajorMinor::new(13, 0)),
];

/// Returns the highest version of CUDA that is known to work with a driver.
pub(super) fn supported_cuda(driver: MajorMinor) -> Option<MajorMinor> {
    let known = FIRST_DRIVERS.iter().rev();
    let mut known = known.filter(|(first, _)| driver.major >= *first);
    known.next().map(|(_, cuda)| *cuda)
}

/// Reads the driver's version from `/proc/driver/nvidia/version`, whose first line is such as
/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23 …`.
pub(super) fn parse_driver(text: &str) -> Option<MajorMinor> {
    let line = text
        .lines()
        .find(|line| line.starts_with("NVRM version:"))?;
    let mut words = line.split_whitespace();
    words.find_map(|word| {
        let is_version =
            word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit());
        is_version.then(|| word.parse().ok()).flatten()
    })
}

/// Reads the version of CUDA from the table that `nvidia-smi` prints: `CUDA Version: 12.8`, or `CUDA UMD Version: 13.1`
/// since driver 590.
pub fn parse_nvidia_smi(text: &str) -> Option<MajorMinor> {
    let after = ["CUDA Version:", "CUDA UMD Version:"];
    let found = after
        .iter()
        .find_map(|label| text.split_once(label).map(|(_, rest)| rest))?;
    found.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_decides_which_cuda_is_supported() {
        for (driver, want) in [
            ("470.256", None),
            ("525.60", Some("12.0")),
            ("569.1", Some("12.6")),
            ("570.86", Some("12.8")),
            ("580.65", Some("13.0")),
            ("700.1", Some("13.0")),
        ] {
            let cuda = supported_cuda(driver.parse().unwrap());
            assert_eq!(cuda, want.map(|want| want.parse().unwrap()), "{driver}");
        }
    }

    #[test]
    fn versions_are_found_in_what_the_driver_prints() {
        let proc = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23 2025\n\
            GCC version:  gcc version 12.2.0\n";
        assert_eq!(parse_driver(proc), Some(MajorMinor::new(570, 86)));
        let open =
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n";
        assert_eq!(parse_driver(open), Some(MajorMinor::new(580, 65)));
        assert_eq!(parse_driver("GCC version:  12.2.0\n"), None);

        let smi = "| NVIDIA-SMI 570.86.15   Driver Version: 570.86.15   CUDA Version: 12.8     |\n";
        assert_eq!(parse_nvidia_smi(smi), Some(MajorMinor::new(12, 8)));
        let smi = "| NVIDIA-SMI 590.44.01   KMD Version: 590.44.01   CUDA UMD Version: 13.1   |\n";
        assert_eq!(parse_nvidia_smi(smi), Some(MajorMinor::new(13, 1)));
        assert_eq!(parse_nvidia_smi("CUDA Version: N/A |"), None);
        assert_eq!(parse_nvidia_smi(""), None);
    }
}
