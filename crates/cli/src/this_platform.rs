//! Reads the facts about this machine that decide which engine suits it.

use std::path::Path;

use paddock_engines::{GpuVendor, Platform, parse_nvidia_smi};

use crate::engine_program;

/// NVIDIA's program, on the PATH or in the directory of WSL.
const NVIDIA_SMI: [&str; 2] = ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"];

/// Reads the facts. With an NVIDIA GPU, the driver's own program states the version of CUDA that the driver supports,
/// which is better than a guess by the driver's version.
pub(crate) async fn detect() -> Platform {
    let mut platform = Platform::detect();
    if platform.gpus.contains(&GpuVendor::Nvidia) {
        for program in NVIDIA_SMI {
            let output = engine_program::run(Path::new(program), &[]).await;
            if let Some(cuda) = output.ok().and_then(|text| parse_nvidia_smi(&text)) {
                platform.cuda = Some(cuda);
                break;
            }
        }
    }
    platform
}
