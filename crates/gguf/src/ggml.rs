//! The data types of tensors and what they take.

/// A ggml tensor type, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GgmlType(pub u32);

struct Row(u32, &'static str, u64, u64);

/// Number, name, elements in a block, bytes in a block: as llama.cpp b11434 has them.
const TABLE: [Row; 35] = [
    Row(0, "F32", 1, 4),
    Row(1, "F16", 1, 2),
    Row(2, "Q4_0", 32, 18),
    Row(3, "Q4_1", 32, 20),
    Row(6, "Q5_0", 32, 22),
    Row(7, "Q5_1", 32, 24),
    Row(8, "Q8_0", 32, 34),
    Row(9, "Q8_1", 32, 36),
    Row(10, "Q2_K", 256, 84),
    Row(11, "Q3_K", 256, 110),
    Row(12, "Q4_K", 256, 144),
    Row(13, "Q5_K", 256, 176),
    Row(14, "Q6_K", 256, 210),
    Row(15, "Q8_K", 256, 292),
    Row(16, "IQ2_XXS", 256, 66),
    Row(17, "IQ2_XS", 256, 74),
    Row(18, "IQ3_XXS", 256, 98),
    Row(19, "IQ1_S", 256, 50),
    Row(20, "IQ4_NL", 32, 18),
    Row(21, "IQ3_S", 256, 110),
    Row(22, "IQ2_S", 256, 82),
    Row(23, "IQ4_XS", 256, 136),
    Row(24, "I8", 1, 1),
    Row(25, "I16", 1, 2),
    Row(26, "I32", 1, 4),
    Row(27, "I64", 1, 8),
    Row(28, "F64", 1, 8),
    Row(29, "IQ1_M", 256, 56),
    Row(30, "BF16", 1, 2),
    Row(34, "TQ1_0", 256, 54),
    Row(35, "TQ2_0", 256, 66),
    Row(39, "MXFP4", 32, 17),
    Row(40, "NVFP4", 64, 36),
    Row(41, "Q1_0", 128, 18),
    Row(42, "Q2_0", 64, 18),
];

/// What a cache can have.
const CACHE: [(&str, u32); 9] = [
    ("f32", 0),
    ("f16", 1),
    ("bf16", 30),
    ("q8_0", 8),
    ("q4_0", 2),
    ("q4_1", 3),
    ("iq4_nl", 20),
    ("q5_0", 6),
    ("q5_1", 7),
];

/// Numbers that once had a meaning and are free of it now.
const REMOVED: [u32; 8] = [4, 5, 31, 32, 33, 36, 37, 38];

impl GgmlType {
    /// 32-bit floats.
    pub const F32: Self = Self(0);
    /// 16-bit floats.
    pub const F16: Self = Self(1);

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.0 == self.0)
    }

    /// Returns the type's name, if it is a known one.
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.1)
    }

    /// Returns how many elements share a block and how many bytes the block takes, if the type is known.
    pub fn block(self) -> Option<(u64, u64)> {
        self.row().map(|row| (row.2, row.3))
    }

    /// Returns the type that `--cache-type-k` calls so, if a cache can have it.
    ///
    /// The names are those of llama.cpp b11434, `common/arg.cpp`: in small letters, `f16` for example.
    pub fn for_cache(name: &str) -> Option<Self> {
        let number = CACHE.iter().find(|(known, _)| *known == name)?.1;
        Some(Self(number))
    }

    /// Returns whether the type was taken out of the format.
    pub(crate) fn is_removed(self) -> bool {
        REMOVED.contains(&self.0)
    }
}
