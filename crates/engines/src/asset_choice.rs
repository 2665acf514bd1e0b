//! Chooses the build of a release that suits a machine.

use crate::{Arch, AssetName, Flavour, GpuVendor, Libc, MajorMinor, Os, Platform};

/// The archive to install, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetChoice {
    /// Name of the archive with the program.
    pub asset: String,
    /// Name of the archive with the libraries to unpack beside it, if the build needs one.
    pub runtime: Option<String>,
    /// The build's flavour.
    pub flavour: Flavour,
    /// The reason, as a sentence without a full stop.
    pub why: String,
    /// Advice for better use of this machine, if any.
    pub advice: Option<String>,
}

/// The reason why no build of a release suits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetChoiceError {
    /// llama.cpp has no builds that paddock can install on this system.
    #[error("llama.cpp publishes no builds for {0} that paddock can install")]
    System(String),
    /// The builds need the GNU C library.
    #[error("llama.cpp's builds need the GNU C library, which this system does not have")]
    NoGlibc,
    /// The GNU C library is older than any build needs.
    #[error(
        "llama.cpp's builds for this processor need the GNU C library {needed} or newer, and this system has {present}"
    )]
    OldGlibc {
        /// The lowest version that a build needs.
        needed: MajorMinor,
        /// The version of this system.
        present: MajorMinor,
    },
    /// The release has no build for this system.
    #[error("the release has no build for this system")]
    NoBuild,
    /// The release has no build of the flavour that the user asked for.
    #[error("the release has no {wanted} build for this system; it has: {offered}")]
    NoFlavour {
        /// The flavour or backend.
        wanted: String,
        /// The flavours of the release for this system.
        offered: String,
    },
}

/// Chooses the archive of a release that suits a machine. `wanted` is a flavour or a backend, such as `vulkan`, that the
/// user asks for.
///
/// 1. Only builds for this system and processor count, and only those that this C library can run.
/// 2. A flavour that the user asks for is taken; of several CUDA builds the newest that the driver supports, else the
///    oldest.
/// 3. With an NVIDIA GPU: the newest CUDA build that the driver supports, else the Vulkan build.
/// 4. With another GPU: the Vulkan build.
/// 5. Else the plain build.
///
/// # Errors
///
/// No build suits.
pub fn choose_asset(
    platform: &Platform,
    assets: &[&str],
    wanted: Option<&str>,
) -> Result<AssetChoice, AssetChoiceError> {
    let builds = find_builds(platform, assets)?;
    let choose = |asset: &AssetName, why: String, advice: Option<String>| AssetChoice {
        asset: asset.name.clone(),
        runtime: Some(asset.runtime_archive()).filter(|name| assets.contains(&name.as_str())),
        flavour: asset.flavour.clone(),
        why,
        advice,
    };
    if let Some(wanted) = wanted {
        let asset = find_wanted(platform, &builds, wanted)?;
        return Ok(choose(asset, "as requested".to_owned(), None));
    }
    let plain = builds.iter().find(|asset| asset.flavour.backend() == "cpu");
    let vulkan = builds
        .iter()
        .find(|asset| asset.flavour.backend() == "vulkan");
    let is_nvidia = platform.gpus.contains(&GpuVendor::Nvidia);
    if is_nvidia && let Some(cuda) = newest_cuda(platform, &builds) {
        return Ok(choose(
            cuda,
            "this machine has an NVIDIA GPU".to_owned(),
            None,
        ));
    }
    if let (Some(gpu), Some(vulkan)) = (platform.gpus.first(), vulkan) {
        let gpu = if is_nvidia { GpuVendor::Nvidia } else { *gpu };
        let why = match gpu {
            GpuVendor::Nvidia => format!(
                "this machine has an NVIDIA GPU, and {}",
                no_cuda_reason(platform, assets)
            ),
            GpuVendor::Amd | GpuVendor::Intel => format!("this machine has an {} GPU", gpu.name()),
        };
        return Ok(choose(vulkan, why, vulkan_advice(platform, is_nvidia)));
    }
    let plain = plain.ok_or(AssetChoiceError::NoBuild)?;
    Ok(choose(plain, plain_reason(platform), None))
}

/// Explains why the plain build is chosen.
fn plain_reason(platform: &Platform) -> String {
    match (&platform.os, platform.arch, platform.gpus.first()) {
        (Os::MacOs, Arch::Arm64, _) => "the build for Apple silicon uses its GPU".to_owned(),
        (_, _, Some(gpu)) => format!(
            "the release has no build for this machine's {} GPU",
            gpu.name()
        ),
        (_, _, None) => "no GPU was found".to_owned(),
    }
}

/// Returns the builds that this machine can run, in the release's order.
fn find_builds(platform: &Platform, assets: &[&str]) -> Result<Vec<AssetName>, AssetChoiceError> {
    let system = match (&platform.os, platform.arch) {
        (Os::Linux, Arch::X64 | Arch::Arm64) => "ubuntu",
        (Os::MacOs, Arch::X64 | Arch::Arm64) => "macos",
        (Os::Other(name), _) => return Err(AssetChoiceError::System(name.clone())),
        (_, Arch::Other) => return Err(AssetChoiceError::System("this processor".to_owned())),
    };
    if platform.os == Os::Linux && platform.libc == Libc::Musl {
        return Err(AssetChoiceError::NoGlibc);
    }
    let builds = assets.iter().filter_map(|name| AssetName::parse(name));
    let builds: Vec<_> = builds
        .filter(|asset| asset.system == system && asset.arch == platform.arch)
        .collect();
    let Libc::Glibc(present) = platform.libc else {
        return Ok(builds);
    };
    let lowest = builds.iter().map(needed_glibc).min();
    let runs: Vec<_> = builds
        .into_iter()
        .filter(|asset| needed_glibc(asset) <= present)
        .collect();
    match lowest {
        Some(needed) if runs.is_empty() => Err(AssetChoiceError::OldGlibc { needed, present }),
        _ => Ok(runs),
    }
}

/// Returns the version of the GNU C library that a build needs: that of the Ubuntu release on which it was built
/// (llama.cpp b11434, .github/workflows/release.yml: 22.04 for the plain and the Vulkan build for x64, else 24.04).
/// Programs built on 24.04 use symbols of 2.38, but none of 2.39.
fn needed_glibc(asset: &AssetName) -> MajorMinor {
    match (asset.system.as_str(), asset.arch, asset.flavour.backend()) {
        ("ubuntu", Arch::X64, "cpu" | "vulkan") => MajorMinor::new(2, 35),
        ("ubuntu", _, _) => MajorMinor::new(2, 38),
        _ => MajorMinor::new(0, 0),
    }
}

fn find_wanted<'a>(
    platform: &Platform,
    builds: &'a [AssetName],
    wanted: &str,
) -> Result<&'a AssetName, AssetChoiceError> {
    let matching = || builds.iter().filter(|asset| asset.flavour.matches(wanted));
    let supported = matching().filter(|asset| asset.flavour.cuda() <= platform.cuda);
    let newest = supported.max_by_key(|asset| asset.flavour.cuda());
    let oldest = || matching().min_by_key(|asset| asset.flavour.cuda());
    newest.or_else(oldest).ok_or_else(|| {
        let offered: Vec<_> = builds
            .iter()
            .map(|asset| flag_name(&asset.flavour))
            .collect();
        AssetChoiceError::NoFlavour {
            wanted: wanted.to_owned(),
            offered: offered.join(", "),
        }
    })
}

/// Returns the name of a flavour as `--backend` takes it.
fn flag_name(flavour: &Flavour) -> &str {
    match flavour.as_str() {
        "" => "cpu",
        flavour => flavour,
    }
}

/// Returns the newest CUDA build that the driver supports. Builds contain code that the driver compiles, and a driver
/// compiles only code of its own or an older version of CUDA.
fn newest_cuda<'a>(platform: &Platform, builds: &'a [AssetName]) -> Option<&'a AssetName> {
    let supported = platform.cuda?;
    builds
        .iter()
        .filter(|asset| asset.flavour.cuda().is_some_and(|cuda| cuda <= supported))
        .max_by_key(|asset| asset.flavour.cuda())
}

/// Explains why no CUDA build is chosen.
fn no_cuda_reason(platform: &Platform, assets: &[&str]) -> String {
    let all = assets.iter().filter_map(|name| AssetName::parse(name));
    let cuda: Vec<_> = all
        .filter(|asset| asset.system == "ubuntu" && asset.arch == platform.arch)
        .filter(|asset| asset.flavour.cuda().is_some())
        .collect();
    let Some(oldest) = cuda.iter().filter_map(|asset| asset.flavour.cuda()).min() else {
        return "the release has no CUDA build for this system".to_owned();
    };
    match (platform.cuda, platform.libc) {
        (None, _) => "the CUDA version that its driver supports is not known".to_owned(),
        (Some(supported), _) if supported < oldest => format!(
            "its driver supports CUDA {supported}, older than the release's CUDA {oldest} build needs"
        ),
        (Some(_), Libc::Glibc(present)) => {
            format!("the CUDA builds need a newer C library than this system's ({present})")
        }
        (Some(_), Libc::Musl | Libc::Unknown) => "no CUDA build suits this system".to_owned(),
    }
}

fn vulkan_advice(platform: &Platform, is_nvidia: bool) -> Option<String> {
    if is_nvidia && platform.nvcc {
        return Some(
            "CUDA's compiler is installed: `paddock engine build` makes a CUDA build, which is usually faster"
                .to_owned(),
        );
    }
    (!platform.vulkan_loader).then(|| {
        "the GPU is used only once the Vulkan loader is installed (Debian and Ubuntu: apt install libvulkan1)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
