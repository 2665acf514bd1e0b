//! The ways llama-server fails to start, with its own last words.

use std::fmt::Display;
use std::io::Read;
use std::path::Path;

use rustix::process::Signal;

use super::{exit, log};

/// The size of the buffer that "cannot be had" in an out-of-memory failure.
const TOO_MUCH: u64 = 6_144_393_216;

/// A failure that `--fake-fail` orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The model file is not there.
    MissingFile,
    /// The model file is no GGUF.
    BadFile,
    /// The KV cache does not fit.
    OutOfMemory,
    /// A flag the server does not know.
    BadFlag,
    /// The address is taken.
    PortInUse,
    /// The dynamic linker misses a library.
    MissingLibrary,
    /// Built for another processor.
    IllegalInstruction,
    /// A failed `GGML_ASSERT`.
    Assert,
    /// Nothing more can be written.
    DiskFull,
    /// The model file cannot be opened for want of descriptors.
    TooManyFiles,
    /// A thread cannot be started.
    TooManyProcesses,
}

impl Failure {
    /// Reads the name of a failure.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "missing-file" => Self::MissingFile,
            "bad-file" => Self::BadFile,
            "out-of-memory" => Self::OutOfMemory,
            "bad-flag" => Self::BadFlag,
            "port-in-use" => Self::PortInUse,
            "missing-library" => Self::MissingLibrary,
            "illegal-instruction" => Self::IllegalInstruction,
            "assert" => Self::Assert,
            "disk-full" => Self::DiskFull,
            "too-many-files" => Self::TooManyFiles,
            "too-many-processes" => Self::TooManyProcesses,
            _ => return Err(format!("no such failure: {text}")),
        })
    }

    /// Fails now if this is a failure of the very start, before any log line.
    pub(super) fn at_exec(self) {
        match self {
            Self::BadFlag => {
                log::raw("error: invalid argument: --fake-bad-flag");
                exit::leave(1);
            }
            Self::MissingLibrary => {
                log::raw(
                    "llama-server: error while loading shared libraries: libggml-cuda.so: \
                     cannot open shared object file: No such file or directory",
                );
                exit::leave(127);
            }
            Self::IllegalInstruction => exit::by_signal(Signal::ILL),
            Self::TooManyProcesses => {
                log::raw("terminate called after throwing an instance of 'std::system_error'");
                log::raw("  what():  Resource temporarily unavailable");
                exit::abort();
            }
            Self::MissingFile
            | Self::BadFile
            | Self::OutOfMemory
            | Self::PortInUse
            | Self::Assert
            | Self::DiskFull
            | Self::TooManyFiles => {}
        }
    }

    /// Fails now if this is a failure of loading the model.
    pub(super) fn at_load(self, model: &str) {
        match self {
            Self::MissingFile => unloadable(model, &missing(model)),
            Self::BadFile => unloadable(model, BAD_MAGIC),
            Self::OutOfMemory => out_of_memory(model),
            Self::DiskFull => unloadable(model, "write error: No space left on device"),
            Self::TooManyFiles => unloadable(model, &unopened(model, "Too many open files")),
            Self::Assert => {
                log::raw("/llama.cpp/ggml/src/ggml.c:1751: GGML_ASSERT(obj_new) failed");
                exit::abort();
            }
            Self::BadFlag
            | Self::PortInUse
            | Self::MissingLibrary
            | Self::IllegalInstruction
            | Self::TooManyProcesses => {}
        }
    }
}

const BAD_MAGIC: &str = "gguf_init_from_reader: invalid magic characters: 'xxxx', expected 'GGUF'";

/// Looks at the model file as far as the real server's first complaint would.
pub(super) fn look_at(model: &Path) {
    let name = model.display().to_string();
    let mut magic = [0; 4];
    let Ok(mut file) = std::fs::File::open(model) else {
        unloadable(&name, &missing(&name));
    };
    // A directory opens and cannot be read, as in the real one.
    if file.read_exact(&mut magic).is_err() {
        unloadable(&name, "gguf_init_from_reader: failed to read magic");
    }
    if magic != *b"GGUF" {
        let seen: String = magic
            .iter()
            .map(|&byte| {
                if byte.is_ascii_graphic() || byte == b' ' {
                    byte.into()
                } else {
                    '?'
                }
            })
            .collect();
        let words = BAD_MAGIC.replace("xxxx", &seen);
        unloadable(&name, &words);
    }
}

fn missing(model: &str) -> String {
    unopened(model, "No such file or directory")
}

fn unopened(model: &str, why: &str) -> String {
    format!("gguf_init_from_file: failed to open GGUF file '{model}' ({why})")
}

fn unloadable(model: &str, cause: &str) -> ! {
    log::line('E', cause);
    let loader = "llama_model_load: error loading model: llama_model_loader:";
    log::line('E', &format!("{loader} failed to load model from {model}"));
    log::line('E', "llama_model_load_from_file_impl: failed to load model");
    log::line(
        'E',
        &format!("cmn  common_init_: failed to load model '{model}'"),
    );
    log::server(
        'E',
        "load_model",
        &format!("failed to load model, '{model}'"),
    );
    give_up("exiting due to model loading error")
}

fn out_of_memory(model: &str) -> ! {
    log::line(
        'E',
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 5859.75 MB)",
    );
    let allocate = "failed to allocate";
    log::line(
        'E',
        &format!("ggml_backend_cpu_buffer_type_alloc_buffer: {allocate} buffer of size {TOO_MUCH}"),
    );
    log::line(
        'E',
        &format!(
            "ggml_backend_buft_alloc_buffer_n_default: {allocate} CPU buffer of size {TOO_MUCH}"
        ),
    );
    log::line(
        'E',
        "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
    );
    log::line(
        'E',
        &format!("cmn  common_init_: failed to create context with model '{model}'"),
    );
    log::server(
        'E',
        "load_model",
        &format!("failed to create_context with model '{model}'"),
    );
    give_up("exiting due to model loading error")
}

/// Ends as a C++ program does whose allocation fails while it runs.
pub(super) fn no_memory_left() -> ! {
    log::raw("terminate called after throwing an instance of 'std::bad_alloc'");
    log::raw("  what():  std::bad_alloc");
    exit::abort()
}

/// Fails as the real server does when an address cannot be had.
pub(super) fn cannot_bind(host: &str, port: impl Display) -> ! {
    let words = format!("couldn't bind HTTP server socket, hostname: {host}, port: {port}");
    log::server('E', "start", &words);
    give_up("exiting due to HTTP server error")
}

fn give_up(last_words: &str) -> ! {
    log::server('I', "operator()", "operator(): cleaning up before exit...");
    log::server('E', "llama_server", last_words);
    exit::leave(1)
}
