//! Limits of the reader. Real models stay far below each of them.
//!
//! Together they bound the memory of one header to about 64 MiB.

/// Limit on key/value pairs in the metadata.
pub const MAX_METADATA_ENTRIES: u64 = 65_536;

/// Limit on entries in the tensor table.
pub const MAX_TENSORS: u64 = 65_536;

/// Limit on the length of a metadata key, which the format itself defines.
pub const MAX_KEY_BYTES: u64 = 65_535;

/// Limit on the length of a tensor name; llama.cpp reads only names below 64 bytes.
pub const MAX_TENSOR_NAME_BYTES: u64 = 63;

/// Limit on the dimensions of a tensor.
pub const MAX_DIMENSIONS: u32 = 4;

/// Limit on a string value that is kept; longer strings are skipped.
pub const MAX_KEPT_STRING_BYTES: u64 = 256 * 1024;

/// Limit on an array of numbers that is kept; longer arrays are skipped, as are all arrays of
/// strings.
pub const MAX_KEPT_ARRAY_LEN: u64 = 1024;

/// Limit on kept keys and values together; beyond the limit values are skipped and keys refused.
pub const MAX_KEPT_METADATA_BYTES: u64 = 16 * 1024 * 1024;

/// Limit on the header, from the start of the file to the end of the tensor table.
pub const MAX_HEADER_BYTES: u64 = 1024 * 1024 * 1024;

/// Limit on the files of a split model.
pub const MAX_PARTS: u64 = 1024;
