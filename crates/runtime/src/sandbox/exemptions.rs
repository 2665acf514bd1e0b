//! Decides which restrictions of the sandbox a model's configuration lifts.

use super::Machine;
use super::flag_permissions::{self, Exemption};
use paddock_config::{Config, Mode, Model, SandboxMode};
use std::path::Path;

/// Compute device of AMD's GPUs.
const AMD_COMPUTE: &str = "/dev/kfd";

/// Restrictions that a model's configuration lifts: each is lifted if its field is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxExemptions {
    /// Access to any file.
    pub(super) files: bool,
    /// Use of any network socket.
    pub(super) network: bool,
    /// Setting the affinity and priority of threads.
    pub(super) scheduling: bool,
    /// Flags, variables and devices that require the exemptions.
    pub by: Vec<String>,
}

impl SandboxExemptions {
    /// Derives the exemptions from the configuration:
    /// 1. In sandbox mode `on` there are no exemptions, and in mode `off` there is nothing to exempt.
    /// 2. A wrapped command in llama-server's router mode starts processes for many models, with flags from its own
    ///    files, and downloads: everything is open.
    /// 3. Some flags and variables need the network, files that cannot be named beforehand, or CPU affinity.
    /// 4. A wrapped command with a projector fetches images that its clients name by URL, as it did before it was
    ///    wrapped: the network is open.
    /// 5. Some devices' drivers set the affinity of threads.
    pub(crate) fn from_config(config: &Config, model: &Model, machine: Machine) -> Self {
        let mut exemptions = Self::default();
        if config.engine.sandbox != SandboxMode::Auto {
            return exemptions; // 1.
        }
        if matches!(config.mode, Mode::Wrap { router: true, .. }) {
            exemptions.add(Exemption::All, "no model is named"); // 2.
            exemptions.scheduling = true;
        }
        let command = config.command(model);
        let wrapped = config.mode != Mode::Serve;
        let env = flag_permissions::with_inherited(&command.env, machine.variable);
        for (what, word) in flag_permissions::required_exemptions(&command.args, &env, wrapped) {
            exemptions.add(what, word); // 3. and 4.
        }
        exemptions.add_devices(machine); // 5.
        exemptions
    }

    /// Adds the exemptions that this machine's device drivers need. AMD's runtime sets the affinity of its threads
    /// and fails to create them if denied (ROCR-Runtime, `os_linux.cpp`, `os_thread`; variable
    /// `HSA_OVERRIDE_CPU_AFFINITY_DEBUG`).
    pub(super) fn add_devices(&mut self, machine: Machine) {
        if (machine.exists)(Path::new(AMD_COMPUTE)) {
            self.add(Exemption::Scheduling, AMD_COMPUTE);
        }
    }

    /// Lifts a restriction, and records the flag, variable or device that requires it.
    fn add(&mut self, what: Exemption, word: &str) {
        match what {
            Exemption::All => (self.files, self.network) = (true, true),
            Exemption::Network => self.network = true,
            Exemption::Scheduling => self.scheduling = true,
        }
        self.by.push(word.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    const BARE: Machine = Machine {
        variable: |_| None,
        exists: |_| false,
        resolve: |_| None,
    };

    /// AMD's driver is installed.
    const AMD: Machine = Machine {
        exists: |path| path.as_os_str() == "/dev/kfd",
        ..BARE
    };

    /// An inherited variable binds threads to cores.
    const BOUND: Machine = Machine {
        variable: |name| (name == "OMP_PLACES").then(|| "cores".to_owned()),
        ..BARE
    };

    const WRAP: Mode = Mode::Wrap {
        router: false,
        is_launched: false,
    };

    const ROUTER: Mode = Mode::Wrap {
        router: true,
        is_launched: false,
    };

    /// Checks the exemptions of a command: files, network and scheduling, and the words that require them.
    fn assert_exempt(
        (sandbox, mode, machine): (SandboxMode, Mode, Machine),
        args: &[&str],
        [files, network, scheduling]: [bool; 3],
        by: &[&str],
    ) {
        let fixture = Fixture::new();
        let mut config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        (config.engine.sandbox, config.mode) = (sandbox, mode);
        config.engine.args = args.iter().map(Into::into).collect();
        let expected = SandboxExemptions {
            files,
            network,
            scheduling,
            by: by.iter().map(|word| (*word).to_owned()).collect(),
        };
        let found = SandboxExemptions::from_config(&config, &config.models[0], machine);
        assert_eq!(found, expected, "{sandbox:?} {mode:?} {args:?}");
    }

    #[test]
    fn nothing_is_exempt_with_the_sandbox_on_or_off() {
        for sandbox in [SandboxMode::On, SandboxMode::Off] {
            for mode in [Mode::Serve, WRAP, ROUTER] {
                assert_exempt((sandbox, mode, AMD), &["--rpc", "h"], [false; 3], &[]);
            }
        }
    }

    #[test]
    fn exemptions_follow_from_the_mode_the_flags_and_the_machine() {
        let auto = |mode, machine| (SandboxMode::Auto, mode, machine);
        let (serve, wrap) = (auto(Mode::Serve, BARE), auto(WRAP, BARE));
        assert_exempt(serve, &[], [false; 3], &[]);
        assert_exempt(wrap, &[], [false; 3], &[]);
        let router = auto(ROUTER, BARE);
        assert_exempt(router, &[], [true; 3], &["no model is named"]);
        let network = [false, true, false];
        assert_exempt(serve, &["--rpc", "h"], network, &["--rpc"]);
        assert_exempt(wrap, &["--mmproj", "p"], network, &["--mmproj"]);
        assert_exempt(serve, &["-hf", "r"], [true, true, false], &["-hf"]);
        let scheduling = [false, false, true];
        assert_exempt(serve, &["--numa", "x"], scheduling, &["--numa"]);
        let (bound, amd) = (auto(Mode::Serve, BOUND), auto(Mode::Serve, AMD));
        assert_exempt(bound, &[], scheduling, &["OMP_PLACES"]);
        assert_exempt(amd, &[], scheduling, &["/dev/kfd"]);
        let all = ["--rpc", "--numa", "/dev/kfd"];
        assert_exempt(
            amd,
            &["--rpc", "h", "--numa", "x"],
            [false, true, true],
            &all,
        );
    }
}
