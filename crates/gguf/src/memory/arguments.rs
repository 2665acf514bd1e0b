//! Reading the engine's own command line.

use super::options::{GpuLayers, Options};
use crate::ggml::GgmlType;

impl Options {
    /// Folds arguments of llama-server in; of a flag that is there twice the last counts.
    ///
    /// What it does not know, or cannot read, changes nothing: the engine itself refuses wrong flags. As
    /// in llama.cpp b11434, `common/arg.cpp`, a value is an argument of its own, never after `=`, and
    /// long flags may have `_` for `-`.
    #[must_use]
    pub fn with_args(mut self, args: &[impl AsRef<str>]) -> Self {
        let mut args = args.iter().map(AsRef::as_ref).peekable();
        while let Some(arg) = args.next() {
            let flag = match arg.strip_prefix("--") {
                Some(name) => format!("--{}", name.replace('_', "-")),
                None => arg.to_owned(),
            };
            if self.switch(&flag) {
                continue;
            }
            if let Some(value) = args.peek()
                && self.set(&flag, value)
            {
                args.next();
            }
        }
        self
    }

    /// Applies a flag without a value; returns whether it is one.
    fn switch(&mut self, flag: &str) -> bool {
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

    /// Applies a flag with a value; returns whether it is one.
    fn set(&mut self, flag: &str, value: &str) -> bool {
        match flag {
            "-c" | "--ctx-size" => put(&mut self.context, value),
            "--kv-unified-per-slot" => put(&mut self.context_per_slot, value),
            "-b" | "--batch-size" => put(&mut self.batch, value),
            "-ub" | "--ubatch-size" => put(&mut self.ubatch, value),
            "-ncmoe" | "--n-cpu-moe" => put(&mut self.cpu_experts, value),
            "-np" | "--parallel" => match value.parse::<i64>() {
                // Below none is the engine's own choice; none it refuses.
                Ok(..0) => self.parallel = 0,
                _ => put(&mut self.parallel, value),
            },
            "-ctk" | "--cache-type-k" => put_type(&mut self.cache_type_k, value),
            "-ctv" | "--cache-type-v" => put_type(&mut self.cache_type_v, value),
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

fn put(field: &mut u32, value: &str) {
    if let Ok(number) = value.parse() {
        *field = number;
    }
}

fn put_type(field: &mut GgmlType, value: &str) {
    if let Some(ggml_type) = GgmlType::for_cache(value) {
        *field = ggml_type;
    }
}
