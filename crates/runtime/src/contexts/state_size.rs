//! Predicts the size of a saved conversation from a model's GGUF header.

use paddock_contexts::StateSize;
use paddock_gguf::Header;
use paddock_gguf::memory::{self, MemoryOptions};

/// Two context lengths, in tokens, whose predicted sizes are compared. Both are longer than common sliding windows.
const LENGTHS: [u32; 2] = [16_384, 32_768];

/// Predicts the size with the cell types that the model's arguments select. Returns `None` if the header lacks data for
/// a prediction.
pub(crate) fn predict_state_size(headers: &[Header], args: &[&str]) -> Option<StateSize> {
    let size = |context| {
        let options = MemoryOptions::default().with_args(args);
        let options = MemoryOptions {
            parallel: 1,
            context,
            ..options
        };
        let model = memory::predict(headers, &options).ok()?;
        Some(model.kv().saturating_add(model.recurrent()))
    };
    let [short, long] = LENGTHS;
    let (small, large) = (size(short)?, size(long)?);
    let per_token = large.saturating_sub(small) / u64::from(long - short);
    Some(StateSize {
        per_token,
        fixed: small.saturating_sub(per_token * u64::from(short)),
    })
}
