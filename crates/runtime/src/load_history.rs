//! Stores measurements of earlier loads: how much memory a model took, and how long it took to load.
//!
//! The measurements are stored in `learned.sqlite` in the state directory, so that the needs of the first load after a
//! restart are known. Every measurement can be made again, so a file that is damaged, or written by a later version, is
//! moved aside and never stops paddock.
//!
//! | file | contents |
//! |---|---|
//! | `load_key.rs` | the key: loads of the same files, arguments and engine |
//! | `measurement.rs` | one measurement, and how two are merged |
//! | `schema.rs` | the database's tables and their versions |
//! | `store.rs` | `LoadHistory`: lookup and record; blocks |
//! | `thread.rs` | the thread that owns a `LoadHistory`, and the `LoadHistoryHandle` for async code |

mod error;
mod load_key;
mod measurement;
mod schema;
mod store;
mod thread;

pub(crate) use error::LoadHistoryError;
pub use load_key::{ArgumentsHash, FileIdentity, LoadKey};
pub(crate) use measurement::{LoadMeasurement, MeasuredMemory};
pub(crate) use store::LoadHistory;
pub use thread::{LoadHistoryHandle, LoadHistoryThread, start};
