//! Predicts the memory of projectors, which turn images or sound into tokens.

use super::saturating::{product, sum};
use crate::header::Header;

/// Returns the bytes that a projector needs: its weights and the buffers for one image.
///
/// The buffers are a guess: per patch of the largest square image, 3 × the feed-forward length and
/// 5 × the embedding, in 32-bit floats. Without an image size, as for sound, only the weights
/// count.
pub fn projector_bytes(header: &Header) -> u64 {
    let number = |key: &str| {
        let value = header.get(&format!("clip.vision.{key}"));
        value.and_then(crate::value::Value::as_u64).unwrap_or(0)
    };
    let side = number("image_size")
        .checked_div(number("patch_size"))
        .unwrap_or(0);
    let inner = product([3, number("feed_forward_length")]);
    let floats = inner.saturating_add(product([5, number("embedding_length")]));
    let weights = super::tensor_bytes(std::slice::from_ref(header));
    sum([weights, product([side, side, floats, 4])])
}
