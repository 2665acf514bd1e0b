//! Words by which a cause is known: llama.cpp's (b11434: tools/server, common/arg.cpp, src, ggml/src), the C
//! library's, the dynamic loader's and the shim's. In lower case.

pub(super) const OUT_OF_MEMORY: &[&str] = &[
    "out of memory",
    // CUDA, and HIP by its macros (ggml-cuda.cu).
    "cudamalloc failed",
    // Vulkan (ggml-vulkan-buffers.cpp).
    "erroroutofdevicememory",
    "erroroutofhostmemory",
    "device memory allocation of size",
    // Metal (ggml-metal-device.m).
    "vm_allocate failed",
    // Each backend's buffers, the KV cache, the compute buffers (ggml-alloc.c, llama-kv-cache.cpp,
    // llama-context.cpp).
    "failed to allocate",
    "unable to allocate",
    "std::bad_alloc",
    // Not these words alone: a failed mlock says them as well, and goes on (llama-mmap.cpp).
    "mmap failed: cannot allocate memory",
    "shared object: cannot allocate memory",
];
pub(super) const DISK_FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
/// ENFILE's words go on "in system". The loader does not know EMFILE's words yet when it needs them.
pub(super) const TOO_MANY_FILES: &[&str] =
    &["too many open files", "open shared object file: error 24"];
/// What a thread that cannot be started throws, and what fork says.
pub(super) const TOO_MANY_PROCESSES: &[&str] = &["resource temporarily unavailable"];
pub(super) const MISSING_LIBRARY: &[&str] = &[
    "error while loading shared libraries",
    "symbol lookup error",
    "not found (required by",
    "library not loaded:",
];
pub(super) const ADDRESS_IN_USE: &[&str] =
    &["couldn't bind http server socket", "address already in use"];
pub(super) const BAD_FLAG: &[&str] = &[
    "error: invalid ",
    "error: --",
    "error while handling argument",
    "error while handling environment variable",
    "error: unknown argument",
    "unknown option",
    "unsupported cache type:",
];
/// As the macro writes it (ggml.h).
pub(super) const ASSERTION: &[&str] = &["ggml_assert("];
pub(super) const ABORTED: &[&str] = &["ggml_assert", "ggml_abort"];
/// Said before the abort, and more than the abort itself says.
pub(super) const DEVICE_ERROR: &[&str] = &["cuda error: ", "rocm error: ", "musa error: "];
/// What was thrown and not caught.
pub(super) const THROWN: &[&str] = &["what():"];
pub(super) const BAD_FILE: &[&str] = &[
    "gguf_init_from",
    "failed to open",
    "failed to load model",
    "error loading model",
];
pub(super) const NO_EXEC: &[&str] = &[crate::shim::MARK];

/// Names of source files end so.
const SOURCES: [&str; 7] = [".c", ".cpp", ".cu", ".cuh", ".h", ".m", ".mm"];

/// Whether a line is `FILE:LINE: WORDS`, as `GGML_ABORT` writes it before its backtrace (ggml.c).
pub(super) fn names_source(line: &str) -> bool {
    let parts: Vec<_> = line.split(':').take(8).collect();
    parts.windows(3).any(|window| {
        let [file, number, _] = window else {
            return false;
        };
        SOURCES.iter().any(|end| file.ends_with(end))
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
