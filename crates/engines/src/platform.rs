//! Facts about this machine that decide which build of the engine suits it.

mod detect;
mod driver_cuda;

use crate::MajorMinor;

pub use driver_cuda::parse_nvidia_smi;

/// The operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Os {
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// A system without builds that paddock can install.
    Other(String),
}

/// The processor's architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X64,
    /// 64-bit ARM.
    Arm64,
    /// Another one, for which llama.cpp has no builds that paddock can install.
    Other,
}

impl Arch {
    /// Parses the architecture in an archive's name.
    pub(crate) fn from_asset(text: &str) -> Option<Self> {
        match text {
            "x64" => Some(Self::X64),
            "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

/// The C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// The GNU C library of this version.
    Glibc(MajorMinor),
    /// No GNU C library, but that of musl.
    Musl,
    /// A library or a version that is not known.
    Unknown,
}

/// The maker of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuVendor {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
    /// Intel.
    Intel,
}

impl GpuVendor {
    /// Returns the maker's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nvidia => "NVIDIA",
            Self::Amd => "AMD",
            Self::Intel => "Intel",
        }
    }
}

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The processor.
    pub arch: Arch,
    /// The C library.
    pub libc: Libc,
    /// The makers of the GPUs, each one once.
    pub gpus: Vec<GpuVendor>,
    /// The version of NVIDIA's kernel driver, if it is loaded.
    pub nvidia_driver: Option<MajorMinor>,
    /// The highest version of CUDA that the driver supports, if known.
    pub cuda: Option<MajorMinor>,
    /// The Vulkan loader (`libvulkan.so.1`) is installed.
    pub vulkan_loader: bool,
    /// CUDA's compiler is installed.
    pub nvcc: bool,
}
