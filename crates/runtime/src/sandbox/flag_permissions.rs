//! Lists the flags and variables of `llama-server` that need more than the sandbox grants by default, which is read
//! access to files that exist at the start of the process.
//!
//! Names as in llama.cpp b11434, common/arg.cpp.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use paddock_supervisor::env::is_inheritable;
use paddock_supervisor::sandbox::{AccessRight, PathGrant};

/// A restriction that a flag lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exemption {
    /// The network.
    Network,
    /// The network and all files.
    All,
    /// Setting the affinity and priority of threads.
    Scheduling,
}

/// Flags that download, or let the model use tools: the files and hosts that these need are not known beforehand.
const UNRESTRICTED_FLAGS: [&str; 23] = [
    "-mu",
    "--model-url",
    "-hf",
    "-hfr",
    "--hf-repo",
    "-hff",
    "--hf-file",
    "-dr",
    "--docker-repo",
    "-mmu",
    "--mmproj-url",
    "-hfd",
    "-hfrd",
    "--hf-repo-draft",
    "--spec-draft-hf",
    "-hfv",
    "-hfrv",
    "--hf-repo-v",
    "--tools",
    "--mcp-servers-config",
    "--mcp-servers-json",
    "-ag",
    "--agent",
];
/// Environment variables with the same effect.
const UNRESTRICTED_VARIABLES: [&str; 10] = [
    "LLAMA_ARG_MODEL_URL",
    "LLAMA_ARG_HF_REPO",
    "LLAMA_ARG_HF_FILE",
    "LLAMA_ARG_DOCKER_REPO",
    "LLAMA_ARG_MMPROJ_URL",
    "LLAMA_ARG_SPEC_DRAFT_HF_REPO",
    "LLAMA_ARG_TOOLS",
    "LLAMA_ARG_AGENT",
    "LLAMA_ARG_MCP_SERVERS_CONFIG",
    "LLAMA_ARG_MCP_SERVERS_JSON",
];

/// Flags that connect to other servers.
const NETWORK_FLAGS: [&str; 3] = ["--rpc", "--ui-mcp-proxy", "--webui-mcp-proxy"];
const NETWORK_VARIABLES: [&str; 2] = ["LLAMA_ARG_RPC", "LLAMA_ARG_UI_MCP_PROXY"];

/// Flags that set the affinity or priority of threads: ggml does so for each thread by number
/// (ggml/src/ggml-cpu/ggml-cpu.c `ggml_thread_apply_affinity`, `ggml_thread_apply_priority`,
/// `set_numa_thread_affinity`), and a filter of system calls cannot distinguish those from threads of other
/// processes.
const SCHEDULING_FLAGS: [&str; 27] = [
    "-C",
    "--cpu-mask",
    "-Cr",
    "--cpu-range",
    "--prio",
    "-Cb",
    "--cpu-mask-batch",
    "-Crb",
    "--cpu-range-batch",
    "--prio-batch",
    "-Cd",
    "--cpu-mask-draft",
    "--spec-draft-cpu-mask",
    "-Crd",
    "--cpu-range-draft",
    "--spec-draft-cpu-range",
    "--prio-draft",
    "--spec-draft-prio",
    "-Cbd",
    "--cpu-mask-batch-draft",
    "--spec-draft-cpu-mask-batch",
    "-Crbd",
    "--cpu-range-batch-draft",
    "--spec-draft-cpu-range-batch",
    "--prio-batch-draft",
    "--spec-draft-prio-batch",
    "--numa",
];

/// Variables that set affinity: libgomp creates its threads on these CPUs and ends the program if it cannot (its
/// manual, "Environment Variables").
const SCHEDULING_VARIABLES: [&str; 4] = [
    "LLAMA_ARG_NUMA",
    "GOMP_CPU_AFFINITY",
    "OMP_PLACES",
    "OMP_PROC_BIND",
];

/// Flags of a projector: clients can then name images by URL.
const PROJECTOR_FLAGS: [&str; 2] = ["-mm", "--mmproj"];
const PROJECTOR_VARIABLES: [&str; 1] = ["LLAMA_ARG_MMPROJ"];

/// Flags whose value is a path that is written to.
const WRITTEN_DIRECTORY_FLAGS: [&str; 2] = ["--slot-save-path", "--log-prompts-dir"];
const WRITTEN_FILE_FLAGS: [&str; 3] = ["--log-file", "-lcd", "--lookup-cache-dynamic"];
const WRITTEN_FILE_VARIABLES: [&str; 1] = ["LLAMA_ARG_LOG_FILE"];

/// Adds the inherited variables that need an exemption to a command's own.
pub(super) fn with_inherited(
    env: &BTreeMap<String, String>,
    inherited: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let names = SCHEDULING_VARIABLES.iter();
    let names = names.filter(|name| is_inheritable(OsStr::new(name)));
    let inherited = names.filter_map(|name| Some(((*name).to_owned(), inherited(name)?)));
    let mut all: BTreeMap<_, _> = inherited.collect();
    all.extend(env.clone());
    all
}

/// Returns the exemptions that a command's flags and variables need, with the flag or variable.
pub(super) fn required_exemptions<'a>(
    args: &'a [OsString],
    env: &'a BTreeMap<String, String>,
    wrapped: bool,
) -> Vec<(Exemption, &'a str)> {
    let flags = args.iter().filter_map(|arg| arg.to_str());
    let flags = flags.filter_map(|arg| {
        let flag = paddock_config::normalize_flag(arg);
        let what = match_word(
            &flag,
            &UNRESTRICTED_FLAGS,
            &NETWORK_FLAGS,
            if wrapped { &PROJECTOR_FLAGS } else { &[] },
        )
        .or_else(|| paddock_config::is_preset(&flag).then_some(Exemption::All))
        .or_else(|| {
            SCHEDULING_FLAGS
                .contains(&&*flag)
                .then_some(Exemption::Scheduling)
        })?;
        Some((what, arg))
    });
    let projector: &[&str] = if wrapped { &PROJECTOR_VARIABLES } else { &[] };
    let set = env.iter().filter(|(_, value)| !value.is_empty());
    let variables = set.filter_map(|(name, _)| {
        let schedules = SCHEDULING_VARIABLES.contains(&name.as_str());
        let what = match_word(name, &UNRESTRICTED_VARIABLES, &NETWORK_VARIABLES, projector)
            .or_else(|| schedules.then_some(Exemption::Scheduling))?;
        Some((what, name.as_str()))
    });
    flags.chain(variables).collect()
}

fn match_word(word: &str, all: &[&str], network: &[&str], projector: &[&str]) -> Option<Exemption> {
    if all.contains(&word) {
        return Some(Exemption::All);
    }
    (network.contains(&word) || projector.contains(&word)).then_some(Exemption::Network)
}

/// Returns write access to the paths that a command's flags and variables write to.
pub(super) fn write_grants(args: &[OsString], env: &[(OsString, OsString)]) -> Vec<PathGrant> {
    let values = args.iter().zip(args.iter().skip(1));
    let flags = values.filter_map(|(flag, value)| {
        let flag = paddock_config::normalize_flag(flag.to_str()?);
        let right = match flag.as_str() {
            flag if WRITTEN_DIRECTORY_FLAGS.contains(&flag) => AccessRight::Write,
            flag if WRITTEN_FILE_FLAGS.contains(&flag) => AccessRight::Log,
            _ => return None,
        };
        Some(right.at(value))
    });
    let variables = env.iter().filter_map(|(name, value)| {
        let is_one = WRITTEN_FILE_VARIABLES.iter().any(|file| *name == **file);
        (is_one && value != OsStr::new("")).then(|| AccessRight::Log.at(value))
    });
    flags.chain(variables).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(args: &[&str], env: &[(&str, &str)], wrapped: bool) -> Vec<(Exemption, String)> {
        let args: Vec<_> = args.iter().map(OsString::from).collect();
        let env = env
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        let exemptions = required_exemptions(&args, &env, wrapped).into_iter();
        exemptions.map(|(what, by)| (what, by.to_owned())).collect()
    }

    #[test]
    fn what_downloads_or_uses_tools_opens_all_and_what_connects_the_network() {
        let all = |by: &str| vec![(Exemption::All, by.to_owned())];
        let network = |by: &str| vec![(Exemption::Network, by.to_owned())];
        assert_eq!(opened(&["-hf", "org/repo"], &[], true), all("-hf"));
        assert_eq!(opened(&["--hf_repo", "r"], &[], true), all("--hf_repo"));
        let preset = "--gpt-oss-20b-default";
        assert_eq!(opened(&[preset], &[], true), all(preset));
        assert_eq!(opened(&["--rpc", "h:1"], &[], false), network("--rpc"));
        assert_eq!(opened(&["-m", "-x"], &[], true), []);
        let variable = "LLAMA_ARG_HF_REPO";
        assert_eq!(opened(&[], &[(variable, "r")], true), all(variable));
        assert_eq!(opened(&[], &[(variable, "")], true), []);
    }

    #[test]
    fn what_binds_threads_opens_their_scheduling_alone() {
        for flag in ["--cpu-mask", "-Crbd", "--numa", "--spec_draft_prio"] {
            let scheduling = vec![(Exemption::Scheduling, flag.to_owned())];
            assert_eq!(opened(&[flag, "1"], &[], false), scheduling);
        }
        for variable in ["LLAMA_ARG_NUMA", "OMP_PROC_BIND"] {
            let scheduling = vec![(Exemption::Scheduling, variable.to_owned())];
            assert_eq!(opened(&[], &[(variable, "x")], false), scheduling);
        }
        assert_eq!(opened(&["--cpu-strict", "1", "-c", "1"], &[], false), []);
    }

    #[test]
    fn an_inherited_variable_opens_what_it_needs_unless_the_configuration_sets_it() {
        let own = BTreeMap::from([("OMP_PLACES".to_owned(), String::new())]);
        let all = with_inherited(&own, |name| Some(format!("{name}'s")));
        let names: Vec<_> = all.keys().map(String::as_str).collect();
        // A child does not inherit LLAMA_ARG_NUMA.
        assert_eq!(names, ["GOMP_CPU_AFFINITY", "OMP_PLACES", "OMP_PROC_BIND"]);
        assert_eq!(all["OMP_PLACES"], "");
    }

    #[test]
    fn a_projector_opens_the_network_to_a_wrapped_command_alone() {
        let args = ["--mmproj", "p.gguf"];
        let network = vec![(Exemption::Network, "--mmproj".to_owned())];
        assert_eq!(opened(&args, &[], true), network);
        assert_eq!(opened(&args, &[], false), []);
    }

    #[test]
    fn what_is_written_is_named_by_its_flag() {
        let args = ["--slot-save-path", "/s", "--log-file", "/l", "--lora", "/r"];
        let args: Vec<_> = args.iter().map(OsString::from).collect();
        let env = [("LLAMA_ARG_LOG_FILE".into(), "/v".into())];
        let grants = [
            AccessRight::Write.at("/s"),
            AccessRight::Log.at("/l"),
            AccessRight::Log.at("/v"),
        ];
        assert_eq!(write_grants(&args, &env), grants);
    }
}
