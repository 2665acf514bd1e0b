//! Chooses a release, and its archives for this machine.

use hyper::StatusCode;
use paddock_download::{Asset, HttpError, Release, Releases};
use paddock_engines::{AssetChoice, AssetChoiceError, Platform, choose_asset};

use super::{EngineInstallError, InstallRequest};
use crate::this_platform;

/// The chosen archives of a release.
#[derive(Debug)]
pub(super) struct ReleaseChoice {
    pub(super) tag: String,
    pub(super) choice: AssetChoice,
    /// The archive with the program, then the one with its libraries if there is one.
    pub(super) assets: Vec<Asset>,
}

impl ReleaseChoice {
    /// Asks the feed for the requested release, else for the latest; if that has no archive for this machine, such as
    /// a release of the source alone, for the newest that has one.
    pub(super) async fn make(
        releases: &Releases,
        request: &InstallRequest,
    ) -> Result<Self, EngineInstallError> {
        let platform = this_platform::detect().await;
        let backend = request.backend.as_deref();
        let fail = |tag: Option<&str>, source| EngineInstallError::Choice {
            tag: tag.map(ToOwned::to_owned),
            source,
        };
        if let Some(tag) = &request.tag {
            let release = find_tag(releases, tag).await?;
            return choose(release, &platform, backend).map_err(|error| fail(Some(tag), error));
        }
        let latest = releases.latest().await.map_err(EngineInstallError::Feed)?;
        match choose(latest, &platform, backend) {
            Ok(choice) => return Ok(choice),
            Err(AssetChoiceError::NoBuild | AssetChoiceError::NoFlavour { .. }) => {}
            Err(error) => return Err(fail(None, error)),
        }
        let all = releases.list().await.map_err(EngineInstallError::Feed)?;
        let mut last = AssetChoiceError::NoBuild;
        for release in all {
            match choose(release, &platform, backend) {
                Ok(choice) => return Ok(choice),
                Err(AssetChoiceError::NoBuild) => {}
                Err(error) => last = error,
            }
        }
        Err(fail(None, last))
    }
}

/// Asks for the release of a tag.
pub(crate) async fn find_tag(
    releases: &Releases,
    tag: &str,
) -> Result<Release, EngineInstallError> {
    releases.by_tag(tag).await.map_err(|error| match error {
        HttpError::Status(answer) if answer.status == StatusCode::NOT_FOUND => {
            EngineInstallError::NoRelease {
                tag: tag.to_owned(),
            }
        }
        error => EngineInstallError::Feed(error),
    })
}

fn choose(
    release: Release,
    platform: &Platform,
    backend: Option<&str>,
) -> Result<ReleaseChoice, AssetChoiceError> {
    let names: Vec<_> = release
        .assets
        .iter()
        .map(|asset| asset.name.as_str())
        .collect();
    let choice = choose_asset(platform, &names, backend)?;
    let wanted = [Some(&choice.asset), choice.runtime.as_ref()];
    let assets = wanted.into_iter().flatten();
    let assets = assets.filter_map(|name| release.assets.iter().find(|asset| asset.name == *name));
    Ok(ReleaseChoice {
        assets: assets.cloned().collect(),
        tag: release.tag,
        choice,
    })
}
