//! Model files: where they come from (`hf:USER/REPO`, a URL) and where they lie on disk, in the directories that other
//! programs share.
//!
//! Invariant: this crate reads and deletes files below the directories that it is given, and has no network.
//!
//! [`ModelSource`] names a model, [`StoreDirs`] the directories. Of a repository's files, [`variants`] makes the models
//! that can be loaded, and [`choose`] picks one. [`find`], [`list`] and [`Removal`] treat the files on disk;
//! [`hub_cache`] and [`url_store`] know the two layouts.

mod atomic_file;
mod find;
#[cfg(test)]
mod fixture;
pub mod hub_cache;
mod list;
mod remove;
mod repo_file;
mod repo_name;
mod repo_path;
mod source;
mod store_dirs;
mod store_lock;
mod unfinished;
pub mod url_store;
mod variants;

pub use find::{LocalModel, NotOnDisk, expected_path, find};
pub use list::list;
pub use remove::{Removal, RemoveError};
pub use repo_file::{FileDigest, RepoFile};
pub use repo_name::RepoName;
pub use repo_path::{RepoPath, RepoPathError};
pub use source::{HubModel, ModelSource, ModelUrl, SourceError, without_secrets};
pub use store_dirs::StoreDirs;
pub use unfinished::{Unfinished, list_unfinished, receipt};
pub use variants::{ChooseError, HasRepoPath, Variant, choose, variants};
