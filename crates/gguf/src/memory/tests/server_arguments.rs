//! Reading options from llama-server's command line.

use super::super::GpuLayers;
use super::*;

fn read(line: &str) -> MemoryOptions {
    let words: Vec<&str> = line.split_whitespace().collect();
    MemoryOptions::default().with_args(&words)
}

#[test]
fn long_and_short_flags_are_read() {
    let expected = MemoryOptions {
        context: 8192,
        parallel: 4,
        kv_unified: true,
        context_per_slot: 512,
        cache_type_k: GgmlType(8),
        cache_type_v: GgmlType(2),
        swa_full: true,
        batch: 1024,
        ubatch: 256,
        flash_attention: false,
        gpu_layers: GpuLayers::Count(20),
        kv_offload: false,
        cpu_experts: 3,
        embeddings: true,
        mtp: true,
    };
    let short = "-c 8192 -np 4 -kvu --kv-unified-per-slot 512 -ctk q8_0 -ctv q4_0 --swa-full -b 1024 \
        -ub 256 -fa off -ngl 20 -nkvo -ncmoe 3 --embedding --spec-type draft-mtp";
    let long = "--ctx-size 8192 --parallel 4 --kv-unified --kv-unified-per-slot 512 \
        --cache-type-k q8_0 --cache-type-v q4_0 --swa-full --batch-size 1024 --ubatch-size 256 \
        --flash-attn 0 --n-gpu-layers 20 --no-kv-offload --n-cpu-moe 3 --reranking \
        --spec-type none,draft-mtp";
    assert_eq!(read(short), expected);
    assert_eq!(read(long), expected);
    assert_eq!(read(&long.replace("ctx-size", "ctx_size")), expected);
}

#[test]
fn the_last_of_repeated_flags_wins() {
    assert_eq!(read("-c 1 --ctx-size 2").context, 2);
    assert!(!read("-kvu -no-kvu").kv_unified);
    assert!(read("-fa off -fa auto").flash_attention);
    assert_eq!(read("-ngl 3 -ngl auto").gpu_layers, GpuLayers::All);
    assert_eq!(read("-ngl 3 -ngl -2").gpu_layers, GpuLayers::All);
    assert_eq!(read("-dev none").gpu_layers, GpuLayers::Count(0));
    assert_eq!(read("--cpu-moe").cpu_experts, u32::MAX);
    assert_eq!(read("-np -1").parallel, 0);
}

#[test]
fn unknown_flags_are_ignored() {
    for line in [
        "",
        "-c",
        "-c many",
        "--ctx-size=8192",
        "-ctk q2_K",
        "-ngl some",
        "--model m.gguf --nonsense 7 serve",
        "-np 99999999999",
        "--",
    ] {
        assert_eq!(read(line), MemoryOptions::default(), "{line}");
    }
}
