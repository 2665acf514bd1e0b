//! Model files: the GGUF header, read without trust and without the tensor data.
//!
//! [`Header::read`] takes any [`std::io::Read`] and gives the metadata and the tensor table;
//! [`inspect`] does the same for a file and tells a truncated one. No input makes either of them
//! panic, and what they keep in memory is bounded by [`limits`], whatever the file claims.
//!
//! [`memory::predict`] tells from it what the model will take in memory.
//!
//! Versions 2 and 3, little-endian, are read. [`mod@write`] makes small files for tests.

mod cursor;
mod error;
mod facts;
mod file;
mod ggml;
mod header;
pub mod limits;
mod loadable;
pub mod memory;
mod parse;
mod split;
mod value;
pub mod write;

pub use error::Error;
pub use file::{PartError, inspect, inspect_parts};
pub use ggml::GgmlType;
pub use header::{Header, Tensor};
pub use loadable::{Unloadable, check_loadable};
pub use split::{Split, part_path, strip_part_suffix};
pub use value::{Value, ValueType};
