//! Which environment variables a child may see.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

/// Variables a child may inherit: what finds programs, files, libraries and the language.
const NAMES: [&str; 5] = ["PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR"];

/// Families of variables a child may inherit: the locale, and what selects and tunes GPUs.
const PREFIXES: [&str; 11] = [
    "LC_", "GGML_", "VK_", "HIP_", "ROCR_", "ROCM_", "HSA_", "CUDA_", "NVIDIA_", "MESA_", "RADV_",
];

/// Selects from `parent` what a child may inherit, then adds `extra`, which wins over it.
///
/// Nothing else leaks in: `LLAMA_ARG_*` would change the child's flags behind the configuration's back,
/// and `HF_TOKEN` is a secret the child has no need of. The result is sorted by name and has each name
/// once.
pub fn allowed(
    parent: impl Iterator<Item = (OsString, OsString)>,
    extra: &BTreeMap<String, String>,
) -> Vec<(OsString, OsString)> {
    let inherited = parent.filter(|(name, _)| inheritable(name));
    let added = extra
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    inherited
        .chain(added)
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect()
}

fn inheritable(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &[&str], extra: &[(&str, &str)]) -> Vec<(String, String)> {
        let parent = parent
            .iter()
            .map(|name| (OsString::from(name), OsString::from("parent")));
        let extra = extra
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let text = |s: OsString| s.into_string().unwrap();
        allowed(parent, &extra)
            .into_iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect()
    }

    #[test]
    fn secrets_and_hidden_flags_never_leak_in() {
        let secret = [
            "LLAMA_ARG_N_GPU_LAYERS",
            "LLAMA_API_KEY",
            "LLAMA_SERVER_ROUTER_PORT",
            "HF_TOKEN",
            "LD_PRELOAD",
            "AWS_SECRET_ACCESS_KEY",
            "PATHS",
            "XCUDA_",
            "http_proxy",
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
            "LISTEN_FDS",
        ];
        assert_eq!(names(&secret, &[]), []);
    }

    #[test]
    fn basics_locale_and_gpu_families_pass() {
        let good = [
            "CUDA_VISIBLE_DEVICES",
            "GGML_VK_VISIBLE_DEVICES",
            "HIP_VISIBLE_DEVICES",
            "HOME",
            "HSA_OVERRIDE_GFX_VERSION",
            "LANG",
            "LC_ALL",
            "LD_LIBRARY_PATH",
            "MESA_VK_DEVICE_SELECT",
            "NVIDIA_VISIBLE_DEVICES",
            "PATH",
            "RADV_PERFTEST",
            "ROCM_PATH",
            "ROCR_VISIBLE_DEVICES",
            "TMPDIR",
            "VK_ICD_FILENAMES",
        ];
        let passed: Vec<_> = names(&good, &[])
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(passed, good);
    }

    #[test]
    fn what_the_configuration_names_wins_and_appears_once() {
        let got = names(
            &["PATH", "HOME"],
            &[("PATH", "/bin"), ("HF_TOKEN", "meant")],
        );
        let want = [("HF_TOKEN", "meant"), ("HOME", "parent"), ("PATH", "/bin")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
