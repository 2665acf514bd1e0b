//! Makes gzipped tar archives, hostile ones included.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// An entry of an archive.
#[derive(Debug, Clone)]
pub enum ArchiveEntry<'a> {
    /// A file with its mode.
    File(&'a str, &'a [u8], u32),
    /// A symbolic link, and where it leads.
    Link(&'a str, &'a str),
}

/// Makes an archive. Nothing is compressed, because that takes long without optimization.
pub fn tar_gz(entries: &[ArchiveEntry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for entry in entries {
        let mut header = Header::new_gnu();
        let (path, contents) = match entry {
            ArchiveEntry::File(path, contents, mode) => {
                header.set_mode(*mode);
                header.set_entry_type(EntryType::Regular);
                (path, *contents)
            }
            ArchiveEntry::Link(path, target) => {
                header.set_mode(0o777);
                header.set_entry_type(EntryType::Symlink);
                let mut name = &mut header.as_gnu_mut().unwrap().linkname[..];
                name.write_all(target.as_bytes()).unwrap();
                (path, &[][..])
            }
        };
        // The builder refuses paths that a hostile archive may have.
        let mut name = &mut header.as_gnu_mut().unwrap().name[..];
        name.write_all(path.as_bytes()).unwrap();
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, contents).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// Returns the SHA-256 of bytes in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.concat()
}
