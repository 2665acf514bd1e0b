//! Imitates failures of llama-server at its start, with the log lines of the real server.

use std::fmt::Display;
use std::io::Read;
use std::path::Path;

use rustix::process::Signal;

use super::{exit, log_lines};

/// Size of the buffer whose allocation fails.
const UNAVAILABLE_BYTES: u64 = 6_144_393_216;

/// A failure that `--fake-fail` requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The model file is missing.
    MissingFile,
    /// The model file is not GGUF.
    BadFile,
    /// The KV cache does not fit.
    OutOfMemory,
    /// A flag is unknown.
    BadFlag,
    /// The address is in use.
    PortInUse,
    /// A shared library is missing.
    MissingLibrary,
    /// The program was built for another processor.
    IllegalInstruction,
    /// A `GGML_ASSERT` fails.
    Assert,
    /// The disk is full.
    DiskFull,
    /// The model file cannot be opened because no descriptor is free.
    TooManyFiles,
    /// A thread cannot be started.
    TooManyProcesses,
}

impl Failure {
    /// Parses the name of a failure.
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

    /// Fails now if this failure occurs before any log line.
    pub(super) fn at_exec(self) {
        match self {
            Self::BadFlag => {
                log_lines::raw("error: invalid argument: --fake-bad-flag");
                exit::leave(1);
            }
            Self::MissingLibrary => {
                log_lines::raw(
                    "llama-server: error while loading shared libraries: libggml-cuda.so: \
                     cannot open shared object file: No such file or directory",
                );
                exit::leave(127);
            }
            Self::IllegalInstruction => exit::by_signal(Signal::ILL),
            Self::TooManyProcesses => {
                log_lines::raw(
                    "terminate called after throwing an instance of 'std::system_error'",
                );
                log_lines::raw("  what():  Resource temporarily unavailable");
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

    /// Fails now if this failure occurs while loading the model.
    pub(super) fn at_load(self, model: &str) {
        match self {
            Self::MissingFile => unloadable(model, &missing(model)),
            Self::BadFile => unloadable(model, BAD_MAGIC),
            Self::OutOfMemory => out_of_memory(model),
            Self::DiskFull => unloadable(model, "write error: No space left on device"),
            Self::TooManyFiles => unloadable(model, &open_error(model, "Too many open files")),
            Self::Assert => {
                log_lines::raw("/llama.cpp/ggml/src/ggml.c:1751: GGML_ASSERT(obj_new) failed");
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

/// Checks the model file as far as the first check of the real server.
pub(super) fn look_at(model: &Path) {
    let name = model.display().to_string();
    let mut magic = [0; 4];
    let Ok(mut file) = std::fs::File::open(model) else {
        unloadable(&name, &missing(&name));
    };
    // Opening a directory succeeds and reading fails, as in the real server.
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
    open_error(model, "No such file or directory")
}

fn open_error(model: &str, why: &str) -> String {
    format!("gguf_init_from_file: failed to open GGUF file '{model}' ({why})")
}

fn unloadable(model: &str, cause: &str) -> ! {
    log_lines::line('E', cause);
    let loader = "llama_model_load: error loading model: llama_model_loader:";
    log_lines::line('E', &format!("{loader} failed to load model from {model}"));
    log_lines::line('E', "llama_model_load_from_file_impl: failed to load model");
    log_lines::line(
        'E',
        &format!("cmn  common_init_: failed to load model '{model}'"),
    );
    log_lines::server(
        'E',
        "load_model",
        &format!("failed to load model, '{model}'"),
    );
    give_up("exiting due to model loading error")
}

fn out_of_memory(model: &str) -> ! {
    log_lines::line(
        'E',
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 5859.75 MB)",
    );
    let allocate = "failed to allocate";
    log_lines::line(
        'E',
        &format!(
            "ggml_backend_cpu_buffer_type_alloc_buffer: {allocate} buffer of size {UNAVAILABLE_BYTES}"
        ),
    );
    log_lines::line(
        'E',
        &format!(
            "ggml_backend_buft_alloc_buffer_n_default: {allocate} CPU buffer of size {UNAVAILABLE_BYTES}"
        ),
    );
    log_lines::line(
        'E',
        "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
    );
    log_lines::line(
        'E',
        &format!("cmn  common_init_: failed to create context with model '{model}'"),
    );
    log_lines::server(
        'E',
        "load_model",
        &format!("failed to create_context with model '{model}'"),
    );
    give_up("exiting due to model loading error")
}

/// Ends the process as a C++ program with a failed allocation does.
pub(super) fn no_memory_left() -> ! {
    log_lines::raw("terminate called after throwing an instance of 'std::bad_alloc'");
    log_lines::raw("  what():  std::bad_alloc");
    exit::abort()
}

/// Fails as the real server does if it cannot bind an address.
pub(super) fn cannot_bind(host: &str, port: impl Display) -> ! {
    let words = format!("couldn't bind HTTP server socket, hostname: {host}, port: {port}");
    log_lines::server('E', "start", &words);
    give_up("exiting due to HTTP server error")
}

fn give_up(last_words: &str) -> ! {
    log_lines::server('I', "operator()", "operator(): cleaning up before exit...");
    log_lines::server('E', "llama_server", last_words);
    exit::leave(1)
}
