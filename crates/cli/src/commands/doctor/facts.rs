//! The facts about this machine, its engine and its configuration.

mod device_files;
mod memory;
mod models;

use std::path::{Path, PathBuf};

use paddock_engines::{InstalledEngine, Platform};
use paddock_server::MachineMemory;
use paddock_server::config::{Config, Overrides, Problem, SandboxMode, default_engine};
use paddock_supervisor::sandbox::SandboxSupport;

use crate::admin::{AdminArgs, CommandError};
use crate::engine_install::engine_dirs;
use crate::{config_file, engine_program, port_check, this_platform};

pub(super) use device_files::DeviceFile;
pub(super) use memory::SystemMemory;
pub(super) use models::{ConfiguredModel, ModelsOnDisk};

/// The facts.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) engine: EngineFacts,
    pub(super) platform: Platform,
    pub(super) device_files: Vec<DeviceFile>,
    pub(super) memory: SystemMemory,
    /// Memory that models could use now.
    pub(super) free: MachineMemory,
    /// The configuration file, if any.
    pub(super) config_file: Option<PathBuf>,
    /// Errors of the configuration.
    pub(super) config_problems: Vec<Advice>,
    pub(super) models: Vec<ConfiguredModel>,
    /// Directories are searched for models.
    pub(super) discovers: bool,
    pub(super) on_disk: ModelsOnDisk,
    /// Addresses that cannot be listened on.
    pub(super) address_problems: Vec<Advice>,
    /// A paddock is running.
    pub(super) is_running: bool,
    /// Parts of the sandbox that this kernel lacks, unless the sandbox is off.
    pub(super) missing_sandbox: Vec<&'static str>,
    /// The user's name.
    pub(super) user: String,
}

/// A problem, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The engine that models would use.
#[derive(Debug, Clone)]
pub(super) enum EngineFacts {
    /// There is none.
    Missing,
    /// The program fails.
    Broken { program: PathBuf, failure: Advice },
    /// The program works.
    Works {
        program: PathBuf,
        /// The line that `--version` prints.
        version: String,
        /// The engine of `paddock engine`, if it is one.
        installed: Option<Box<InstalledEngine>>,
        /// The lines of `--list-devices`, such as `CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)`.
        devices: Vec<String>,
    },
}

impl Facts {
    /// Reads the facts.
    pub(super) async fn read(named: Option<&Path>, admin: AdminArgs) -> Self {
        let (config_file, config, config_problems) = read_config(named);
        let program = config.as_ref().map(|config| config.engine.program.clone());
        let mode = config
            .as_ref()
            .map_or(SandboxMode::Auto, |config| config.engine.sandbox);
        let is_running = is_running(admin).await;
        let address_problems = match &config {
            Some(config) if !is_running => port_check::find_unavailable(config),
            _ => Vec::new(),
        };
        Self {
            engine: read_engine(program.or_else(default_engine)).await,
            platform: this_platform::detect().await,
            device_files: device_files::read(),
            memory: SystemMemory::read(),
            free: MachineMemory::read(),
            config_file,
            config_problems,
            models: config.as_ref().map(models::configured).unwrap_or_default(),
            discovers: config.as_ref().is_some_and(|config| config.discovers),
            on_disk: ModelsOnDisk::read(),
            address_problems: address_problems.iter().map(Advice::from).collect(),
            is_running,
            missing_sandbox: match mode {
                SandboxMode::Off => Vec::new(),
                SandboxMode::Auto | SandboxMode::On => SandboxSupport::detect().missing(),
            },
            user: std::env::var("USER").unwrap_or_else(|_| "$USER".to_owned()),
        }
    }
}

impl From<&Problem> for Advice {
    fn from(problem: &Problem) -> Self {
        let key = problem.key.as_ref().map(|key| format!("{key}: "));
        let place = problem.span.as_ref();
        let place = place.map(|place| format!(" ({}:{})", place.file.display(), place.line));
        Self {
            message: format!(
                "{}{}{}",
                key.unwrap_or_default(),
                problem.message,
                place.unwrap_or_default()
            ),
            help: problem.help.clone(),
        }
    }
}

fn read_config(named: Option<&Path>) -> (Option<PathBuf>, Option<Config>, Vec<Advice>) {
    let advice = |problems: paddock_server::config::Problems| {
        problems.as_slice().iter().map(Advice::from).collect()
    };
    let text = match config_file::read_text(named) {
        Ok(Some(text)) => text,
        Ok(None) => return (None, None, Vec::new()),
        Err(problems) => return (named.map(Path::to_owned), None, advice(problems)),
    };
    match Config::from_toml(&text.text, &text.file, &Overrides::default()) {
        Ok(config) => (Some(text.file), Some(config), Vec::new()),
        Err(problems) => (Some(text.file), None, advice(problems)),
    }
}

async fn read_engine(program: Option<PathBuf>) -> EngineFacts {
    let Some(program) = program else {
        return EngineFacts::Missing;
    };
    let answers = async {
        let version = engine_program::version(&program).await?;
        engine_program::check_libraries(&program).await?;
        let devices = engine_program::run(&program, &["--list-devices".as_ref()]).await?;
        Ok::<_, engine_program::ProgramError>((version, devices))
    };
    match answers.await {
        Ok((version, devices)) => {
            let mut engines = engine_dirs().installed().into_iter();
            EngineFacts::Works {
                installed: engines
                    .find(|engine| engine.program == program)
                    .map(Box::new),
                devices: parse_devices(&devices),
                program,
                version,
            }
        }
        Err(error) => EngineFacts::Broken {
            failure: Advice {
                message: error.to_string(),
                help: error.advice(),
            },
            program,
        },
    }
}

/// Reads the list of devices (llama.cpp b11434, common/arg.cpp `common_print_available_devices`), without those that
/// have no memory of their own.
fn parse_devices(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .skip_while(|line| line.trim_end() != "Available devices:");
    let devices = lines.skip(1).filter(|line| line.starts_with("  "));
    let devices = devices
        .map(str::trim)
        .filter(|line| line.ends_with(" MiB free)"));
    let devices = devices.filter(|line| !line.contains(" (0 MiB, "));
    devices.map(ToOwned::to_owned).collect()
}

/// Returns whether a paddock answers, even if it refuses the request.
async fn is_running(admin: AdminArgs) -> bool {
    let Ok(client) = admin.client().await else {
        return true;
    };
    match client.status().await {
        Ok(_) => true,
        Err(error) => matches!(
            error,
            CommandError::Unauthorized { .. } | CommandError::Refused { .. }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_with_memory_are_listed() {
        let text = "load_backend: loaded\nAvailable devices:\n  CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)\n  \
            BLAS: OpenBLAS (0 MiB, 0 MiB free)\nversion: 1\n";
        assert_eq!(
            parse_devices(text),
            ["CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)"]
        );
        assert_eq!(parse_devices("Available devices:\n  (none)\n"), [""; 0]);
        assert_eq!(parse_devices(""), [""; 0]);
    }
}
