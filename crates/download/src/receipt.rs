//! Receipts of verified files: which file, in which state, had the digest that its name promises. They lie in a
//! directory of paddock's own, because other programs and users write to the hub's cache too.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::part_file::parent_of;
use crate::plain_file::read_small;

/// Longest receipt to read.
const MAX_RECEIPT_BYTES: u64 = 256;

/// Returns true if the file is in the state in which it was verified.
pub(crate) fn is_current(receipt: &Path, file: &Metadata) -> bool {
    read_small(receipt, MAX_RECEIPT_BYTES).is_some_and(|text| text == describe(file).as_bytes())
}

/// Notes that a file was verified. Without a receipt, the next call verifies again, so failures are ignored.
pub(crate) fn write(receipt: &Path, file: &Metadata) {
    let written =
        fs::create_dir_all(parent_of(receipt)).and_then(|()| fs::write(receipt, describe(file)));
    if let Err(error) = written {
        tracing::debug!(%error, path = %receipt.display(), "cannot note a verified file");
    }
}

/// Describes the state of a file. The time of the last change of the inode cannot be set back, unlike the content's.
fn describe(file: &Metadata) -> String {
    let (inode, size, time) = (file.ino(), file.len(), file.ctime());
    format!("{inode} {size} {time} {}", file.ctime_nsec())
}
