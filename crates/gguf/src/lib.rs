//! Reads the headers of GGUF model files and predicts the memory that models need. Invariant: no
//! input causes a panic, memory is bounded by [`limits`] whatever a file claims, and tensor data is
//! never read. Pure: no network, no tokio.
//!
//! [`Header::read`] reads the metadata and the tensor table from any [`std::io::Read`]; [`inspect`]
//! reads them from a file and also detects truncation. [`memory::predict`] computes the memory that
//! the model needs.
//!
//! Versions 2 and 3, little-endian, are supported. [`mod@builder`] creates small files for tests.

mod bounded_reader;
pub mod builder;
mod error;
mod ggml_type;
mod header;
mod header_facts;
mod header_parser;
pub mod limits;
mod loadable;
pub mod memory;
mod model_file;
mod split_part;
mod value;

pub use error::Error;
pub use ggml_type::GgmlType;
pub use header::{Header, Tensor};
pub use loadable::{Unloadable, check_loadable};
pub use model_file::{PartError, inspect, inspect_parts};
pub use split_part::{SplitPart, part_path, strip_part_suffix};
pub use value::{Value, ValueType};
