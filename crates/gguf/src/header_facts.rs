//! Facts for people, derived from a header: name, quantization, parameters, layers, context.

use crate::header::Header;
use crate::value::Value;

/// Names of `general.file_type` by number (llama.cpp b11434, `include/llama.h`).
const FILE_TYPES: [(u64, &str); 37] = [
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
    (36, "TQ1_0"),
    (37, "TQ2_0"),
    (38, "MXFP4_MOE"),
    (39, "NVFP4"),
    (40, "Q1_0"),
    (41, "Q2_0"),
    (1024, "guessed"),
];

impl Header {
    /// Returns the model's display name.
    pub fn name(&self) -> Option<&str> {
        self.get("general.name")?.as_str()
    }

    /// Returns the model's size label, such as `8B` or `8x7B`.
    pub fn size_label(&self) -> Option<&str> {
        self.get("general.size_label")?.as_str()
    }

    /// Returns the quantization of the weights, such as `Q4_K_M`. If the header does not state a
    /// known one, returns the tensor type that takes most bytes.
    pub fn quantization(&self) -> Option<&'static str> {
        let number = self.get("general.file_type").and_then(Value::as_u64);
        let known = |number| FILE_TYPES.iter().find(|(known, _)| *known == number);
        match number.and_then(known) {
            Some((_, name)) => Some(name),
            None => self.largest_type(),
        }
    }

    fn largest_type(&self) -> Option<&'static str> {
        let mut bytes = std::collections::BTreeMap::<_, u64>::new();
        for tensor in &self.tensors {
            let sum = bytes.entry(tensor.ggml_type.name()?).or_default();
            *sum = sum.saturating_add(tensor.size.unwrap_or(0));
        }
        bytes
            .into_iter()
            .max_by_key(|(_, sum)| *sum)
            .map(|(name, _)| name)
    }

    /// Returns the number of parameters in this file.
    pub fn parameters(&self) -> u64 {
        let elements = |dims: &[u64]| dims.iter().copied().fold(1, u64::saturating_mul);
        let tensors = self.tensors.iter();
        tensors
            .map(|tensor| elements(&tensor.dims))
            .fold(0, u64::saturating_add)
    }

    /// Returns the number of layers.
    pub fn layers(&self) -> Option<u64> {
        self.architecture_number("block_count")
    }

    /// Returns the trained context length in tokens.
    pub fn trained_context(&self) -> Option<u64> {
        self.architecture_number("context_length")
    }

    fn architecture_number(&self, key: &str) -> Option<u64> {
        self.get(&format!("{}.{key}", self.architecture()?))?
            .as_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::GgufBuilder;
    use crate::ggml_type::GgmlType;

    fn read(builder: &GgufBuilder) -> Header {
        Header::read(&builder.build()[..]).unwrap()
    }

    #[test]
    fn facts_come_from_their_keys() {
        let builder = GgufBuilder::new("llama")
            .set("general.name", Value::String("A".to_owned()))
            .set("general.size_label", Value::String("8B".to_owned()))
            .set("general.file_type", Value::U32(15))
            .set("llama.block_count", Value::U32(2))
            .set("llama.context_length", Value::U32(512))
            .tensor("t", &[64, 8], GgmlType::F32);
        let header = read(&builder);
        assert_eq!(
            (header.name(), header.size_label()),
            (Some("A"), Some("8B"))
        );
        assert_eq!(header.quantization(), Some("Q4_K_M"));
        assert_eq!(
            (header.layers(), header.trained_context()),
            (Some(2), Some(512))
        );
        assert_eq!(header.parameters(), 512);
    }

    #[test]
    fn without_its_key_the_commonest_type_is_the_quantization() {
        let builder = GgufBuilder::new("llama");
        assert_eq!(read(&builder).quantization(), None);
        let builder = builder
            .set("general.file_type", Value::U32(999))
            .tensor("a", &[64, 8], GgmlType::F32)
            .tensor("b", &[64, 80], GgmlType::F16);
        assert_eq!(read(&builder).quantization(), Some("F16"));
    }
}
