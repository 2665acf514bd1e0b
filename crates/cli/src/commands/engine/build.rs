//! `paddock engine build`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{block_on, print_outcome};
use crate::engine_build::{BuildRequest, build};
use crate::exit::Exit;

/// Flags of `paddock engine build`.
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The release's tag, such as b11434. Default: the latest release.
    #[arg(value_name = "TAG", conflicts_with = "source")]
    tag: Option<String>,
    /// Compile the source in this directory instead of downloading a release's.
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// The backend. Default: cuda if CUDA's compiler is installed, else cpu.
    #[arg(long, value_name = "NAME")]
    backend: Option<Backend>,
    /// Number of files compiled at the same time. Default: the number of processors.
    #[arg(long, short = 'j', value_name = "N")]
    jobs: Option<usize>,
    /// Install the engine without using it.
    #[arg(long)]
    no_use: bool,
}

/// A backend that can be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Cpu,
    Cuda,
    Vulkan,
}

/// Runs the command.
pub(super) fn run(args: &BuildArgs) -> Exit {
    let request = BuildRequest {
        tag: args.tag.clone(),
        source: args.source.clone(),
        backend: args.backend.map(|backend| match backend {
            Backend::Cpu => "cpu",
            Backend::Cuda => "cuda",
            Backend::Vulkan => "vulkan",
        }),
        jobs: args.jobs,
        keep_current: args.no_use,
    };
    match block_on(build(&request)) {
        Ok(outcome) => {
            print_outcome(&outcome, args.no_use);
            Exit::Done
        }
        Err(exit) => exit,
    }
}
