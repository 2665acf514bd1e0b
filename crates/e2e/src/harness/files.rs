use paddock_gguf::write::Builder;

/// The bytes of a model file that paddock takes for a whole one.
pub fn model() -> Vec<u8> {
    Builder::stand_in().build()
}
