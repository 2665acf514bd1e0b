//! Reads the memory options from llama-server's command line.

use super::memory_options::{GpuLayers, MemoryOptions};
use crate::ggml_type::GgmlType;

impl MemoryOptions {
    /// Applies llama-server arguments; of a repeated flag the last wins.
    ///
    /// Unknown and malformed arguments are ignored: the engine itself refuses wrong flags. As in
    /// llama.cpp b11434, `common/arg.cpp`, a value is a separate argument, never after `=`, and
    /// long flags may use `_` for `-`.
    #[must_use]
    pub fn with_args(mut self, args: &[impl AsRef<str>]) -> Self {
        let mut args = args.iter().map(AsRef::as_ref).peekable();
        while let Some(arg) = args.next() {
            let flag = match arg.strip_prefix("--") {
                Some(name) => format!("--{}", name.replace('_', "-")),
                None => arg.to_owned(),
            };
            if self.apply_switch(&flag) {
                continue;
            }
            if let Some(value) = args.peek()
                && self.apply_value(&flag, value)
            {
                args.next();
            }
        }
        self
    }

    /// Applies a flag without a value. Returns false if `flag` is no such flag.
    fn apply_switch(&mut self, flag: &str) -> bool {
        match flag {
            "-kvu" | "--kv-unified" => self.kv_unified = true,
            "-no-kvu" | "--no-kv-unified" => self.kv_unified = false,
            "--swa-full" => self.swa_full = true,
            "-kvo" | "--kv-offload" => self.kv_offload = true,
            "-nkvo" | "--no-kv-offload" => self.kv_offload = false,
            "-cmoe" | "--cpu-moe" => self.cpu_experts = u32::MAX,
            "--embedding" | "--embeddings" | "--rerank" | "--reranking" => self.embeddings = true,
            _ => return false,
        }
        true
    }

    /// Applies a flag with a value. Returns false if `flag` is no such flag.
    fn apply_value(&mut self, flag: &str, value: &str) -> bool {
        match flag {
            "-c" | "--ctx-size" => parse_number(&mut self.context, value),
            "--kv-unified-per-slot" => parse_number(&mut self.context_per_slot, value),
            "-b" | "--batch-size" => parse_number(&mut self.batch, value),
            "-ub" | "--ubatch-size" => parse_number(&mut self.ubatch, value),
            "-ncmoe" | "--n-cpu-moe" => parse_number(&mut self.cpu_experts, value),
            "-np" | "--parallel" => match value.parse::<i64>() {
                // Below zero means the engine's own choice; the engine refuses zero.
                Ok(..0) => self.parallel = 0,
                _ => parse_number(&mut self.parallel, value),
            },
            "-ctk" | "--cache-type-k" => parse_type(&mut self.cache_type_k, value),
            "-ctv" | "--cache-type-v" => parse_type(&mut self.cache_type_v, value),
            "-fa" | "--flash-attn" => {
                self.flash_attention = !["off", "disabled", "false", "0"].contains(&value);
            }
            "-ngl" | "--gpu-layers" | "--n-gpu-layers" => self.set_gpu_layers(value),
            "-dev" | "--device" if value == "none" => self.gpu_layers = GpuLayers::Count(0),
            "--spec-type" => self.mtp |= value.split(',').any(|one| one == "draft-mtp"),
            "--pooling" => self.embeddings |= value != "none",
            _ => return false,
        }
        true
    }

    fn set_gpu_layers(&mut self, value: &str) {
        self.gpu_layers = match (value, value.parse::<i64>()) {
            ("auto" | "all", _) | (_, Ok(..0)) => GpuLayers::All,
            (_, Ok(count)) => GpuLayers::Count(u32::try_from(count).unwrap_or(u32::MAX)),
            _ => self.gpu_layers,
        };
    }
}

fn parse_number(field: &mut u32, value: &str) {
    if let Ok(number) = value.parse() {
        *field = number;
    }
}

fn parse_type(field: &mut GgmlType, value: &str) {
    if let Some(ggml_type) = GgmlType::for_cache(value) {
        *field = ggml_type;
    }
}
