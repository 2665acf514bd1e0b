//! Programs that Debian packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::say;

/// A program of this name; its package is installed if it is missing and can be.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf> {
    // Debian puts servers where not everybody's search path leads.
    let places = [name.to_owned(), format!("/usr/sbin/{name}")];
    let works = |place: &String| Command::new(place).arg("-v").output().is_ok();
    if let Some(place) = places.iter().find(|place| works(place)) {
        return Ok(place.into());
    }
    install(name, package)?;
    let place = places.into_iter().find(works);
    Ok(place.context("it is installed and does not run")?.into())
}

/// A file of a package, which is installed if it is missing and can be.
pub(super) fn file(path: &'static str, package: &str) -> Result<&'static Path> {
    let path = Path::new(path);
    if !path.exists() {
        install(&path.display().to_string(), package)?;
    }
    Ok(path)
}

fn install(missing: &str, package: &str) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("there is no {missing}: apt-get install {package}");
    }
    say::progress(&format!("installing {package}"));
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
