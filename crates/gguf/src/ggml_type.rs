//! The data types of tensors and their sizes.

/// A ggml tensor type, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GgmlType(pub u32);

/// A row of [`TYPES`].
struct TypeInfo(u32, &'static str, u64, u64);

/// Number, name, elements per block and bytes per block of each type (llama.cpp b11434).
const TYPES: [TypeInfo; 35] = [
    TypeInfo(0, "F32", 1, 4),
    TypeInfo(1, "F16", 1, 2),
    TypeInfo(2, "Q4_0", 32, 18),
    TypeInfo(3, "Q4_1", 32, 20),
    TypeInfo(6, "Q5_0", 32, 22),
    TypeInfo(7, "Q5_1", 32, 24),
    TypeInfo(8, "Q8_0", 32, 34),
    TypeInfo(9, "Q8_1", 32, 36),
    TypeInfo(10, "Q2_K", 256, 84),
    TypeInfo(11, "Q3_K", 256, 110),
    TypeInfo(12, "Q4_K", 256, 144),
    TypeInfo(13, "Q5_K", 256, 176),
    TypeInfo(14, "Q6_K", 256, 210),
    TypeInfo(15, "Q8_K", 256, 292),
    TypeInfo(16, "IQ2_XXS", 256, 66),
    TypeInfo(17, "IQ2_XS", 256, 74),
    TypeInfo(18, "IQ3_XXS", 256, 98),
    TypeInfo(19, "IQ1_S", 256, 50),
    TypeInfo(20, "IQ4_NL", 32, 18),
    TypeInfo(21, "IQ3_S", 256, 110),
    TypeInfo(22, "IQ2_S", 256, 82),
    TypeInfo(23, "IQ4_XS", 256, 136),
    TypeInfo(24, "I8", 1, 1),
    TypeInfo(25, "I16", 1, 2),
    TypeInfo(26, "I32", 1, 4),
    TypeInfo(27, "I64", 1, 8),
    TypeInfo(28, "F64", 1, 8),
    TypeInfo(29, "IQ1_M", 256, 56),
    TypeInfo(30, "BF16", 1, 2),
    TypeInfo(34, "TQ1_0", 256, 54),
    TypeInfo(35, "TQ2_0", 256, 66),
    TypeInfo(39, "MXFP4", 32, 17),
    TypeInfo(40, "NVFP4", 64, 36),
    TypeInfo(41, "Q1_0", 128, 18),
    TypeInfo(42, "Q2_0", 64, 18),
];

/// The types that llama.cpp accepts for the KV cache.
const CACHE_TYPES: [(&str, u32); 9] = [
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

/// Numbers of types that were removed from the format.
const REMOVED_TYPES: [u32; 8] = [4, 5, 31, 32, 33, 36, 37, 38];

impl GgmlType {
    /// 32-bit floats.
    pub const F32: Self = Self(0);
    /// 16-bit floats.
    pub const F16: Self = Self(1);

    fn info(self) -> Option<&'static TypeInfo> {
        TYPES.iter().find(|info| info.0 == self.0)
    }

    /// Returns the type's name, if the type is known.
    pub fn name(self) -> Option<&'static str> {
        self.info().map(|info| info.1)
    }

    /// Returns the number of elements and of bytes per block, if the type is known.
    pub fn block(self) -> Option<(u64, u64)> {
        self.info().map(|info| (info.2, info.3))
    }

    /// Returns the type with this name, if `--cache-type-k` accepts it.
    ///
    /// The names are llama.cpp's (b11434, `common/arg.cpp`), in lower case, such as `f16`.
    pub fn for_cache(name: &str) -> Option<Self> {
        let number = CACHE_TYPES.iter().find(|(known, _)| *known == name)?.1;
        Some(Self(number))
    }

    /// Returns true if the type was removed from the format.
    pub(crate) fn is_removed(self) -> bool {
        REMOVED_TYPES.contains(&self.0)
    }
}
