//! Compiles llama.cpp on this machine and installs the result as an engine.

mod cmake;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use paddock_download::fetch_source_archive;
use paddock_engines::{EngineName, Flavour, Platform, UnpackLimits, UnpackedEngine, unpack_tar_gz};

use crate::engine_install::{
    EngineInstallError, InstallOutcome, check_and_install, engine_dirs, find_tag, put_into_use,
    releases,
};
use crate::format::format_bytes;
use crate::output;
use cmake::CmakeBuild;

/// Directory of sources and build files, in the directory of engines.
const BUILD_DIR: &str = ".build";

/// Tag of an engine whose source is a directory.
const LOCAL_TAG: &str = "local";

/// The engine to compile.
#[derive(Debug)]
pub(crate) struct BuildRequest {
    /// The release's tag; `None` for the latest.
    pub(crate) tag: Option<String>,
    /// A directory with the source, in place of a release's.
    pub(crate) source: Option<PathBuf>,
    /// The backend: `cpu`, `cuda` or `vulkan`.
    pub(crate) backend: Option<&'static str>,
    /// Number of files compiled at the same time.
    pub(crate) jobs: Option<usize>,
    /// Leaves the engine in use unchanged.
    pub(crate) keep_current: bool,
}

/// Compiles and installs an engine. Reports progress on standard error.
pub(crate) async fn build(request: &BuildRequest) -> Result<InstallOutcome, EngineInstallError> {
    let dirs = engine_dirs();
    let store = dirs.own.clone().ok_or(EngineInstallError::NoDirectory)?;
    let work = store.join(BUILD_DIR);
    let at_work = |source| EngineInstallError::Io {
        path: work.clone(),
        source,
    };
    fs::create_dir_all(&work).map_err(at_work)?;
    cmake::check_installed()?;
    let platform = Platform::detect();
    let backend = request
        .backend
        .unwrap_or(if platform.nvcc { "cuda" } else { "cpu" });
    let (tag, source) = find_source(request, &work).await?;
    let flavour = Flavour::new(format!("{backend}-built"));
    let name = EngineName::from_release(&tag, &flavour)?;
    let build = CmakeBuild {
        source: &source,
        directory: work.join(name.as_str()),
        log: store.join(format!(".build-{name}.log")),
        backend,
        jobs: request.jobs,
    };
    output::print_error(&format!(
        "compiling {name}; the log is {}",
        build.log.display()
    ));
    let binaries = build.run()?;
    let was_installed = dirs.find(&name).is_some();
    let unpacked = UnpackedEngine::copy(&dirs, name.clone(), &binaries)?;
    let origin = request.source.as_ref().map(|_| source.clone());
    let engine = check_and_install(unpacked, &name, |unpacked, version, now| {
        unpacked.install(&tag, &flavour, version, origin, now)
    })
    .await?;
    fs::remove_dir_all(&work).map_err(at_work)?;
    let former = put_into_use(&dirs, &name, request.keep_current)?;
    Ok(InstallOutcome {
        engine,
        former,
        was_installed,
    })
}

/// Returns the tag and the directory of the source: the requested directory, or a release's source.
async fn find_source(
    request: &BuildRequest,
    work: &Path,
) -> Result<(String, PathBuf), EngineInstallError> {
    let Some(source) = &request.source else {
        return download_source(request.tag.as_deref(), work).await;
    };
    let absolute = source.canonicalize();
    let absolute = absolute.map_err(|error| EngineInstallError::Io {
        path: source.clone(),
        source: error,
    })?;
    Ok((LOCAL_TAG.to_owned(), absolute))
}

/// Downloads and unpacks a release's source, and returns its tag and directory.
async fn download_source(
    tag: Option<&str>,
    work: &Path,
) -> Result<(String, PathBuf), EngineInstallError> {
    let (client, releases) = releases()?;
    let release = match tag {
        Some(tag) => find_tag(&releases, tag).await?,
        None => releases.latest().await.map_err(EngineInstallError::Feed)?,
    };
    let tag = release.tag;
    let url = release
        .source
        .ok_or_else(|| EngineInstallError::NoSource { tag: tag.clone() })?;
    let io_error = |source| EngineInstallError::Io {
        path: work.to_owned(),
        source,
    };
    // Checks the tag before it becomes a part of a path.
    let name: EngineName = tag.parse()?;
    let asset = format!("{name}-source.tar.gz");
    let archive = work.join(&asset);
    let fail = |source| EngineInstallError::Download { asset, source };
    output::print_error(&format!("downloading the source of {tag}"));
    let fetched = fetch_source_archive(&client, &url, &archive).await;
    let length = fetched.map_err(fail)?;
    output::print_error(&format!("downloaded {}", format_bytes(length as u64)));
    let target = work.join(format!("{name}-source"));
    if target.exists() {
        fs::remove_dir_all(&target).map_err(io_error)?;
    }
    fs::create_dir_all(&target).map_err(io_error)?;
    let file = File::open(&archive).map_err(io_error)?;
    unpack_tar_gz(file, &target, UnpackLimits::default())
        .map_err(|error| io_error(io::Error::other(error)))?;
    // GitHub's archives have one directory, such as ggml-org-llama.cpp-a456fdb.
    let mut entries = fs::read_dir(&target).map_err(io_error)?.flatten();
    let root = entries.next().map_or(target, |entry| entry.path());
    Ok((tag, root))
}
