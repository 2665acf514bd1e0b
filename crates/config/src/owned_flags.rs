//! Rejects flags of `llama-server` that paddock sets itself, and names the configuration keys to use instead.
//!
//! Names as in llama.cpp b11434, common/arg.cpp.

use super::key_reader::Sourced;
use super::problem::Problem;

/// The spellings of one setting that paddock owns, and the advice to show if the user sets any.
struct OwnedFlags {
    flags: &'static [&'static str],
    env: &'static [&'static str],
    help: &'static str,
}

const PATH_HELP: &str =
    "set `path` under [models.NAME] to the model's file; paddock does not download models";
const MANY_MODELS_HELP: &str =
    "configure models under [models.NAME], or list their directory in `dirs` under [discover]";
const AUTH_HELP: &str =
    "use paddock's own API keys, under [auth.keys.NAME]; `paddock key new NAME` creates one";
const TLS_HELP: &str = "TLS is not supported in this version; put a TLS proxy in front of paddock";
const EXITS_HELP: &str =
    "with this flag, llama-server prints information and exits; run the command without paddock";

const OWNED_FLAGS: &[OwnedFlags] = &[
    OwnedFlags {
        flags: &["-m", "--model"],
        env: &["LLAMA_ARG_MODEL"],
        help: "use `path` under [models.NAME]",
    },
    OwnedFlags {
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
        help: PATH_HELP,
    },
    OwnedFlags {
        flags: &["-a", "--alias"],
        env: &["LLAMA_ARG_ALIAS"],
        help: "the model's name is NAME in [models.NAME]; use `aliases` for other names",
    },
    OwnedFlags {
        flags: &["--host", "--port", "--reuse-port"],
        env: &["LLAMA_ARG_HOST", "LLAMA_ARG_PORT", "LLAMA_ARG_REUSE_PORT"],
        help: "use `listen` under [server]",
    },
    OwnedFlags {
        flags: &["-c", "--ctx-size"],
        env: &["LLAMA_ARG_CTX_SIZE"],
        help: "use `context` under [models.NAME]",
    },
    OwnedFlags {
        flags: &["-np", "--parallel"],
        env: &["LLAMA_ARG_N_PARALLEL"],
        help: "use `parallel` under [models.NAME]",
    },
    OwnedFlags {
        flags: &["-ngl", "--gpu-layers", "--n-gpu-layers"],
        env: &["LLAMA_ARG_N_GPU_LAYERS"],
        help: "use `gpu_layers` under [models.NAME]",
    },
    OwnedFlags {
        flags: &["-mm", "--mmproj", "-mmu", "--mmproj-url"],
        env: &["LLAMA_ARG_MMPROJ", "LLAMA_ARG_MMPROJ_URL"],
        help: "use `mmproj` under [models.NAME]",
    },
    OwnedFlags {
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
    OwnedFlags {
        flags: &["--api-key", "--api-key-file"],
        env: &["LLAMA_API_KEY", "LLAMA_ARG_API_KEY_FILE"],
        help: AUTH_HELP,
    },
    OwnedFlags {
        flags: &["--ssl-key-file", "--ssl-cert-file"],
        env: &["LLAMA_ARG_SSL_KEY_FILE", "LLAMA_ARG_SSL_CERT_FILE"],
        help: TLS_HELP,
    },
    OwnedFlags {
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
        help: MANY_MODELS_HELP,
    },
    OwnedFlags {
        flags: &["--api-prefix"],
        env: &["LLAMA_ARG_API_PREFIX"],
        help: "paddock needs llama-server's routes at their default paths",
    },
    OwnedFlags {
        flags: &[],
        env: &["LLAMA_SERVER_ROUTER_PORT", "LLAMA_SERVER_CHILD_MODE"],
        help: "paddock uses this variable to communicate with llama-server",
    },
];

/// Flags that select a model preset and its port.
const PRESET_PORTS: [(&str, u16); 11] = [
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
const EXITING_FLAGS: [&str; 8] = [
    "-h",
    "--help",
    "--usage",
    "--version",
    "-cl",
    "--cache-list",
    "--completion-bash",
    "--list-devices",
];

/// Normalizes a flag as `llama-server` does: underscores in long flags become hyphens.
pub(super) fn normalize_flag(arg: &str) -> String {
    if arg.starts_with("--") {
        arg.replace('_', "-")
    } else {
        arg.to_owned()
    }
}

/// Returns the port of a preset flag.
pub(super) fn preset_port(flag: &str) -> Option<u16> {
    let row = PRESET_PORTS.iter().find(|(name, _)| *name == flag)?;
    Some(row.1)
}

/// Returns advice for a flag that makes `llama-server` print something and exit.
pub(super) fn exit_help(flag: &str) -> Option<&'static str> {
    EXITING_FLAGS.contains(&flag).then_some(EXITS_HELP)
}

/// Reports an argument that paddock sets itself.
pub(super) fn check_arg(arg: &Sourced<String>) -> Option<Problem> {
    let normal = normalize_flag(&arg.value);
    let flag = normal.split_once('=').map_or(&*normal, |(flag, _)| flag);
    let row = OWNED_FLAGS.iter().find(|row| row.flags.contains(&flag));
    let help = row.map(|row| row.help);
    let help = help.or_else(|| preset_port(flag).map(|_| PATH_HELP));
    let help = help.or_else(|| exit_help(flag))?;
    let message =
        format!("`{flag}` is not allowed in `args`: paddock sets it or does not support it");
    Some(arg.problem(message).help(help))
}

/// Reports an environment variable that paddock sets itself.
pub(super) fn check_env(name: &str, value: &Sourced<String>) -> Option<Problem> {
    let row = OWNED_FLAGS.iter().find(|row| row.env.contains(&name))?;
    let message =
        format!("`{name}` is not allowed in `env`: paddock sets it or does not support it");
    Some(value.problem(message).help(row.help))
}
