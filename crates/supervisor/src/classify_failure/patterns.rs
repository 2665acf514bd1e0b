//! Messages by which a cause is recognised: of llama.cpp (b11434: tools/server, common/arg.cpp, src, ggml/src),
//! the C library, the dynamic loader and the shim. In lower case.

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
    // Longer than the error text, which a failed mlock logs as well before it continues (llama-mmap.cpp).
    "mmap failed: cannot allocate memory",
    "shared object: cannot allocate memory",
];
pub(super) const DISK_FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
/// ENFILE's text continues with "in system". The loader cannot print EMFILE's text yet.
pub(super) const TOO_MANY_FILES: &[&str] =
    &["too many open files", "open shared object file: error 24"];
/// Thrown when a thread cannot be started, and printed by fork.
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
/// Printed before the abort, with more information than the abort itself.
pub(super) const DEVICE_ERROR: &[&str] = &["cuda error: ", "rocm error: ", "musa error: "];
/// Printed for an exception that was not caught.
pub(super) const THROWN: &[&str] = &["what():"];
pub(super) const BAD_FILE: &[&str] = &[
    "gguf_init_from",
    "failed to open",
    "failed to load model",
    "error loading model",
];
pub(super) const NO_EXEC: &[&str] = &[crate::shim::MESSAGE_PREFIX];

/// Suffixes of source file names.
const SOURCES: [&str; 7] = [".c", ".cpp", ".cu", ".cuh", ".h", ".m", ".mm"];

/// Returns true if a line has the form `FILE:LINE: TEXT`, which `GGML_ABORT` prints before its backtrace
/// (ggml.c).
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
