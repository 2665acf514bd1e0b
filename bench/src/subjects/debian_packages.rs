//! Programs from Debian packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::output;

/// Finds a program; installs its package if it is missing and root privileges allow.
pub(crate) fn find_program(name: &str, package: &str) -> Result<PathBuf> {
    // Debian installs servers in a directory outside many search paths.
    let candidates = [name.to_owned(), format!("/usr/sbin/{name}")];
    let works = |candidate: &String| Command::new(candidate).arg("-v").output().is_ok();
    if let Some(candidate) = candidates.iter().find(|candidate| works(candidate)) {
        return Ok(candidate.into());
    }
    install(name, package)?;
    let program = candidates.into_iter().find(works);
    Ok(program
        .context("the installed program does not run")?
        .into())
}

/// Finds a file of a package; installs the package if necessary.
pub(super) fn find_file(path: &'static str, package: &str) -> Result<&'static Path> {
    let path = Path::new(path);
    if !path.exists() {
        install(&path.display().to_string(), package)?;
    }
    Ok(path)
}

fn install(missing: &str, package: &str) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("{missing} is missing: run apt-get install {package}");
    }
    output::progress(&format!("installing {package}"));
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive");
    let done = install.output().context("apt-get")?;
    if !done.status.success() {
        bail!("apt-get: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
