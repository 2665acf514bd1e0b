//! Selects the environment variables that a child may see.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

/// Variables a child may inherit: search paths for programs, files and libraries, the language, the time zone,
/// settings of the C library, and single variables of graphics and accelerator drivers.
const INHERITED_NAMES: [&str; 14] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LANG",
    "LANGUAGE",
    "TMPDIR",
    "TZ",
    "TZDIR",
    "GLIBC_TUNABLES",
    "DRI_PRIME",
    "ADSP_LIBRARY_PATH",
    "GPU_DEVICE_ORDINAL",
    "GPU_MAX_HW_QUEUES",
];

/// Prefixes of variables a child may inherit. None of them holds flags of llama-server or secrets.
///
/// ggml reads some of them itself (llama.cpp b11434: `GGML_*`, `OMP_WAIT_POLICY`, `KMP_BLOCKTIME`,
/// `ONEAPI_DEVICE_SELECTOR`, `SPACEMIT_*`); the runtimes that its backends link read the others.
const INHERITED_PREFIXES: [&str; 44] = [
    // The locale, the C library's allocator, and trusted certificates.
    "LC_",
    "MALLOC_",
    "SSL_CERT_",
    // ggml, and OpenMP of GCC and of LLVM and Intel.
    "GGML_",
    "OMP_",
    "GOMP_",
    "KMP_",
    // Libraries of linear algebra.
    "MKL_",
    "OPENBLAS_",
    "BLIS_",
    "ZENDNN_",
    // Vulkan and OpenCL, and the drivers of Mesa and NVIDIA.
    "VK_",
    "OCL_",
    "OPENCL_",
    "POCL_",
    "MESA_",
    "RADV_",
    "ANV_",
    "NVK_",
    "__GL_",
    // NVIDIA and Moore Threads.
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "CUBLAS_",
    "MUSA_",
    "MTHREADS_",
    // AMD.
    "HIP_",
    "HSA_",
    "ROCR_",
    "ROCM_",
    "AMD_",
    "ROCBLAS_",
    "HIPBLASLT_",
    "TENSILE_",
    // Intel: SYCL, the Unified Runtime, Level Zero and its parts, the graphics compiler, oneDNN, OpenVINO.
    "ONEAPI_",
    "SYCL_",
    "UR_",
    "ZE_",
    "ZES_",
    "IGC_",
    "DNNL_",
    "OPENVINO_",
    // Huawei's NPUs and SpacemiT's processors.
    "ASCEND_",
    "SPACEMIT_",
];

/// Selects the variables of `parent` that a child may inherit, then adds `extra`, which takes precedence.
///
/// No other variable passes: `LLAMA_ARG_*` would override the configured flags, and `HF_TOKEN` is a secret the
/// child does not need. The result is sorted by name and has each name once.
pub fn build_child_env(
    parent: impl Iterator<Item = (OsString, OsString)>,
    extra: &BTreeMap<String, String>,
) -> Vec<(OsString, OsString)> {
    let inherited = parent.filter(|(name, _)| is_inheritable(name));
    let added = extra
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    inherited
        .chain(added)
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect()
}

/// Returns true if a child may inherit the variable.
pub fn is_inheritable(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        INHERITED_NAMES.contains(&name)
            || INHERITED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
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
        build_child_env(parent, &extra)
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
            "OMPX",
            "SSL_KEY_FILE",
            "TZX",
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
            "LISTEN_FDS",
        ];
        assert_eq!(names(&secret, &[]), []);
    }

    #[test]
    fn basics_locale_runtimes_and_accelerators_pass() {
        let good = [
            "ASCEND_RT_VISIBLE_DEVICES",
            "CUDA_VISIBLE_DEVICES",
            "GGML_VK_VISIBLE_DEVICES",
            "GLIBC_TUNABLES",
            "GOMP_CPU_AFFINITY",
            "HIP_VISIBLE_DEVICES",
            "HOME",
            "HSA_OVERRIDE_GFX_VERSION",
            "KMP_BLOCKTIME",
            "LANG",
            "LC_ALL",
            "LD_LIBRARY_PATH",
            "MALLOC_ARENA_MAX",
            "MESA_VK_DEVICE_SELECT",
            "NVIDIA_VISIBLE_DEVICES",
            "OMP_NUM_THREADS",
            "ONEAPI_DEVICE_SELECTOR",
            "PATH",
            "RADV_PERFTEST",
            "ROCM_PATH",
            "ROCR_VISIBLE_DEVICES",
            "SSL_CERT_FILE",
            "SYCL_CACHE_PERSISTENT",
            "TMPDIR",
            "TZ",
            "VK_ICD_FILENAMES",
            "ZES_ENABLE_SYSMAN",
            "ZE_AFFINITY_MASK",
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
