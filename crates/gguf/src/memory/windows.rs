//! Which layers look back only as far as a sliding window.

use super::model::Keys;

/// The window's length in tokens and which layers have it.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) tokens: u64,
    pub(super) layers: Vec<bool>,
}

/// How an architecture says which layers have a window.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    /// All of so many but the last; the file may name another number or each layer.
    LastDense(u64),
    /// All of so many but the first; the file may name another number or each layer.
    FirstDense(u64),
    /// As the file's array has it.
    Listed,
    /// Every layer.
    All,
    /// Every layer that is not recurrent.
    NotRecurrent,
}

/// Reads the windows as llama.cpp b11434 does, `src/models/*.cpp`, `load_arch_hparams`.
///
/// An architecture that is not in it has none, even if its header names a window.
pub(super) fn read(
    keys: Keys<'_>,
    (layers, trunk): (usize, usize),
    recurrent: &[bool],
) -> Option<Windows> {
    use Pattern::{All, FirstDense, LastDense, Listed, NotRecurrent};
    let said = keys.number("attention.sliding_window");
    let (tokens, pattern) = match keys.arch {
        "gemma2" => (said.unwrap_or(4096), LastDense(2)),
        "gemma3n" => (said?, LastDense(5)),
        "cohere2" | "muse-glimmer" => (said?, LastDense(4)),
        "cohere2moe" => (said?, FirstDense(4)),
        "exaone-moe" => (said.unwrap_or(128), LastDense(4)),
        "exaone4" if trunk == 64 => (said.unwrap_or(4096), LastDense(4)),
        "gpt-oss" => (said?, LastDense(2)),
        "gemma3" | "gemma-embedding" => (above_zero(said)?, LastDense(6)),
        "afmoe" | "mellum" | "olmo2" => (above_zero(said)?, LastDense(4)),
        "plamo3" => (above_zero(said)?, LastDense(8)),
        "laguna" => (above_zero(said)?, FirstDense(4)),
        "modern-bert" => (above_zero(said)?, FirstDense(3)),
        // The window is fixed, whatever the file says.
        "smallthinker" => above_zero(said).map(|_| (4096, FirstDense(4)))?,
        "llama4" if said != Some(0) => (8192, LastDense(4)),
        "gemma4" | "gemma4-assistant" | "granite_swa" | "maple" | "mimo2" | "spark2_5"
        | "step35" | "dots3note" => (said?, Listed),
        "dflash" => (above_zero(said)?, Listed),
        "deepseek4" => (said?, All),
        "lfm2" => (above_zero(said)?, NotRecurrent),
        _ => return None,
    };
    let listed = keys.flags("attention.sliding_window_pattern");
    let every = || {
        let said = keys.number("attention.sliding_window_pattern");
        move |otherwise: u64| said.unwrap_or(otherwise)
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
        (LastDense(of), None) => by_position(trunk, every()(of), |place, of| place + 1 < of),
        (FirstDense(of), None) => by_position(trunk, every()(of), |place, _| place != 0),
    };
    windowed.resize(layers, false);
    Some(Windows {
        tokens,
        layers: windowed,
    })
}

fn above_zero(tokens: Option<u64>) -> Option<u64> {
    tokens.filter(|&tokens| tokens > 0)
}

/// Marks layers by their place in groups; groups of none are one that never ends.
fn by_position(layers: usize, of: u64, windowed: fn(u64, u64) -> bool) -> Vec<bool> {
    (0..layers as u64)
        .map(|layer| {
            layer
                .checked_rem(of)
                .is_none_or(|place| windowed(place, of))
        })
        .collect()
}
