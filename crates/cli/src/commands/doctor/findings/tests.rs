//! Tables of facts and findings.

use std::path::PathBuf;

use paddock_engines::{Arch, InstalledEngine, Libc, MajorMinor, Receipt};
use paddock_server::{GpuMemory, MachineMemory};

use super::super::facts::{ConfiguredModel, DeviceFile, ModelsOnDisk, SystemMemory};
use super::*;

const GIB: u64 = 1024 * 1024 * 1024;

/// A machine on which everything fits: a processor, an engine, a model.
fn machine() -> Facts {
    Facts {
        engine: engine("", &[]),
        platform: Platform {
            os: Os::Linux,
            arch: Arch::X64,
            libc: Libc::Glibc(MajorMinor::new(2, 41)),
            gpus: Vec::new(),
            nvidia_driver: None,
            cuda: None,
            vulkan_loader: true,
            nvcc: false,
        },
        device_files: Vec::new(),
        memory: SystemMemory::default(),
        free: MachineMemory {
            ram: Some(8 * GIB),
            gpus: Vec::new(),
        },
        config_file: None,
        config_problems: Vec::new(),
        models: vec![model("m", None, Some(GIB))],
        discovers: false,
        on_disk: ModelsOnDisk::default(),
        address_problems: Vec::new(),
        is_running: false,
        missing_sandbox: Vec::new(),
        user: "me".to_owned(),
    }
}

fn engine(flavour: &str, devices: &[&str]) -> EngineFacts {
    let receipt = Receipt {
        tag: "b1".to_owned(),
        flavour: flavour.to_owned(),
        archives: Vec::new(),
        program: "llama-server".into(),
        version: String::new(),
        installed: 0,
        source: None,
    };
    let installed = InstalledEngine {
        name: "b1".parse().unwrap(),
        directory: "/e/b1".into(),
        program: "/e/b1/llama-server".into(),
        receipt,
    };
    EngineFacts::Works {
        program: "/e/b1/llama-server".into(),
        version: "version: 1".to_owned(),
        installed: Some(Box::new(installed)),
        devices: devices.iter().map(ToString::to_string).collect(),
    }
}

fn model(name: &str, fault: Option<&str>, needed: Option<u64>) -> ConfiguredModel {
    ConfiguredModel {
        name: name.to_owned(),
        fault: fault.map(|message| advice(message, "paddock pull")),
        needed,
    }
}

fn advice(message: &str, help: &str) -> Advice {
    Advice {
        message: message.to_owned(),
        help: Some(help.to_owned()),
    }
}

fn device(path: &str, is_usable: bool) -> DeviceFile {
    DeviceFile {
        path: PathBuf::from(path),
        group: "render".to_owned(),
        is_usable,
    }
}

/// A machine with a GPU that can be used.
fn with_gpu(gpu: GpuVendor, engine: EngineFacts) -> Facts {
    let mut facts = machine();
    facts.engine = engine;
    facts.platform.gpus = vec![gpu];
    facts.platform.nvidia_driver = (gpu == GpuVendor::Nvidia).then(|| MajorMinor::new(570, 86));
    facts.device_files = vec![device("/dev/dri/renderD128", true)];
    facts
}

/// Asserts the only finding: its severity, and words of it, of its cause and of its remedy.
#[track_caller]
fn finds(facts: &Facts, severity: Severity, what: &str, why: &str, help: &str) {
    let findings = find(facts);
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    let has =
        |text: &Option<String>, part: &str| text.as_deref().unwrap_or_default().contains(part);
    assert_eq!(finding.severity, severity, "{finding:#?}");
    assert!(finding.what.contains(what), "{finding:#?}");
    assert!(has(&finding.why, why), "{finding:#?}");
    assert!(has(&finding.help, help), "{finding:#?}");
}

#[test]
fn nothing_is_found_where_everything_fits() {
    assert_eq!(find(&machine()), []);
    let gpu = with_gpu(
        GpuVendor::Amd,
        engine("vulkan", &["Vulkan0: x (1 MiB, 1 MiB free)"]),
    );
    assert_eq!(find(&gpu), []);
}

#[test]
fn an_engine_that_is_missing_or_broken_prevents_serving() {
    let mut facts = machine();
    facts.engine = EngineFacts::Missing;
    finds(
        &facts,
        Severity::Error,
        "no engine is installed",
        "PATH",
        "paddock engine install",
    );
    facts.config_problems = vec![advice("engine.command: there is no file x", "chmod")];
    finds(&facts, Severity::Error, "there is no file x", "", "chmod");

    let mut facts = machine();
    facts.engine = EngineFacts::Broken {
        program: "/e/llama-server".into(),
        failure: advice("exit code 127: libgomp.so.1", "apt install libgomp1"),
    };
    let what = "the engine /e/llama-server does not run";
    finds(
        &facts,
        Severity::Error,
        what,
        "libgomp.so.1",
        "apt install libgomp1",
    );
}

#[test]
fn a_gpu_that_the_engine_does_not_use_is_found_with_the_first_cause() {
    use GpuVendor::{Amd, Intel, Nvidia};
    let what = "does not use this machine's";
    let warns = |facts: &Facts, why: &str, help: &str| {
        finds(facts, Severity::Warning, what, why, help);
    };
    for gpu in [Nvidia, Amd, Intel] {
        let cpu = with_gpu(gpu, engine("", &[]));
        warns(&cpu, "built for processors alone", "paddock engine install");
    }
    let mut no_driver = with_gpu(Nvidia, engine("", &[]));
    no_driver.platform.nvidia_driver = None;
    warns(&no_driver, "driver is not loaded", "nvidia-driver");
    let mut container = with_gpu(Amd, engine("vulkan", &[]));
    container.device_files.clear();
    warns(&container, "no device file", "--device /dev/dri");
    let mut no_loader = with_gpu(Intel, engine("vulkan", &[]));
    no_loader.platform.vulkan_loader = false;
    warns(
        &no_loader,
        "loader is not installed",
        "apt install libvulkan1",
    );
    warns(
        &with_gpu(Intel, engine("vulkan", &[])),
        "no Vulkan driver",
        "mesa-vulkan-drivers",
    );
    warns(
        &with_gpu(Nvidia, engine("vulkan", &[])),
        "no Vulkan driver",
        "nvidia-vulkan-icd",
    );
    warns(
        &with_gpu(Nvidia, engine("cuda-12.8", &[])),
        "finds no device",
        "nvidia-smi",
    );
    let rocm = with_gpu(Amd, engine("rocm-7.2", &[]));
    warns(&rocm, "its maker's libraries", "paddock engine install");
    let mut other = with_gpu(Nvidia, engine("", &[]));
    if let EngineFacts::Works { installed, .. } = &mut other.engine {
        *installed = None;
    }
    warns(&other, "no backend", "paddock engine install");

    let mut macos = with_gpu(Amd, engine("", &[]));
    macos.platform.os = Os::MacOs;
    assert_eq!(find(&macos), []);
}

#[test]
fn a_device_file_that_is_closed_names_its_group() {
    let mut facts = with_gpu(GpuVendor::Amd, engine("vulkan", &[]));
    facts.device_files = vec![device("/dev/dri/renderD128", false)];
    let what = "/dev/dri/renderD128 cannot be opened by this user";
    finds(
        &facts,
        Severity::Warning,
        what,
        "GPU",
        "sudo usermod -aG render me",
    );
}

#[test]
fn models_that_are_missing_or_too_large_are_found() {
    let missing = || model("a", Some("there is no file a.gguf"), None);
    let mut facts = machine();
    facts.models.push(missing());
    let what = "the model a cannot be loaded";
    finds(
        &facts,
        Severity::Warning,
        what,
        "no file a.gguf",
        "paddock pull",
    );
    facts.models = vec![missing()];
    finds(
        &facts,
        Severity::Error,
        what,
        "no file a.gguf",
        "paddock pull",
    );

    facts.models = vec![model("big", None, Some(10 * GIB))];
    let what = "the model big is too large";
    finds(
        &facts,
        Severity::Warning,
        what,
        "10.0 GiB, and 8.0 GiB are free",
        "smaller",
    );
    facts.free.gpus = vec![GpuMemory {
        total: 4 * GIB,
        free: 4 * GIB,
    }];
    assert_eq!(find(&facts), []);
    facts.free.gpus.clear();
    facts.is_running = true;
    assert_eq!(find(&facts), []);

    let mut facts = machine();
    facts.models.clear();
    finds(
        &facts,
        Severity::Warning,
        "there is no model",
        "",
        "paddock run hf:",
    );
    facts.discovers = true;
    assert_eq!(find(&facts), []);
}

#[test]
fn errors_of_the_configuration_and_addresses_come_first() {
    let mut facts = machine();
    facts.missing_sandbox = vec!["scope"];
    facts.free.ram = Some(GIB / 2);
    facts.models.clear();
    facts.discovers = true;
    facts.config_problems = vec![advice("memory.ram: wrong", "right")];
    facts.address_problems = vec![advice("server.listen: in use", "choose another")];
    let findings = find(&facts);
    let whats: Vec<_> = findings
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(
        whats,
        [
            "memory.ram: wrong",
            "server.listen: in use",
            "only 512.0 MiB of RAM are free",
            "this kernel does not support parts of the engines' sandbox",
        ]
    );
}
