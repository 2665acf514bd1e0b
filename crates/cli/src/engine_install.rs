//! Downloads and installs an engine: the build of a llama.cpp release that suits this machine.

mod release_choice;

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use hyper::StatusCode;
use paddock_download::{
    Asset, FileRequest, HttpClient, HttpError, Releases, TransferError, fetch_file, to_hex,
};
use paddock_engines::{
    ArchiveFile, ArchiveRecord, AssetChoiceError, DigestRecordError, EngineDirs, EngineName,
    EngineNameError, InstallError, InstalledEngine, UnpackedEngine, UseError, check_digest,
};
use rustix::process::geteuid;

use crate::engine_program::{self, ProgramError};
use crate::format::seconds_since_1970;
use crate::output;
use crate::transfer_progress::{ProgressFormat, TransferProgress};
use release_choice::ReleaseChoice;
pub(crate) use release_choice::find_tag;

/// Variable with the address of the releases API, for mirrors.
const FEED_VARIABLE: &str = "PADDOCK_ENGINE_RELEASES";

const DEFAULT_FEED: &str = "https://api.github.com/repos/ggml-org/llama.cpp/releases";

/// Directory of unfinished downloads, in the directory of engines.
const DOWNLOADS: &str = ".downloads";

const USER_AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// The engine to install.
#[derive(Debug, Default)]
pub(crate) struct InstallRequest {
    /// The release's tag; `None` for the newest release with a build for this machine.
    pub(crate) tag: Option<String>,
    /// The flavour or backend; `None` for the one that suits this machine.
    pub(crate) backend: Option<String>,
    /// Leaves the engine in use unchanged.
    pub(crate) keep_current: bool,
}

/// An installed engine, and the one that was in use before.
#[derive(Debug)]
pub(crate) struct InstallOutcome {
    pub(crate) engine: InstalledEngine,
    /// The engine that was in use before, unless it is this one.
    pub(crate) former: Option<EngineName>,
    /// The engine had been installed before.
    pub(crate) was_installed: bool,
}

/// The reason why no engine was installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineInstallError {
    #[error(
        "there is no directory for engines: none of PADDOCK_ENGINES, XDG_DATA_HOME and HOME is set"
    )]
    NoDirectory,
    #[error("there is no release {tag} of llama.cpp")]
    NoRelease { tag: String },
    #[error("cannot read llama.cpp's releases: {0}")]
    Feed(HttpError),
    #[error("{}{source}", tag.as_ref().map(|tag| format!("{tag}: ")).unwrap_or_default())]
    Choice {
        tag: Option<String>,
        source: AssetChoiceError,
    },
    #[error(transparent)]
    Name(#[from] EngineNameError),
    #[error("cannot download {asset}: {source}")]
    Download {
        asset: String,
        source: TransferError,
    },
    #[error(transparent)]
    Digest(#[from] DigestRecordError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("{name} was downloaded but not installed, because it does not run: {source}")]
    DoesNotRun {
        name: EngineName,
        source: ProgramError,
    },
    #[error(transparent)]
    Use(#[from] UseError),
    #[error("release {tag} has no source archive")]
    NoSource { tag: String },
    #[error("cannot run cmake: {source}")]
    NoCmake { source: io::Error },
    #[error("the compilation failed; the end of {}:\n{output}", log.display())]
    BuildFailed { log: PathBuf, output: String },
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl EngineInstallError {
    /// Returns advice.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::NoRelease { .. } => Some("paddock engine list --available".to_owned()),
            Self::Feed(error) if is_rate_limit(error) => {
                Some("GitHub allows 60 requests per hour and address; try again later".to_owned())
            }
            Self::Feed(_) => Some(format!(
                "check the network; a mirror of the releases API can be set with {FEED_VARIABLE}"
            )),
            Self::Choice { source, .. } => match source {
                AssetChoiceError::NoFlavour { .. } => None,
                _ => Some("compile one from source: paddock engine build".to_owned()),
            },
            Self::Download { .. } => {
                Some("repeat the command: it continues where this download ended".to_owned())
            }
            Self::Digest(_) => Some(
                "install another release; if the change is known to be harmless, delete the archive's line in \
                 digests.json in the directory of engines"
                    .to_owned(),
            ),
            Self::DoesNotRun { source, .. } => source.advice(),
            Self::NoCmake { .. } => Some(
                "install CMake and a C++ compiler (Debian and Ubuntu: apt install build-essential cmake)".to_owned(),
            ),
            _ => None,
        }
    }
}

/// Returns whether GitHub's API refuses further requests: 403, or 429
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
fn is_rate_limit(error: &HttpError) -> bool {
    let limits = [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
    error
        .status()
        .is_some_and(|status| limits.contains(&status))
}

/// Returns this user's directories of engines.
pub(crate) fn engine_dirs() -> EngineDirs {
    EngineDirs::from_env(|name| env::var_os(name), geteuid().is_root())
}

/// Returns the reader of llama.cpp's releases.
pub(crate) fn releases() -> Result<(HttpClient, Releases), EngineInstallError> {
    let client = HttpClient::new(USER_AGENT).map_err(EngineInstallError::Feed)?;
    let feed = env::var(FEED_VARIABLE).unwrap_or_else(|_| DEFAULT_FEED.to_owned());
    Ok((client.clone(), Releases::new(client, feed)))
}

/// Installs an engine and puts it into use. Reports progress on standard error.
pub(crate) async fn install(
    request: &InstallRequest,
) -> Result<InstallOutcome, EngineInstallError> {
    let dirs = engine_dirs();
    let store = dirs.own.clone().ok_or(EngineInstallError::NoDirectory)?;
    let (client, releases) = releases()?;
    let release = ReleaseChoice::make(&releases, request).await?;
    let name = EngineName::from_release(&release.tag, &release.choice.flavour)?;
    output::print_error(&format!(
        "{} {}: {}",
        release.tag, release.choice.flavour, release.choice.why
    ));
    if let Some(advice) = &release.choice.advice {
        output::print_error(&format!("  = help: {advice}"));
    }
    for asset in &release.assets {
        if let Some(sha256) = &asset.sha256 {
            check_digest(&store, &asset.name, &to_hex(sha256))?;
        }
    }
    let present = dirs.find(&name);
    let was_installed = present.is_some();
    let engine = match present {
        Some(engine) => engine,
        None => download_and_install(&client, &dirs, &store, &name, &release).await?,
    };
    let former = put_into_use(&dirs, &name, request.keep_current)?;
    Ok(InstallOutcome {
        engine,
        former,
        was_installed,
    })
}

/// Puts an engine into use, unless another one is in use and stays so. Returns the former one.
pub(crate) fn put_into_use(
    dirs: &EngineDirs,
    name: &EngineName,
    keep_current: bool,
) -> Result<Option<EngineName>, EngineInstallError> {
    if keep_current && dirs.current().is_some() {
        return Ok(None);
    }
    Ok(dirs.set_current(name)?.filter(|former| former != name))
}

async fn download_and_install(
    client: &HttpClient,
    dirs: &EngineDirs,
    store: &Path,
    name: &EngineName,
    release: &ReleaseChoice,
) -> Result<InstalledEngine, EngineInstallError> {
    let downloads = store.join(DOWNLOADS);
    std::fs::create_dir_all(&downloads).map_err(|source| EngineInstallError::Io {
        path: downloads.clone(),
        source,
    })?;
    let mut archives = Vec::new();
    for asset in &release.assets {
        archives.push(download(client, &downloads, asset).await?);
    }
    let unpacked = UnpackedEngine::unpack(dirs, name.clone(), &archives)?;
    let engine = check_and_install(unpacked, name, |unpacked, version, now| {
        unpacked.install(&release.tag, &release.choice.flavour, version, None, now)
    })
    .await?;
    // The archives are only in the way from now on; if they cannot be deleted, the next installation overwrites them.
    for archive in &archives {
        let _remains = std::fs::remove_file(&archive.path);
    }
    let _remains = std::fs::remove_dir(downloads);
    Ok(engine)
}

async fn download(
    client: &HttpClient,
    downloads: &Path,
    asset: &Asset,
) -> Result<ArchiveFile, EngineInstallError> {
    let fail = |source| EngineInstallError::Download {
        asset: asset.name.clone(),
        source,
    };
    let request = FileRequest {
        size: Some(asset.size),
        sha256: asset.sha256,
        ..FileRequest::new(&asset.url)
    };
    if asset.sha256.is_none() {
        output::print_error(&format!(
            "warning: the release states no digest of {}; the digest of this download is recorded",
            output::printable(&asset.name)
        ));
    }
    let path = downloads.join(&asset.name);
    let progress = TransferProgress::new(ProgressFormat::detect(false));
    let fetched = fetch_file(client, &request, &path, |step| {
        progress.show(&asset.name, &step);
    })
    .await;
    progress.finish();
    let fetched = fetched.map_err(fail)?;
    Ok(ArchiveFile {
        path,
        record: ArchiveRecord {
            asset: asset.name.clone(),
            url: asset.url.clone(),
            sha256: to_hex(&fetched.sha256),
        },
    })
}

/// Runs an unpacked engine's program, and installs the engine if the program works.
pub(crate) async fn check_and_install(
    unpacked: UnpackedEngine,
    name: &EngineName,
    install: impl FnOnce(UnpackedEngine, String, u64) -> Result<InstalledEngine, InstallError>,
) -> Result<InstalledEngine, EngineInstallError> {
    let program = unpacked.program();
    let version = async {
        engine_program::check_libraries(&program).await?;
        engine_program::version(&program).await
    };
    let version = version
        .await
        .map_err(|source| EngineInstallError::DoesNotRun {
            name: name.clone(),
            source,
        })?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the time is after 1970, and fractions of a second are dropped"
    )]
    let now = seconds_since_1970() as u64;
    Ok(install(unpacked, version, now)?)
}
