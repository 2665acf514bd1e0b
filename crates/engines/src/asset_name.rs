//! Names of the archives of llama.cpp's releases.
//!
//! An archive is `llama-TAG-bin-SYSTEM-[FLAVOUR-]ARCH.tar.gz`, such as `llama-b11434-bin-ubuntu-vulkan-x64.tar.gz` or
//! `llama-b11434-bin-macos-arm64.tar.gz`; the CUDA libraries that a CUDA build needs are in an archive with the prefix
//! `cudart-` (llama.cpp b11434, .github/workflows/release.yml).

use std::fmt;

use crate::{Arch, MajorMinor};

const ARCHIVE_SUFFIX: &str = ".tar.gz";
const RUNTIME_PREFIX: &str = "cudart-";

/// A build's flavour: its backend, and the version of that, as in `vulkan` or `cuda-12.8`; empty for the plain build.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flavour(String);

impl Flavour {
    /// Creates a flavour from its text in an archive's name.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, which is empty for the plain build.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the backend, such as `vulkan`; `cpu` for the plain build.
    pub fn backend(&self) -> &str {
        match self.0.split('-').next() {
            None | Some("") => "cpu",
            Some(backend) => backend,
        }
    }

    /// Returns the version of CUDA that the build is for, if it is a CUDA build.
    pub fn cuda(&self) -> Option<MajorMinor> {
        self.0.strip_prefix("cuda-")?.parse().ok()
    }

    /// Returns whether `wanted` names this flavour or its backend.
    pub fn matches(&self, wanted: &str) -> bool {
        self.0 == wanted || self.backend() == wanted
    }
}

impl fmt::Display for Flavour {
    /// Formats the flavour for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.backend() {
            "cpu" => f.write_str("CPU"),
            "metal" => f.write_str("Metal"),
            "vulkan" => f.write_str("Vulkan"),
            "cuda" => match self.cuda() {
                Some(version) => write!(f, "CUDA {version}"),
                None => f.write_str("CUDA"),
            },
            _ => f.write_str(&self.0),
        }
    }
}

/// The parts of an archive's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetName {
    /// The system, such as `ubuntu`, `macos` or `win`.
    pub system: String,
    /// The flavour.
    pub flavour: Flavour,
    /// The processor.
    pub arch: Arch,
    /// The whole name.
    pub name: String,
}

impl AssetName {
    /// Parses the name of an archive with a program; `None` for any other file of a release.
    pub fn parse(name: &str) -> Option<Self> {
        // The name becomes the name of a file.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !name.bytes().all(is_plain) {
            return None;
        }
        let stem = name.strip_prefix("llama-")?.strip_suffix(ARCHIVE_SUFFIX)?;
        let (_tag, build) = stem.split_once("-bin-")?;
        let (system, rest) = build.split_once('-')?;
        let (flavour, arch) = rest.rsplit_once('-').unwrap_or(("", rest));
        Some(Self {
            system: system.to_owned(),
            flavour: Flavour::new(flavour),
            arch: Arch::from_asset(arch)?,
            name: name.to_owned(),
        })
    }

    /// Returns the name of the archive with the libraries that this build needs beside it.
    pub fn runtime_archive(&self) -> String {
        format!("{RUNTIME_PREFIX}{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_paths_are_refused() {
        for name in [
            "llama-/../../victim-bin-ubuntu-x64.tar.gz",
            "llama-b1-bin-ubuntu-/../x-x64.tar.gz",
            "llama-b1-bin-ubuntu-a\\b-x64.tar.gz",
        ] {
            assert_eq!(AssetName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_real_releases_are_parsed() {
        let parsed = |name: &str| {
            AssetName::parse(name).map(|asset| {
                let flavour = asset.flavour.as_str().to_owned();
                (asset.system, flavour, asset.arch)
            })
        };
        let some =
            |system: &str, flavour: &str, arch| Some((system.to_owned(), flavour.to_owned(), arch));
        for (name, want) in [
            (
                "llama-b11434-bin-ubuntu-x64.tar.gz",
                some("ubuntu", "", Arch::X64),
            ),
            (
                "llama-b11434-bin-ubuntu-arm64.tar.gz",
                some("ubuntu", "", Arch::Arm64),
            ),
            (
                "llama-b11434-bin-ubuntu-vulkan-x64.tar.gz",
                some("ubuntu", "vulkan", Arch::X64),
            ),
            (
                "llama-b11434-bin-ubuntu-rocm-10.0-x64.tar.gz",
                some("ubuntu", "rocm-10.0", Arch::X64),
            ),
            (
                "llama-b11434-bin-ubuntu-sycl-fp16-x64.tar.gz",
                some("ubuntu", "sycl-fp16", Arch::X64),
            ),
            (
                "llama-b11434-bin-ubuntu-cuda-13.4-arm64.tar.gz",
                some("ubuntu", "cuda-13.4", Arch::Arm64),
            ),
            (
                "llama-b11434-bin-macos-arm64.tar.gz",
                some("macos", "", Arch::Arm64),
            ),
            ("llama-b11434-bin-ubuntu-s390x.tar.gz", None),
            ("llama-b11434-bin-linux-arm64-snapdragon.tar.gz", None),
            ("cudart-llama-b11434-bin-ubuntu-cuda-13.4-x64.tar.gz", None),
            ("llama-b11434-bin-win-cuda-12.4-x64.zip", None),
            ("llama-b11434-xcframework.zip", None),
            ("llama-b11434-ui.tar.gz", None),
        ] {
            assert_eq!(parsed(name), want, "{name}");
        }
    }

    #[test]
    fn flavours_are_named_for_people() {
        for (flavour, shown) in [
            ("", "CPU"),
            ("vulkan", "Vulkan"),
            ("cuda-12.8", "CUDA 12.8"),
            ("cuda", "CUDA"),
            ("rocm-7.2", "rocm-7.2"),
        ] {
            assert_eq!(Flavour::new(flavour).to_string(), shown);
        }
        assert!(Flavour::new("cuda-12.8").matches("cuda"));
        assert!(Flavour::new("cuda-12.8").matches("cuda-12.8"));
        assert!(Flavour::new("").matches("cpu"));
        assert!(!Flavour::new("cuda-12.8").matches("cuda-12.9"));
    }
}
