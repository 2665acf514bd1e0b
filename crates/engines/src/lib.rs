//! Installed releases of `llama-server`: which there are, which is used, and which suits this machine.
//!
//! Invariant: this crate writes only below the directory of engines, an engine there is whole or absent, and it has no
//! network.
//!
//! Layout of the directory: `NAME/` holds an engine and its `receipt.json`, `current` is a link to the engine in use,
//! `digests.json` records the digest of each archive at its first installation, and `.lock` is held while any of these
//! change. An engine is unpacked into `NAME.unpacking` and renamed when it is complete and its program runs.

mod asset_choice;
mod asset_name;
mod digest_records;
mod engine_dirs;
mod engine_name;
mod install;
mod installed;
mod major_minor;
mod platform;
mod program_failure;
mod receipt;
mod store_lock;
mod unpack;

pub use asset_choice::{AssetChoice, AssetChoiceError, choose_asset};
pub use asset_name::{AssetName, Flavour};
pub use digest_records::{DigestChanged, DigestRecordError, check_digest};
pub use engine_dirs::EngineDirs;
pub use engine_name::{EngineName, EngineNameError};
pub use install::{ArchiveFile, InstallError, UnpackedEngine};
pub use installed::{InstalledEngine, RemoveError, UseError};
pub use major_minor::MajorMinor;
pub use platform::{Arch, GpuVendor, Libc, Os, Platform, parse_nvidia_smi};
pub use program_failure::{failure_advice, library_advice};
pub use receipt::{ArchiveRecord, Receipt};
pub use unpack::{UnpackError, UnpackLimits, unpack_tar_gz};
