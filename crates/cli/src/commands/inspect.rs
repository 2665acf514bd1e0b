//! `paddock inspect`: describes a model file and predicts its memory.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use paddock_gguf::memory::{self, MemoryOptions, MemoryPrediction, Unpredictable};
use paddock_gguf::{Error, GgmlType, Header, PartError, inspect_parts, part_path};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::format::{format_bytes, format_count};
use crate::output;

/// Flags of `paddock inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The model file, or any part of a split model.
    file: PathBuf,
    /// Context size in tokens, shared by all slots; 0: the context size that the model was trained with.
    #[arg(long, value_name = "N", default_value_t = 0)]
    context: u32,
    /// Number of slots: requests processed at once, each with its share of the context.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    parallel: u32,
    /// Data type of the K cache, as in llama-server's --cache-type-k.
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = parse_cache_type)]
    cache_type_k: GgmlType,
    /// Data type of the V cache, as in llama-server's --cache-type-v.
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = parse_cache_type)]
    cache_type_v: GgmlType,
    /// Print JSON, with sizes in bytes.
    #[arg(long)]
    json: bool,
}

/// Parses the name of a data type of the K or V cache.
fn parse_cache_type(name: &str) -> Result<GgmlType, &'static str> {
    GgmlType::for_cache(name)
        .ok_or("expected f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl")
}

/// Prints a model file's metadata and predicted memory.
pub(super) fn run(args: &InspectArgs) -> Exit {
    let report = inspect_parts(&args.file).and_then(|parts| InspectReport::new(args, &parts));
    match report {
        Ok(report) if args.json => output::print(&report.to_json()),
        Ok(report) => output::print(&report.to_text()),
        Err(error) => {
            output::print_error(&format_error(&error));
            return Exit::Failed;
        }
    }
    Exit::Done
}

/// Formats an error of a file, with advice.
fn format_error(PartError { path: file, error }: &PartError) -> String {
    let path = output::printable(&file.display().to_string());
    let error_text = output::printable(&error.to_string());
    let (message, help) = match error {
        Error::Io(io) if io.kind() == ErrorKind::NotFound => {
            let help = "give the path of a .gguf file; a split model needs all its parts";
            (format!("there is no file {path}"), help)
        }
        Error::Io(io) if io.kind() == ErrorKind::PermissionDenied => {
            let help = "change its permissions, or run paddock as a user who can read it";
            (format!("{path} cannot be read: permission denied"), help)
        }
        Error::Truncated { .. } | Error::HeaderTruncated(_) | Error::Empty => {
            (format!("{path} {error_text}"), "download it again")
        }
        _ => (
            format!("{path} {error_text}"),
            "give the path of a .gguf file",
        ),
    };
    format!("error: {message}\n  = help: {help}")
}

/// The facts to print.
struct InspectReport<'a> {
    args: &'a InspectArgs,
    header: Header,
    parts: usize,
    file_size: u64,
    parameters: u64,
    memory: MemoryReport,
}

enum MemoryReport {
    Model(MemoryPrediction),
    /// The bytes of a file that is loaded beside a model.
    Projector(u64),
    Unknown(Unpredictable),
}

impl<'a> InspectReport<'a> {
    fn new(args: &'a InspectArgs, parts: &[Header]) -> Result<Self, PartError> {
        let options = MemoryOptions {
            context: args.context,
            parallel: args.parallel,
            cache_type_k: args.cache_type_k,
            cache_type_v: args.cache_type_v,
            // Quantized values need flash attention; the engine falls back if the device lacks it.
            flash_attention: true,
            ..MemoryOptions::default()
        };
        let no_header = || PartError {
            path: args.file.clone(),
            error: Error::Empty,
        };
        let header = parts.first().ok_or_else(no_header)?.clone();
        let memory = match memory::predict(parts, &options) {
            Ok(prediction) => MemoryReport::Model(prediction),
            Err(Unpredictable::Projector) => {
                MemoryReport::Projector(memory::projector_bytes(&header))
            }
            Err(why) => MemoryReport::Unknown(why),
        };
        Ok(Self {
            args,
            file_size: file_size(&args.file, parts.len())?,
            parts: parts.len(),
            parameters: parts
                .iter()
                .map(Header::parameters)
                .fold(0, u64::saturating_add),
            header,
            memory,
        })
    }

    /// Returns the context, in tokens, of the prediction.
    fn context(&self) -> u64 {
        match self.args.context {
            0 => self.header.trained_context().unwrap_or(0),
            context => context.into(),
        }
    }

    fn to_text(&self) -> String {
        let header = &self.header;
        let or_unknown = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
        let number = |number: Option<u64>| number.map_or("unknown".to_owned(), |n| n.to_string());
        let mut parts = String::new();
        if self.parts > 1 {
            parts = format!(" in {} parts", self.parts);
        }
        let mut lines = vec![
            ("file", self.args.file.display().to_string()),
            (
                "file size",
                format!("{}{parts}", format_bytes(self.file_size)),
            ),
            ("architecture", or_unknown(header.architecture())),
            ("name", or_unknown(header.name())),
            ("size label", or_unknown(header.size_label())),
            ("quantization", or_unknown(header.quantization())),
            ("parameters", format_count(self.parameters)),
            ("layers", number(header.layers())),
            ("context", number(header.trained_context())),
        ];
        lines.extend(self.memory_lines());
        let line =
            |(name, value): &(&str, String)| format!("{name:<14}{}", output::printable(value));
        let lines: Vec<String> = lines.iter().map(line).collect();
        lines.join("\n")
    }

    fn memory_lines(&self) -> Vec<(&'static str, String)> {
        let prediction = match &self.memory {
            MemoryReport::Model(prediction) => prediction,
            MemoryReport::Projector(bytes) => return vec![("memory", format_bytes(*bytes))],
            MemoryReport::Unknown(why) => {
                return vec![("memory", format!("unknown: the file {why}"))];
            }
        };
        let args = self.args;
        let slots = if args.parallel == 1 { "slot" } else { "slots" };
        let (k, v) = (args.cache_type_k, args.cache_type_v);
        let types = if k == v {
            type_name(k)
        } else {
            format!("{}/{}", type_name(k), type_name(v))
        };
        let (context, parallel) = (self.context(), args.parallel);
        let mut lines = vec![
            (
                "memory",
                format!("for {context} tokens, {parallel} {slots}, {types} cache"),
            ),
            ("  weights", format_bytes(prediction.weights())),
            ("  cache", format_bytes(prediction.kv())),
        ];
        if prediction.recurrent() > 0 {
            lines.push(("  state", format_bytes(prediction.recurrent())));
        }
        let buffers = prediction.compute.saturating_add(prediction.results);
        lines.push((
            "  compute",
            format!("{} (estimated)", format_bytes(buffers)),
        ));
        lines.push(("  total", format_bytes(prediction.total())));
        let prompt_cache = "a prompt cache, limited by the RAM budget (--cache-ram)";
        lines.push(("  plus", prompt_cache.to_owned()));
        lines
    }

    fn to_json(&self) -> String {
        let header = &self.header;
        let memory = match &self.memory {
            MemoryReport::Model(prediction) => json!({
                "context": self.context(),
                "parallel": self.args.parallel,
                "cache_type_k": type_name(self.args.cache_type_k),
                "cache_type_v": type_name(self.args.cache_type_v),
                "weights": prediction.weights(),
                "kv": prediction.kv(),
                "recurrent": prediction.recurrent(),
                "compute": prediction.compute.saturating_add(prediction.results),
                "total": prediction.total(),
            }),
            MemoryReport::Projector(bytes) => json!({ "total": bytes }),
            MemoryReport::Unknown(_) => Value::Null,
        };
        let report = json!({
            "file": self.args.file.to_string_lossy(),
            "file_size": self.file_size,
            "parts": self.parts,
            "architecture": header.architecture(),
            "name": header.name(),
            "size_label": header.size_label(),
            "quantization": header.quantization(),
            "parameters": self.parameters,
            "layers": header.layers(),
            "context": header.trained_context(),
            "memory": memory,
        });
        format!("{report:#}")
    }
}

/// Sums the lengths of all parts.
fn file_size(file: &Path, parts: usize) -> Result<u64, PartError> {
    let count = u32::try_from(parts).unwrap_or(u32::MAX);
    let part = |index| part_path(file, index, count).unwrap_or_else(|| file.to_owned());
    (0..count)
        .map(part)
        .try_fold(0, |sum: u64, path| match fs::metadata(&path) {
            Ok(metadata) => Ok(sum.saturating_add(metadata.len())),
            Err(error) => Err(PartError {
                path,
                error: error.into(),
            }),
        })
}

fn type_name(ggml_type: GgmlType) -> String {
    ggml_type.name().unwrap_or("unknown").to_ascii_lowercase()
}
