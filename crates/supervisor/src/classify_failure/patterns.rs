//! Lists the texts in a child's output that show the cause of its failure. All are in lower case, and are compared
//! with lines in lower case.
//!
//! The texts are printed by llama.cpp (b11434: tools/server, common/arg.cpp, src, ggml/src), the C library, the
//! dynamic loader, and paddock's exec shim, which starts the child's program.

/// Memory of the machine or of a device is exhausted.
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
    // With the prefix, because a failed mlock logs "cannot allocate memory" too, and the server continues after it
    // (llama-mmap.cpp).
    "mmap failed: cannot allocate memory",
    "shared object: cannot allocate memory",
];
/// The disk or the quota is full.
pub(super) const DISK_FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
/// No more files can be opened. The first is the text of EMFILE (the process's limit) and begins that of
/// ENFILE (the system's limit). The second is EMFILE as the dynamic loader prints it, by number.
pub(super) const TOO_MANY_FILES: &[&str] =
    &["too many open files", "open shared object file: error 24"];
/// The text of EAGAIN, with which starting a thread or a process fails.
pub(super) const TOO_MANY_PROCESSES: &[&str] = &["resource temporarily unavailable"];
/// The dynamic loader cannot find or use a shared library.
pub(super) const MISSING_LIBRARY: &[&str] = &[
    "error while loading shared libraries",
    "symbol lookup error",
    "not found (required by",
    "library not loaded:",
];
/// The server could not bind its socket.
pub(super) const ADDRESS_IN_USE: &[&str] =
    &["couldn't bind http server socket", "address already in use"];
/// The server rejects its command line.
pub(super) const BAD_FLAG: &[&str] = &[
    "error: invalid ",
    "error: --",
    "error while handling argument",
    "error while handling environment variable",
    "error: unknown argument",
    "unknown option",
    "unsupported cache type:",
];
/// A failed `GGML_ASSERT`, as the macro prints it (ggml.h). While the child starts, the failure is then not retried.
pub(super) const ASSERTION: &[&str] = &["ggml_assert("];
/// An abort in any phase: a failed assertion in any notation, or `GGML_ABORT`.
pub(super) const ABORTED: &[&str] = &["ggml_assert", "ggml_abort"];
/// An error of the GPU. ggml prints it before it aborts, with more information than the abort's own line.
pub(super) const DEVICE_ERROR: &[&str] = &["cuda error: ", "rocm error: ", "musa error: "];
/// An uncaught C++ exception, as the C++ runtime prints it before it aborts.
pub(super) const THROWN: &[&str] = &["what():"];
/// The model file is missing or cannot be loaded.
pub(super) const BAD_FILE: &[&str] = &[
    "gguf_init_from",
    "failed to open",
    "failed to load model",
    "error loading model",
];
/// The prefix of the shim's own errors: the program cannot be executed.
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
