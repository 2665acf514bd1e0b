//! Creates directories that only paddock's user may enter, and checks the files in them.
//!
//! In a directory that others can write to, a file may be a trap: a link that makes paddock write elsewhere, a
//! hard link to another file, a pipe without a reader. Once the directory is closed to others nothing more can
//! be planted, so a check before opening a file is reliable.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Permission bits of users other than the owner.
const OTHER_USERS_MODE: u32 = 0o077;

/// Creates a directory that only this user may enter. An existing one is closed to others, which is logged.
///
/// # Errors
/// The system denies it, or the directory or a link to it belongs to another user.
pub fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let link = fs::symlink_metadata(path)?;
    if link.is_symlink() && link.uid() != 0 {
        require_own(&link, "the link")?;
    }
    let directory = File::open(path)?;
    let found = directory.metadata()?;
    require_own(&found, "the directory")?;
    let mode = found.mode() & 0o7777;
    if mode & OTHER_USERS_MODE == 0 {
        return Ok(());
    }
    directory.set_permissions(Permissions::from_mode(mode & !OTHER_USERS_MODE))?;
    let (path, mode) = (path.display(), format!("{mode:o}"));
    tracing::warn!(
        %path,
        mode,
        "other users had access to the state directory; removed their access (chmod go= {path})"
    );
    Ok(())
}

/// Checks that a file in such a directory is safe to open: a regular file of this user with a single name, or
/// missing.
///
/// # Errors
/// Another user may have put the file there; the error says why.
pub fn check_file(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let name = path.display();
    if found.is_symlink() {
        return Err(denied(&format!("{name} is a symbolic link")));
    }
    if !found.is_file() {
        return Err(denied(&format!("{name} is not a regular file")));
    }
    require_own(&found, &name.to_string())?;
    match found.nlink() {
        0 | 1 => Ok(()),
        names => Err(denied(&format!("{name} has {names} hard links"))),
    }
}

fn require_own(found: &Metadata, what: &str) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if found.uid() == me {
        return Ok(());
    }
    let owner = found.uid();
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{what} belongs to user {owner}, but paddock runs as user {me}; set `state_dir` under [server] to a \
             directory that this user owns or that does not exist yet"
        ),
    ))
}

fn denied(why: &str) -> io::Error {
    let text = format!("{why}, which paddock did not create; remove it or move it elsewhere");
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
            create(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
            create(&path).unwrap();
            assert_eq!(mode(&path), open & !0o77, "{open:o}");
        }
        // A link made by this user is followed.
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        create(&link).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let (path, link) = (place.path().join("state"), place.path().join("link"));
        create(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        let words = create(&link).unwrap_err().to_string();
        assert!(
            words.starts_with("the link belongs to user 65534"),
            "{words}"
        );
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let words = create(&path).unwrap_err().to_string();
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
        check_file(&at("file")).unwrap();
        check_file(&at("missing")).unwrap();
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
            ("twice", "has 2 hard links"),
        ] {
            let words = check_file(&at(name)).unwrap_err().to_string();
            assert!(words.contains(why), "{name}: {words}");
        }
    }
}
