//! Real output of llama-server and its wrappers.

use super::*;

const ONE: Exit = Exit::Code(1);
const ABORT: Exit = Exit::Signal(6);
const LOAD: &str = "E srv    load_model: failed to load model, '/m.gguf'";

/// Real output of llama-server and its wrappers: the exit, the lines, the expected class, and a part of the
/// message.
const SPOKEN: &[(Exit, &[&str], FailureClass, &str)] = &[
    // Memory of the host, CUDA, Vulkan, Metal, the KV cache, a mapped file.
    (
        ONE,
        &[
            "ggml_aligned_malloc: insufficient memory (attempted to allocate 5859.75 MB)",
            "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 6144393216",
            LOAD,
        ],
        OutOfMemory,
        "6144393216",
    ),
    (
        ONE,
        &[
            "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory",
            LOAD,
        ],
        OutOfMemory,
        "on device 0",
    ),
    (
        ABORT,
        &["ggml_vulkan: Device memory allocation of size 1073741824 failed."],
        OutOfMemory,
        "1073741824",
    ),
    (
        ONE,
        &[
            "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
            LOAD,
        ],
        OutOfMemory,
        "allocateMemory",
    ),
    (
        ONE,
        &[
            "ggml_metal_buffer_init: error: failed to allocate buffer, size = 4096.00 MiB",
            LOAD,
        ],
        OutOfMemory,
        "4096.00 MiB",
    ),
    (
        ONE,
        &[
            "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
            LOAD,
        ],
        OutOfMemory,
        "kv cache",
    ),
    (
        ONE,
        &[
            "llama_model_load: error loading model: mmap failed: Cannot allocate memory",
            LOAD,
        ],
        OutOfMemory,
        "mmap failed",
    ),
    // A failed lock is no failure.
    (
        ONE,
        &[
            "warning: failed to mlock 4096-byte buffer (after previously locking 0 bytes): Cannot allocate memory",
            "llama_model_load: error loading model: x",
            LOAD,
        ],
        BadFile,
        "error loading model",
    ),
    // Other exhausted resources.
    (
        ONE,
        &[
            "gguf_init_from_file: failed to open GGUF file '/m.gguf' (Too many open files)",
            LOAD,
        ],
        TooManyFiles,
        "ulimit -n",
    ),
    (
        ONE,
        &[
            "gguf_init_from_file: failed to open GGUF file '/m.gguf' (Too many open files in system)",
            LOAD,
        ],
        TooManyFiles,
        "LimitNOFILE=",
    ),
    (
        Exit::Code(127),
        &[
            "llama-server: error while loading shared libraries: libggml.so: cannot open shared object file: Error 24",
        ],
        TooManyFiles,
        "libggml.so",
    ),
    (
        ABORT,
        &[
            "terminate called after throwing an instance of 'std::system_error'",
            "  what():  Resource temporarily unavailable",
        ],
        TooManyProcesses,
        "TasksMax=",
    ),
    (
        ONE,
        &[
            "llama_model_load: error loading model: write error: No space left on device",
            LOAD,
        ],
        DiskFull,
        "free up space where it writes",
    ),
    (
        ONE,
        &["write error: Disk quota exceeded"],
        DiskFull,
        "Disk quota",
    ),
    // The loader.
    (
        Exit::Code(127),
        &["llama-server: symbol lookup error: llama-server: undefined symbol: ggml_new"],
        MissingLibrary,
        "ggml_new",
    ),
    (
        ONE,
        &[
            "llama-server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by llama-server)",
        ],
        MissingLibrary,
        "GLIBC_2.38",
    ),
    // Flags.
    (
        ONE,
        &["error: --model is required"],
        BadFlag,
        "--model is required",
    ),
    (
        ONE,
        &["error while handling environment variable \"LLAMA_ARG_CTX_SIZE\": stoi"],
        BadFlag,
        "LLAMA_ARG_CTX_SIZE",
    ),
    (ONE, &["Unsupported cache type: q9_0"], BadFlag, "q9_0"),
    // Aborts are quoted before their backtraces.
    (
        ABORT,
        &[
            "/src/ggml/src/ggml.c:1751: GGML_ASSERT(obj_new) failed",
            "libggml-base.so(+0x15b) [0x7f]",
        ],
        AssertionFailed,
        "GGML_ASSERT(obj_new) failed",
    ),
    (
        ABORT,
        &[
            "/src/ggml/src/ggml-backend.cpp:888: fatal error",
            "libggml-base.so(+0x15b) [0x7f]",
        ],
        Aborted,
        "ggml-backend.cpp:888: fatal error",
    ),
    (
        ABORT,
        &[
            "ggml_cuda_compute_forward: MUL_MAT failed",
            "CUDA error: an illegal memory access was encountered",
            "/src/ggml-cuda.cu:103: CUDA error",
        ],
        Aborted,
        "illegal memory access",
    ),
    (
        ABORT,
        &[
            "terminate called after throwing an instance of 'std::runtime_error'",
            "  what():  no backend",
            "[0x7f]",
        ],
        Aborted,
        "no backend",
    ),
    // Sockets and files.
    (
        ONE,
        &["E srv  start: couldn't bind HTTP server socket, hostname: /r/m.sock, port: 8080"],
        AddressInUse,
        "server.runtime_dir",
    ),
    (
        ONE,
        &[
            "gguf_init_from_file: failed to open GGUF file '/m.gguf' (Permission denied)",
            LOAD,
        ],
        BadFile,
        "is readable",
    ),
];

#[test]
fn the_words_of_llama_server_and_its_surroundings() {
    for (exit, lines, want, says) in SPOKEN {
        let (class, message) = judge(ChildPhase::Starting, *exit, lines);
        assert_eq!(class, *want, "{exit} {lines:?}");
        assert!(message.contains(says), "{says}: {message}");
    }
}
