//! The layers with a sliding window, by architecture.

use super::*;

/// Builds eight layers with a window of 1024 tokens.
fn eight(architecture: &'static str) -> Sketch {
    Sketch::new(architecture, 8, 256, 4).number("attention.sliding_window", 1024)
}

#[test]
fn each_architecture_has_its_pattern() {
    for (architecture, expected) in [
        ("gemma2", "w.w.w.w."),
        ("gpt-oss", "w.w.w.w."),
        ("gemma3", "wwwww.ww"),
        ("gemma3n", "wwww.www"),
        ("cohere2", "www.www."),
        ("cohere2moe", ".www.www"),
        ("exaone-moe", "www.www."),
        ("olmo2", "www.www."),
        ("afmoe", "www.www."),
        ("mellum", "www.www."),
        ("plamo3", "wwwwwww."),
        ("laguna", ".www.www"),
        ("smallthinker", ".www.www"),
        ("llama4", "www.www."),
        // Stated in the file but ignored.
        ("phi3", "........"),
        ("qwen2", "........"),
        ("llama", "........"),
        ("exaone4", "........"),
    ] {
        assert_eq!(
            eight(architecture).windowed_layers(),
            expected,
            "{architecture}"
        );
    }
}

#[test]
fn the_large_exaone_4_has_windows() {
    let large = Sketch::new("exaone4", 64, 256, 4);
    assert_eq!(large.windowed_layers(), "www.".repeat(16));
}

#[test]
fn without_a_window_there_is_no_pattern() {
    for architecture in ["gemma3", "olmo2", "llama4", "smallthinker"] {
        let sketch = Sketch::new(architecture, 4, 256, 4).number("attention.sliding_window", 0);
        assert_eq!(sketch.windowed_layers(), "....", "{architecture}");
    }
    // Two architectures have a window by default.
    for architecture in ["llama4", "gemma2"] {
        let sketch = Sketch::new(architecture, 4, 256, 4);
        assert!(sketch.windowed_layers().starts_with('w'), "{architecture}");
    }
}

#[test]
fn the_file_may_name_the_pattern() {
    let key = "attention.sliding_window_pattern";
    assert_eq!(eight("gemma3").number(key, 3).windowed_layers(), "ww.ww.ww");
    assert_eq!(eight("gemma3").number(key, 1).windowed_layers(), "........");
    let listed = [true, true, false];
    assert_eq!(
        eight("gemma3").flags(key, listed).windowed_layers(),
        "ww......"
    );
    assert_eq!(
        eight("mimo2").flags(key, listed).windowed_layers(),
        "ww......"
    );
    assert_eq!(
        eight("step35").numbers(key, &[0, 1]).windowed_layers(),
        ".w......"
    );
}

#[test]
fn a_fixed_window_ignores_the_file() {
    // Keys and values of 64 × 4 heads: 1 KiB a token, in cells of the window and a batch.
    let fixed =
        |sketch: Sketch, layer: usize| sketch.predict(&with_context(65536)).layers[layer].kv;
    assert_eq!(fixed(eight("llama4"), 0), (8192 + 512) * KIB);
    assert_eq!(fixed(eight("smallthinker"), 1), (4096 + 512) * KIB);
    assert_eq!(fixed(eight("gemma2"), 0), (1024 + 512) * KIB);
}

#[test]
fn gemma_3n_caches_its_first_twenty_layers() {
    let sketch = Sketch::new("gemma3n", 35, 2048, 8)
        .number("attention.head_count_kv", 2)
        .number("attention.key_length", 256)
        .number("attention.value_length", 256)
        .number("attention.sliding_window", 512);
    // 4 full layers and 16 of 1024 cells, 2 KiB a cell.
    assert_eq!(sketch.kv(32768), (4 * 32768 + 16 * 1024) * 2 * KIB);
}

#[test]
fn gemma_4_shares_caches_and_has_two_widths() {
    let sketch = Sketch::new("gemma4", 6, 1536, 8)
        .number("attention.shared_kv_layers", 2)
        .number("attention.head_count_kv", 1)
        .number("attention.key_length", 512)
        .number("attention.value_length", 512)
        .number("attention.key_length_swa", 256)
        .number("attention.value_length_swa", 256)
        .number("attention.sliding_window", 512)
        .flags(
            "attention.sliding_window_pattern",
            [true, true, true, false, true, false],
        );
    // Three with a window, one without; the last two use these.
    assert_eq!(sketch.kv(8192), 3 * 1024 * KIB + 8192 * 2 * KIB);
}
