//! What the reader accepts at most. Real models stay far below each of these.
//!
//! Together they keep what one header holds in memory below about 64 MiB.

/// Key/value pairs in the metadata.
pub const METADATA: u64 = 65_536;

/// Tensors in the table.
pub const TENSORS: u64 = 65_536;

/// Bytes in one metadata key; the format's own limit.
pub const KEY: u64 = 65_535;

/// Bytes in one tensor name; llama.cpp reads names below 64 bytes only.
pub const TENSOR_NAME: u64 = 63;

/// Dimensions of one tensor.
pub const DIMENSIONS: u32 = 4;

/// Bytes of one string value that is kept; longer ones are skipped.
pub const KEPT_STRING: u64 = 256 * 1024;

/// Elements of one array of numbers that is kept; longer ones are skipped, as are all arrays of strings.
pub const KEPT_ARRAY: u64 = 1024;

/// Bytes of keys and values that are kept in all; beyond it values are skipped and keys refused.
pub const KEPT_METADATA: u64 = 16 * 1024 * 1024;

/// Bytes from the start of the file to the end of the tensor table.
pub const HEADER: u64 = 1024 * 1024 * 1024;

/// Files that one model is split over.
pub const PARTS: u64 = 1024;
