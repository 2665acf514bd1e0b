//! Gemma 3 270M, compared with the figures that llama-server b11434 logs.

use super::*;

fn gemma() -> Sketch {
    Sketch::new("gemma3", 18, 640, 4)
        .number("attention.head_count_kv", 1)
        .number("attention.key_length", 256)
        .number("attention.value_length", 256)
        .number("attention.sliding_window", 512)
        .number("feed_forward_length", 2048)
        .number("vocab_size", 262_144)
}

#[test]
fn the_cache_matches_the_engines_figures() {
    let plain = with_context;
    let slots = |parallel, kv_unified| MemoryOptions {
        parallel,
        kv_unified,
        ..plain(4096)
    };
    let typed = |number| MemoryOptions {
        cache_type_k: GgmlType(number),
        cache_type_v: GgmlType(number),
        ..plain(4096)
    };
    let swa_full = MemoryOptions {
        swa_full: true,
        ..plain(4096)
    };
    let ubatch = MemoryOptions {
        ubatch: 128,
        ..plain(32768)
    };
    // 3 layers of the whole context, 15 of 1024 cells: 512 and a batch.
    for (options, quarters) in [
        (plain(512), 6 + 30),
        (plain(4096), 48 + 60),
        (plain(32768), 384 + 60),
        (ubatch, 384 + 45),
        (slots(4, false), 48 + 240),
        (slots(2, true), 48 + 90),
        (slots(0, false), 48 + 150),
        (swa_full, 48 + 240),
    ] {
        assert_eq!(
            gemma().predict(&options).kv(),
            quarters * MIB / 4,
            "{options:?}"
        );
    }
    assert_eq!(gemma().predict(&typed(8)).kv(), 27 * MIB / 64 * 34);
    assert_eq!(gemma().predict(&typed(2)).kv(), 27 * MIB / 64 * 18);
}

#[test]
fn the_buffers_are_close_to_the_engines_figures() {
    let plain = with_context;
    let off = |context| MemoryOptions {
        flash_attention: false,
        ..plain(context)
    };
    let slots = |parallel, context| MemoryOptions {
        parallel,
        ..plain(context)
    };
    let embeddings = MemoryOptions {
        embeddings: true,
        ..plain(4096)
    };
    for (options, kib) in [
        (plain(512), 19_743),
        (plain(4096), 23_839),
        (plain(32768), 52_511),
        (slots(4, 4096), 20_767),
        (slots(2, 32768), 36_127),
        (slots(0, 4096), 25_375),
        (off(4096), 55_572),
        (off(32768), 342_292),
        (embeddings, 537_119),
    ] {
        let compute = gemma().predict(&options).compute / KIB;
        let off = compute.abs_diff(kib) * 100 / kib;
        assert!(off <= 10, "{compute} KiB instead of {kib} for {options:?}");
    }
}
