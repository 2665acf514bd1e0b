//! Lists the paths that any sandboxed program may use: those that every program needs, and those that GPUs need.
//!
//! Sources for the paths of GPU libraries and the files they open: NVIDIA's driver README ("Installed
//! Components", "Configuring Environment Variables"), the CUDA C++ Programming Guide ("CUDA Environment
//! Variables"), AMD's documentation of its containers ("Running `ROCm` Docker containers"), docs.mesa3d.org
//! ("Environment Variables"), and the Vulkan loader's LoaderDriverInterface.md.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use crate::sandbox::{AccessRight, PathGrant};

/// Directories of programs and libraries.
const PROGRAM_PATHS: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/home/linuxbrew/.linuxbrew",
    "/run/opengl-driver",
];

/// Readable paths: configuration of libraries, graphics drivers and devices, the time zone, user names, the
/// processor. No other process's directory in `/proc`: its environment (also paddock's own) may hold secrets.
const READABLE_PATHS: [&str; 29] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/OpenCL",
    "/etc/drirc",
    "/etc/glvnd",
    "/etc/llama.cpp",
    "/etc/nvidia",
    "/etc/vulkan",
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/driver",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/self",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/version",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/sys/module",
];

/// Devices that hold no data.
const HARMLESS_DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Prefixes of the names of accelerators in `/dev`: NVIDIA, Mesa and AMD, AMD compute, WSL, others.
const ACCELERATOR_PREFIXES: [&str; 5] = ["nvidia", "dri", "kfd", "dxg", "accel"];

/// Prefixes of accelerator toolkits in `/opt`.
const TOOLKIT_PREFIXES: [&str; 5] = ["rocm", "amdgpu", "cuda", "nvidia", "intel"];

/// Directories, below the home directory, in which drivers cache compiled shaders: without them each start
/// compiles again.
const SHADER_CACHE_PATHS: [&str; 4] = [
    ".nv/ComputeCache",
    ".cache/mesa_shader_cache",
    ".cache/mesa_shader_cache_db",
    ".cache/nvidia",
];

/// Variables that name another directory for the cache.
const SHADER_CACHE_VARIABLES: [&str; 2] = ["CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR"];

/// Returns the grants on this system.
pub(super) fn list_grants() -> Vec<PathGrant> {
    grants_for(
        &list_names(Path::new("/dev")),
        &list_names(Path::new("/opt")),
        |name| env::var_os(name).filter(|value| !value.is_empty()),
    )
}

fn list_names(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect()
}

/// Returns the grants on a system with these names in `/dev` and in `/opt`.
fn grants_for(
    dev: &[OsString],
    opt: &[OsString],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Vec<PathGrant> {
    let home = variable("HOME").map(PathBuf::from);
    let mut grants: Vec<_> = PROGRAM_PATHS
        .map(|path| AccessRight::Execute.at(path))
        .into();
    grants.extend(READABLE_PATHS.map(|path| AccessRight::Read.at(path)));
    grants.extend(HARMLESS_DEVICES.map(|path| AccessRight::Device.at(path)));
    if let Some(home) = &home {
        grants.push(AccessRight::Read.at(home.join(".config/llama.cpp")));
    }
    let toolkits = opt
        .iter()
        .filter(|name| has_prefix(name, &TOOLKIT_PREFIXES));
    grants.extend(toolkits.map(|name| AccessRight::Execute.at(Path::new("/opt").join(name))));

    let accelerators: Vec<_> = dev
        .iter()
        .filter(|name| has_prefix(name, &ACCELERATOR_PREFIXES))
        .map(|name| AccessRight::Device.at(Path::new("/dev").join(name)))
        .collect();
    if accelerators.is_empty() {
        return grants;
    }
    grants.extend(accelerators);
    // Libraries that use several GPUs share memory there.
    grants.push(AccessRight::Write.at("/dev/shm"));
    // CUDA does not start if it cannot name its threads.
    grants.push(AccessRight::Change.at("/proc/self"));
    let shaders = SHADER_CACHE_PATHS
        .iter()
        .filter_map(|path| Some(home.as_ref()?.join(path)));
    let elsewhere = SHADER_CACHE_VARIABLES
        .iter()
        .filter_map(|name| variable(name));
    let shaders = shaders.chain(elsewhere.map(PathBuf::from));
    grants.extend(shaders.map(|path| AccessRight::Keep.at(path)));
    grants
}

fn has_prefix(name: &OsStr, prefixes: &[&str]) -> bool {
    let name = name.to_string_lossy();
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants_with(dev: &[&str], opt: &[&str], variables: &[(&str, &str)]) -> Vec<PathGrant> {
        let names = |names: &[&str]| names.iter().map(OsString::from).collect::<Vec<_>>();
        grants_for(&names(dev), &names(opt), |name| {
            let row = variables.iter().find(|(other, _)| *other == name)?;
            Some(row.1.into())
        })
    }

    const PLAIN: [&str; 4] = ["null", "sda", "mem", "nvme0"];

    #[test]
    fn without_a_gpu_nothing_can_be_written_but_devices_that_hold_nothing() {
        let grants = grants_with(&PLAIN, &["google"], &[("HOME", "/home/u")]);
        for grant in grants {
            let harmless = matches!(grant.right, AccessRight::Execute | AccessRight::Read)
                || HARMLESS_DEVICES
                    .map(Path::new)
                    .contains(&grant.path.as_path());
            assert!(harmless, "{grant:?}");
            assert!(!grant.path.starts_with("/opt"), "{grant:?}");
            assert_ne!(grant.path, Path::new("/home/u"));
        }
    }

    #[test]
    fn gpus_bring_their_devices_their_libraries_and_their_caches() {
        let dev = [
            "nvidiactl",
            "nvidia0",
            "nvidia-uvm",
            "nvidia-caps",
            "dri",
            "kfd",
        ];
        let dev: Vec<_> = PLAIN.iter().chain(&dev).copied().collect();
        let variables = [("HOME", "/h"), ("CUDA_CACHE_PATH", "/c")];
        let grants = grants_with(&dev, &["rocm-6.2", "google"], &variables);
        for grant in [
            AccessRight::Device.at("/dev/nvidiactl"),
            AccessRight::Device.at("/dev/nvidia0"),
            AccessRight::Device.at("/dev/nvidia-uvm"),
            AccessRight::Device.at("/dev/nvidia-caps"),
            AccessRight::Device.at("/dev/dri"),
            AccessRight::Device.at("/dev/kfd"),
            AccessRight::Execute.at("/opt/rocm-6.2"),
            AccessRight::Write.at("/dev/shm"),
            AccessRight::Change.at("/proc/self"),
            AccessRight::Keep.at("/h/.nv/ComputeCache"),
            AccessRight::Keep.at("/h/.cache/mesa_shader_cache"),
            AccessRight::Keep.at("/c"),
        ] {
            assert!(grants.contains(&grant), "{grant:?}");
        }
        for other in ["/dev/sda", "/dev/mem", "/dev/nvme0", "/opt/google"] {
            assert!(grants.iter().all(|grant| grant.path != Path::new(other)));
        }
    }
}
