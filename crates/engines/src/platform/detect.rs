//! Reads the facts about a machine below a root directory.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::driver_cuda::{parse_driver, supported_cuda};
use super::{Arch, GpuVendor, Libc, Os, Platform};
use crate::MajorMinor;

/// Directories in which the dynamic loader of Debian, Fedora, Arch, openSUSE and Alpine finds libraries, and those in
/// which NixOS and WSL put the drivers' ones.
const LIBRARY_DIRS: [&str; 10] = [
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "usr/lib64",
    "usr/lib",
    "usr/local/lib",
    "run/opengl-driver/lib",
    "usr/lib/wsl/lib",
];

/// PCI vendor ids of GPUs that run models. Virtual displays have others.
const GPU_VENDORS: [(&str, GpuVendor); 3] = [
    ("0x10de", GpuVendor::Nvidia),
    ("0x1002", GpuVendor::Amd),
    ("0x8086", GpuVendor::Intel),
];

/// Text in the GNU C library after which its version stands (the text that running the library prints).
const GLIBC_MARK: &[u8] = b"GNU C Library";
const GLIBC_VERSION_MARK: &[u8] = b"release version ";

/// Maximum number of bytes between the two marks.
const MAX_MARK_DISTANCE: usize = 200;

impl Platform {
    /// Reads the facts about the machine that this process runs on.
    pub fn detect() -> Self {
        let search_path = env::var_os("PATH");
        Self::detect_under(
            Path::new("/"),
            env::consts::OS,
            env::consts::ARCH,
            search_path.as_deref(),
        )
    }

    /// Reads the facts about a machine whose files are below `root`. `os` and `arch` are as in [`std::env::consts`].
    pub fn detect_under(root: &Path, os: &str, arch: &str, search_path: Option<&OsStr>) -> Self {
        let os = match os {
            "linux" => Os::Linux,
            "macos" => Os::MacOs,
            other => Os::Other(other.to_owned()),
        };
        let arch = match arch {
            "x86_64" => Arch::X64,
            "aarch64" => Arch::Arm64,
            _ => Arch::Other,
        };
        let driver = fs::read_to_string(root.join("proc/driver/nvidia/version"));
        let nvidia_driver = driver.ok().and_then(|text| parse_driver(&text));
        Self {
            libc: detect_libc(root),
            gpus: detect_gpus(root, nvidia_driver.is_some()),
            cuda: nvidia_driver.and_then(supported_cuda),
            nvidia_driver,
            vulkan_loader: find_library(root, "libvulkan.so.1").is_some(),
            nvcc: has_nvcc(root, search_path),
            os,
            arch,
        }
    }
}

fn detect_gpus(root: &Path, nvidia_driver: bool) -> Vec<GpuVendor> {
    let cards = fs::read_dir(root.join("sys/class/drm"))
        .into_iter()
        .flatten();
    let vendors = cards.flatten().filter_map(|card| {
        let name = card.file_name();
        let number = name.to_str()?.strip_prefix("card")?;
        // Connectors are called card0-DP-1.
        number.parse::<u32>().ok()?;
        let vendor = fs::read_to_string(card.path().join("device/vendor")).ok()?;
        let known = GPU_VENDORS.iter().find(|(id, _)| *id == vendor.trim());
        known.map(|(_, vendor)| *vendor)
    });
    let mut gpus: Vec<_> = vendors.collect();
    // Servers' GPUs have no display device. WSL has none for any GPU.
    let in_wsl = root.join("dev/dxg").exists() && find_library(root, "libcuda.so.1").is_some();
    if nvidia_driver || in_wsl {
        gpus.push(GpuVendor::Nvidia);
    }
    gpus.sort_unstable();
    gpus.dedup();
    gpus
}

fn find_library(root: &Path, name: &str) -> Option<PathBuf> {
    let places = LIBRARY_DIRS.iter().map(|dir| root.join(dir).join(name));
    places.into_iter().find(|path| path.is_file())
}

fn has_nvcc(root: &Path, search_path: Option<&OsStr>) -> bool {
    let named = search_path.into_iter().flat_map(env::split_paths);
    let named = named.map(|dir| root.join(dir.strip_prefix("/").unwrap_or(&dir)));
    let usual = ["usr/local/cuda/bin", "opt/cuda/bin"].map(|dir| root.join(dir));
    let mut dirs = named.chain(usual);
    dirs.any(|dir| dir.join("nvcc").is_file())
}

fn detect_libc(root: &Path) -> Libc {
    if let Some(library) = find_library(root, "libc.so.6") {
        let bytes = fs::read(library).unwrap_or_default();
        return glibc_version(&bytes).map_or(Libc::Unknown, Libc::Glibc);
    }
    let musl = ["lib/ld-musl-x86_64.so.1", "lib/ld-musl-aarch64.so.1"];
    if musl.iter().any(|loader| root.join(loader).exists()) {
        return Libc::Musl;
    }
    Libc::Unknown
}

/// Finds the version in the bytes of the GNU C library, which contain such as
/// `GNU C Library (Debian GLIBC 2.36-9+deb12u9) stable release version 2.36.`
fn glibc_version(bytes: &[u8]) -> Option<MajorMinor> {
    let start = find(bytes, GLIBC_MARK)?;
    let rest = bytes.get(start..)?;
    let near = rest.get(..MAX_MARK_DISTANCE.min(rest.len()))?;
    let version = near.get(find(near, GLIBC_VERSION_MARK)? + GLIBC_VERSION_MARK.len()..)?;
    let end = version
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    let text = std::str::from_utf8(version.get(..end)?).ok()?;
    text.trim_end_matches('.').parse().ok()
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLIBC: &str =
        "\x7fELF…GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright";

    fn machine(files: &[(&str, &str)]) -> Platform {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Platform::detect_under(root.path(), "linux", "x86_64", Some(OsStr::new("/opt/bin")))
    }

    #[test]
    fn a_bare_server_has_no_gpu() {
        let found = machine(&[("usr/lib/x86_64-linux-gnu/libc.so.6", GLIBC)]);
        let want = Platform {
            os: Os::Linux,
            arch: Arch::X64,
            libc: Libc::Glibc(MajorMinor::new(2, 36)),
            gpus: Vec::new(),
            nvidia_driver: None,
            cuda: None,
            vulkan_loader: false,
            nvcc: false,
        };
        assert_eq!(found, want);
    }

    #[test]
    fn gpus_are_found_by_their_drivers_and_displays() {
        let version = (
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu\n",
        );
        let card = |name: &str, vendor: &str| {
            machine(&[(&format!("sys/class/drm/{name}/device/vendor"), vendor)]).gpus
        };
        assert_eq!(card("card0", "0x1002\n"), [GpuVendor::Amd]);
        assert_eq!(card("card12", "0x8086\n"), [GpuVendor::Intel]);
        assert_eq!(card("card0", "0x10de\n"), [GpuVendor::Nvidia]);
        assert_eq!(card("card0", "0x1234\n"), []);
        assert_eq!(card("card0-DP-1", "0x1002\n"), []);
        assert_eq!(card("renderD128", "0x1002\n"), []);

        let server = machine(&[version]);
        assert_eq!(server.gpus, [GpuVendor::Nvidia]);
        assert_eq!(server.nvidia_driver, Some(MajorMinor::new(570, 86)));
        assert_eq!(server.cuda, Some(MajorMinor::new(12, 8)));
        let desktop = machine(&[version, ("sys/class/drm/card0/device/vendor", "0x10de")]);
        assert_eq!(desktop.gpus, [GpuVendor::Nvidia]);
        let wsl = machine(&[("dev/dxg", ""), ("usr/lib/wsl/lib/libcuda.so.1", "")]);
        assert_eq!(wsl.gpus, [GpuVendor::Nvidia]);
    }

    #[test]
    fn libraries_and_compilers_are_found_in_their_places() {
        assert!(machine(&[("usr/lib64/libvulkan.so.1", "")]).vulkan_loader);
        assert!(machine(&[("opt/bin/nvcc", "")]).nvcc);
        assert!(machine(&[("usr/local/cuda/bin/nvcc", "")]).nvcc);
        assert_eq!(machine(&[("lib/ld-musl-x86_64.so.1", "")]).libc, Libc::Musl);
        assert_eq!(machine(&[]).libc, Libc::Unknown);
        assert_eq!(machine(&[("lib64/libc.so.6", "?")]).libc, Libc::Unknown);
    }

    #[test]
    fn this_machine_can_be_read() {
        let found = Platform::detect();
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(matches!(found.libc, Libc::Glibc(_)), "{found:?}");
        }
    }
}
