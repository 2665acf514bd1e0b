//! The flags of `llama-server` that paddock sets itself, and what to write instead.
//!
//! Names as in llama.cpp b11434, common/arg.cpp.

use super::problem::Problem;
use super::section::At;

struct Owned {
    flags: &'static [&'static str],
    env: &'static [&'static str],
    help: &'static str,
}

const PATH: &str =
    "name the file with `path` under [models.NAME]; paddock does not download models";
const MANY: &str = "name models under [models.NAME], or their directory in `dirs` under [discover]";
const AUTH: &str =
    "clients show paddock's own keys, under [auth.keys.NAME]: `paddock key new NAME`";
const LATER_TLS: &str = "TLS is not supported in this version; put a TLS proxy in front of paddock";
const EXITS: &str = "with it the child would print something and exit; run it without paddock";

const OWNED: &[Owned] = &[
    Owned {
        flags: &["-m", "--model"],
        env: &["LLAMA_ARG_MODEL"],
        help: "use `path` under [models.NAME]",
    },
    Owned {
        flags: &[
            "-mu",
            "--model-url",
            "-hf",
            "-hfr",
            "--hf-repo",
            "-hff",
            "--hf-file",
            "-dr",
            "--docker-repo",
        ],
        env: &[
            "LLAMA_ARG_MODEL_URL",
            "LLAMA_ARG_HF_REPO",
            "LLAMA_ARG_HF_FILE",
            "LLAMA_ARG_DOCKER_REPO",
        ],
        help: PATH,
    },
    Owned {
        flags: &["-a", "--alias"],
        env: &["LLAMA_ARG_ALIAS"],
        help: "the model is called NAME of [models.NAME]; use `aliases` for other names",
    },
    Owned {
        flags: &["--host", "--port", "--reuse-port"],
        env: &["LLAMA_ARG_HOST", "LLAMA_ARG_PORT", "LLAMA_ARG_REUSE_PORT"],
        help: "use `listen` under [server]",
    },
    Owned {
        flags: &["-c", "--ctx-size"],
        env: &["LLAMA_ARG_CTX_SIZE"],
        help: "use `context` under [models.NAME]",
    },
    Owned {
        flags: &["-np", "--parallel"],
        env: &["LLAMA_ARG_N_PARALLEL"],
        help: "use `parallel` under [models.NAME]",
    },
    Owned {
        flags: &["-ngl", "--gpu-layers", "--n-gpu-layers"],
        env: &["LLAMA_ARG_N_GPU_LAYERS"],
        help: "use `gpu_layers` under [models.NAME]",
    },
    Owned {
        flags: &["-mm", "--mmproj", "-mmu", "--mmproj-url"],
        env: &["LLAMA_ARG_MMPROJ", "LLAMA_ARG_MMPROJ_URL"],
        help: "use `mmproj` under [models.NAME]",
    },
    Owned {
        flags: &[
            "-md",
            "--model-draft",
            "--spec-draft-model",
            "-hfd",
            "-hfrd",
            "--hf-repo-draft",
            "--spec-draft-hf",
        ],
        env: &["LLAMA_ARG_SPEC_DRAFT_MODEL", "LLAMA_ARG_SPEC_DRAFT_HF_REPO"],
        help: "use `draft` under [models.NAME]",
    },
    Owned {
        flags: &["--api-key", "--api-key-file"],
        env: &["LLAMA_API_KEY", "LLAMA_ARG_API_KEY_FILE"],
        help: AUTH,
    },
    Owned {
        flags: &["--ssl-key-file", "--ssl-cert-file"],
        env: &["LLAMA_ARG_SSL_KEY_FILE", "LLAMA_ARG_SSL_CERT_FILE"],
        help: LATER_TLS,
    },
    Owned {
        flags: &[
            "--models-dir",
            "--models-preset",
            "--models-max",
            "--models-autoload",
            "--no-models-autoload",
        ],
        env: &[
            "LLAMA_ARG_MODELS_DIR",
            "LLAMA_ARG_MODELS_PRESET",
            "LLAMA_ARG_MODELS_MAX",
            "LLAMA_ARG_MODELS_AUTOLOAD",
            "LLAMA_ARG_NO_MODELS_AUTOLOAD",
        ],
        help: MANY,
    },
    Owned {
        flags: &["--api-prefix"],
        env: &["LLAMA_ARG_API_PREFIX"],
        help: "it would move the routes that paddock asks whether the child is ready",
    },
    Owned {
        flags: &[],
        env: &["LLAMA_SERVER_ROUTER_PORT", "LLAMA_SERVER_CHILD_MODE"],
        help: "llama-server and paddock speak to each other through it",
    },
];

/// Flags that choose a model and an address at once; the number is that address's port.
const PRESETS: [(&str, u16); 11] = [
    ("--embd-gemma-default", 8011),
    ("--fim-qwen-1.5b-default", 8012),
    ("--fim-qwen-3b-default", 8012),
    ("--fim-qwen-7b-default", 8012),
    ("--fim-qwen-7b-spec", 8012),
    ("--fim-qwen-14b-spec", 8012),
    ("--fim-qwen-30b-default", 8012),
    ("--gpt-oss-20b-default", 8013),
    ("--gpt-oss-120b-default", 8013),
    ("--vision-gemma-4b-default", 8014),
    ("--vision-gemma-12b-default", 8014),
];

/// Flags with which `llama-server` prints something and exits.
const EXITING: [&str; 8] = [
    "-h",
    "--help",
    "--usage",
    "--version",
    "-cl",
    "--cache-list",
    "--completion-bash",
    "--list-devices",
];

/// Writes a flag as `llama-server` compares it: underscores count as hyphens in long ones.
pub(super) fn normal(arg: &str) -> String {
    if arg.starts_with("--") {
        arg.replace('_', "-")
    } else {
        arg.to_owned()
    }
}

/// Returns the port that a flag which also chooses a model stands for.
pub(super) fn preset_port(flag: &str) -> Option<u16> {
    let row = PRESETS.iter().find(|(name, _)| *name == flag)?;
    Some(row.1)
}

/// Returns what to do instead of giving a flag that makes `llama-server` print and exit.
pub(super) fn exits(flag: &str) -> Option<&'static str> {
    EXITING.contains(&flag).then_some(EXITS)
}

/// Refuses an argument that is paddock's to give.
pub(super) fn check_arg(arg: &At<String>) -> Option<Problem> {
    let normal = normal(&arg.value);
    let flag = normal.split_once('=').map_or(&*normal, |(flag, _)| flag);
    let row = OWNED.iter().find(|row| row.flags.contains(&flag));
    let help = row.map(|row| row.help);
    let help = help.or_else(|| preset_port(flag).map(|_| PATH));
    let help = help.or_else(|| exits(flag))?;
    let message = format!("`{flag}` is not for `args`: paddock sets it or does without");
    Some(arg.problem(message).help(help))
}

/// Refuses an environment variable that is paddock's to give.
pub(super) fn check_env(name: &str, value: &At<String>) -> Option<Problem> {
    let row = OWNED.iter().find(|row| row.env.contains(&name))?;
    let message = format!("`{name}` is not for `env`: paddock sets it or does without");
    Some(value.problem(message).help(row.help))
}
