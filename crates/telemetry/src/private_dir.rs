//! Directories that only paddock's user may enter, and what may lie in them.
//!
//! A directory that others could write to may hold what they put there: a link that has paddock write elsewhere, a
//! second name of a file, a pipe that nobody writes to. Once the directory is closed to others nothing more can be
//! put there, so a look before a file is opened says what is opened.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// The rights of users other than the owner.
const OTHERS: u32 = 0o077;

/// Makes a directory that only this user may enter. One that is there is closed to others, which is logged.
///
/// # Errors
/// The system denies it, or the directory or the link that leads to it belongs to somebody else.
pub fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let link = fs::symlink_metadata(path)?;
    if link.is_symlink() && link.uid() != 0 {
        is_mine(&link, "the link")?;
    }
    let directory = File::open(path)?;
    let found = directory.metadata()?;
    is_mine(&found, "the directory")?;
    let mode = found.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    directory.set_permissions(Permissions::from_mode(mode & !OTHERS))?;
    let (path, mode) = (path.display(), format!("{mode:o}"));
    tracing::warn!(
        %path,
        mode,
        "other users could use the state directory; closed it to them (chmod go= {path})"
    );
    Ok(())
}

/// Says whether a file in such a directory may be opened: it is this user's, a file, and has no other name. One that
/// is not there may be made.
///
/// # Errors
/// Somebody else may have put it there; the error says why.
pub fn check(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let name = path.display();
    if found.is_symlink() {
        return Err(refusal(&format!("{name} is a symbolic link")));
    }
    if !found.is_file() {
        return Err(refusal(&format!("{name} is not a regular file")));
    }
    is_mine(&found, &name.to_string())?;
    match found.nlink() {
        0 | 1 => Ok(()),
        names => Err(refusal(&format!("{name} has {names} names (hard links)"))),
    }
}

fn is_mine(found: &Metadata, what: &str) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if found.uid() == me {
        return Ok(());
    }
    let owner = found.uid();
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{what} belongs to user {owner}, and paddock runs as user {me}; name a directory that is this user's, or \
             that is not there yet, as `state_dir` under [server]"
        ),
    ))
}

fn refusal(why: &str) -> io::Error {
    let text = format!("{why}, which paddock has not made; remove it, or move it elsewhere");
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_directory_that_others_could_use_is_closed_to_them() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        for open in [0o777, 0o755, 0o2770, 0o701, 0o700] {
            make(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
            make(&path).unwrap();
            assert_eq!(mode(&path), open & !0o77, "{open:o}");
        }
        // A link that this user made leads there as well.
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        make(&link).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let (path, link) = (place.path().join("state"), place.path().join("link"));
        make(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        let words = make(&link).unwrap_err().to_string();
        assert!(
            words.starts_with("the link belongs to user 65534"),
            "{words}"
        );
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let words = make(&path).unwrap_err().to_string();
        assert!(
            words.starts_with("the directory belongs to user 65534"),
            "{words}"
        );
        assert!(words.contains("`state_dir` under [server]"), "{words}");
    }

    #[test]
    fn only_files_with_one_name_are_opened() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("file"), "x").unwrap();
        check(&at("file")).unwrap();
        check(&at("missing")).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("missing", at("dangling")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(at("twice"), "x").unwrap();
        fs::hard_link(at("twice"), at("again")).unwrap();
        for (name, why) in [
            ("link", "is a symbolic link"),
            ("dangling", "is a symbolic link"),
            ("directory", "is not a regular file"),
            ("pipe", "is not a regular file"),
            ("twice", "has 2 names"),
        ] {
            let words = check(&at(name)).unwrap_err().to_string();
            assert!(words.contains(why), "{name}: {words}");
        }
    }
}
