//! Tests of the rules of a sandbox.

use super::*;
use crate::fixture::Fixture;

#[test]
fn an_engine_brings_its_directory_and_the_libraries_beside_a_bin() {
    let grants = |program: &str| {
        let grants = directory_grants(Path::new(program));
        let paths = grants.into_iter().map(|grant| {
            assert_eq!(grant.right, AccessRight::Execute);
            grant.path.display().to_string()
        });
        paths.collect::<Vec<_>>()
    };
    assert_eq!(grants("/srv/llama/llama-server"), ["/srv/llama"]);
    assert_eq!(
        grants("/c/env/bin/llama-server"),
        ["/c/env/bin", "/c/env/lib", "/c/env/lib64", "/c/env/libexec"]
    );
    assert!(grants("/").is_empty());
}

/// Returns a machine on which only these paths exist, and the engine is a link to another directory.
const MACHINE: Machine = Machine {
    variable: |_| None,
    exists: |path| {
        ["/lora", "/lib", "/dev/kfd"]
            .iter()
            .any(|there| path == Path::new(there))
    },
    resolve: |_| Some(PathBuf::from("/opt/llama/bin/llama-server")),
};

fn config(sandbox: SandboxMode) -> (Fixture, Config) {
    let fixture = Fixture::new();
    let mut config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
    config.engine.program = "/usr/bin/llama-server".into();
    config.engine.sandbox = sandbox;
    config.engine.args = [
        "--lora",
        "/lora",
        "--log-file",
        "/log",
        "--slot-save-path",
        "/slots",
    ]
    .map(Into::into)
    .to_vec();
    (fixture, config)
}

fn engine() -> Vec<PathGrant> {
    let mut grants = vec!["/usr/bin/llama-server".to_owned()];
    for prefix in ["/usr", "/opt/llama"] {
        grants.extend(["bin", "lib", "lib64", "libexec"].map(|name| format!("{prefix}/{name}")));
    }
    grants
        .iter()
        .map(|path| AccessRight::Execute.at(path))
        .collect()
}

fn variable(name: &str, value: &str) -> (OsString, OsString) {
    (name.into(), value.into())
}

#[test]
fn a_child_may_use_its_engine_its_files_and_the_paths_it_names() {
    let (_fixture, config) = config(SandboxMode::Auto);
    let model = &config.models[0];
    let env = [
        variable("LD_LIBRARY_PATH", "/lib"),
        variable("HOME", "/lib"),
    ];
    let files = [PathBuf::from("/m/m.gguf")];
    let open = SandboxExemptions::default();
    let sandbox = child_sandbox(&config, model, &open, &files, &env, MACHINE).unwrap();
    let mut grants = engine();
    grants.push(AccessRight::Read.at("/m/m.gguf"));
    grants.extend(["/lora", "/lib"].map(|path| AccessRight::Read.at(path)));
    grants.push(AccessRight::Log.at("/log"));
    grants.push(AccessRight::Write.at("/slots"));
    assert_eq!(sandbox.files, Some(grants));
    assert_eq!(sandbox.network, Network::Closed);
    assert!(!sandbox.scheduling && !sandbox.strict);
}

#[test]
fn a_wrapped_command_is_granted_no_paths_of_unrelated_variables() {
    let (_fixture, mut config) = config(SandboxMode::Auto);
    let env = [variable("UNRELATED", "/lib")];
    let open = SandboxExemptions::default();
    let reads_lib = |config: &Config| {
        let model = &config.models[0];
        let sandbox = child_sandbox(config, model, &open, &[], &env, MACHINE).unwrap();
        let grant = AccessRight::Read.at("/lib");
        sandbox.files.unwrap().contains(&grant)
    };
    assert!(reads_lib(&config));
    config.mode = Mode::Wrap {
        router: false,
        is_launched: false,
    };
    assert!(!reads_lib(&config));
}

#[test]
fn exemptions_lift_their_restriction_alone() {
    let none = SandboxExemptions::default();
    let files = SandboxExemptions {
        files: true,
        ..none.clone()
    };
    let network = SandboxExemptions {
        network: true,
        ..none.clone()
    };
    let scheduling = SandboxExemptions {
        scheduling: true,
        ..none.clone()
    };
    let strict = Sandbox {
        files: Some(Vec::new()),
        strict: true,
        ..Sandbox::default()
    };
    let auto = Sandbox {
        strict: false,
        ..strict.clone()
    };
    for (mode, exemptions, expected) in [
        (SandboxMode::Off, &none, None),
        (SandboxMode::On, &none, Some(strict)),
        (SandboxMode::Auto, &none, Some(auto.clone())),
        (
            SandboxMode::Auto,
            &files,
            Some(Sandbox {
                files: None,
                ..auto.clone()
            }),
        ),
        (
            SandboxMode::Auto,
            &network,
            Some(Sandbox {
                network: Network::Open,
                ..auto.clone()
            }),
        ),
        (
            SandboxMode::Auto,
            &scheduling,
            Some(Sandbox {
                scheduling: true,
                ..auto.clone()
            }),
        ),
    ] {
        let (_fixture, config) = config(mode);
        assert_eq!(base_sandbox(&config, exemptions), expected, "{mode:?}");
    }
    // A child without restrictions of files gets no grants, which would be restrictions.
    let (_fixture, config) = config(SandboxMode::Auto);
    let model = &config.models[0];
    let sandbox = child_sandbox(&config, model, &files, &[], &[], MACHINE).unwrap();
    assert_eq!(sandbox.files, None);
}

#[test]
fn the_restrictions_in_effect_are_those_of_the_system_without_exemptions() {
    let system = SandboxSupport::for_linux(7, true);
    let network = SandboxExemptions {
        network: true,
        ..SandboxExemptions::default()
    };
    let (_fixture, on) = config(SandboxMode::On);
    let none = SandboxExemptions::default();
    assert!(effective_support(system, &on, &none).network);
    assert!(!effective_support(system, &on, &network).network);
    let (_fixture, off) = config(SandboxMode::Off);
    assert!(!effective_support(system, &off, &none).files);
}

#[test]
fn a_probe_of_the_engine_sees_devices_and_no_models() {
    let env = [variable("LD_LIBRARY_PATH", "/lib:/missing")];
    for (mode, scheduling) in [(SandboxMode::Auto, true), (SandboxMode::On, false)] {
        let (_fixture, config) = config(mode);
        let sandbox = engine_sandbox(&config, &env, MACHINE).unwrap();
        let mut grants = engine();
        grants.push(AccessRight::Read.at("/lib"));
        assert_eq!(sandbox.files, Some(grants), "{mode:?}");
        assert_eq!(sandbox.scheduling, scheduling, "{mode:?}");
    }
    let (_fixture, config) = config(SandboxMode::Off);
    assert_eq!(engine_sandbox(&config, &env, MACHINE), None);
}
