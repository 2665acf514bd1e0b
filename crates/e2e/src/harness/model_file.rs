//! Makes the model file of the tests.

use paddock_gguf::builder::GgufBuilder;

/// Returns the bytes of a model file that paddock accepts as complete.
pub fn model() -> Vec<u8> {
    GgufBuilder::stand_in().build()
}
