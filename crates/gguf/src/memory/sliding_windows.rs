//! Determines the layers whose attention is limited to a sliding window.

use super::model_shape::ModelKeys;

/// The window's length in tokens, and the layers that have the window.
#[derive(Debug)]
pub(super) struct SlidingWindows {
    /// The window's length in tokens.
    pub(super) tokens: u64,
    /// True for each layer that has the window.
    pub(super) layers: Vec<bool>,
}

/// The rule by which an architecture assigns windows to layers.
#[derive(Debug, Clone, Copy)]
enum WindowPattern {
    /// All layers of each group of this size except the last; the file may give another size or
    /// list the layers.
    LastDense(u64),
    /// All layers of each group of this size except the first; the file may give another size or
    /// list the layers.
    FirstDense(u64),
    /// The layers that the file lists.
    Listed,
    /// Every layer.
    All,
    /// Every layer that is not recurrent.
    NotRecurrent,
}

/// Reads the windows as llama.cpp b11434 does (`src/models/*.cpp`, `load_arch_hparams`).
///
/// Architectures not handled there have no windows, even if the header states one.
pub(super) fn read_windows(
    keys: ModelKeys<'_>,
    (layers, trunk): (usize, usize),
    recurrent: &[bool],
) -> Option<SlidingWindows> {
    use WindowPattern::{All, FirstDense, LastDense, Listed, NotRecurrent};
    let window = keys.number("attention.sliding_window");
    let (tokens, pattern) = match keys.arch {
        "gemma2" => (window.unwrap_or(4096), LastDense(2)),
        "gemma3n" => (window?, LastDense(5)),
        "cohere2" | "muse-glimmer" => (window?, LastDense(4)),
        "cohere2moe" => (window?, FirstDense(4)),
        "exaone-moe" => (window.unwrap_or(128), LastDense(4)),
        "exaone4" if trunk == 64 => (window.unwrap_or(4096), LastDense(4)),
        "gpt-oss" => (window?, LastDense(2)),
        "gemma3" | "gemma-embedding" => (above_zero(window)?, LastDense(6)),
        "afmoe" | "mellum" | "olmo2" => (above_zero(window)?, LastDense(4)),
        "plamo3" => (above_zero(window)?, LastDense(8)),
        "laguna" => (above_zero(window)?, FirstDense(4)),
        "modern-bert" => (above_zero(window)?, FirstDense(3)),
        // The window is fixed and ignores the file.
        "smallthinker" => above_zero(window).map(|_| (4096, FirstDense(4)))?,
        "llama4" if window != Some(0) => (8192, LastDense(4)),
        "gemma4" | "gemma4-assistant" | "granite_swa" | "maple" | "mimo2" | "spark2_5"
        | "step35" | "dots3note" => (window?, Listed),
        "dflash" => (above_zero(window)?, Listed),
        "deepseek4" => (window?, All),
        "lfm2" => (above_zero(window)?, NotRecurrent),
        _ => return None,
    };
    let listed = keys.flags("attention.sliding_window_pattern");
    let group_size = |default: u64| {
        let stated = keys.number("attention.sliding_window_pattern");
        stated.unwrap_or(default)
    };
    let mut windowed = match (pattern, listed) {
        (All, _) => vec![true; layers],
        (NotRecurrent, _) => recurrent
            .iter()
            .take(trunk)
            .map(|recurrent| !recurrent)
            .collect(),
        (Listed, None) => Vec::new(),
        (_, Some(listed)) => listed,
        (LastDense(group), None) => by_position(trunk, group_size(group), |position, group| {
            position + 1 < group
        }),
        (FirstDense(group), None) => {
            by_position(trunk, group_size(group), |position, _| position != 0)
        }
    };
    windowed.resize(layers, false);
    Some(SlidingWindows {
        tokens,
        layers: windowed,
    })
}

fn above_zero(tokens: Option<u64>) -> Option<u64> {
    tokens.filter(|&tokens| tokens > 0)
}

/// Marks layers by their position in groups; a group size of 0 means one endless group.
fn by_position(layers: usize, group: u64, windowed: fn(u64, u64) -> bool) -> Vec<bool> {
    (0..layers as u64)
        .map(|layer| {
            layer
                .checked_rem(group)
                .is_none_or(|position| windowed(position, group))
        })
        .collect()
}
