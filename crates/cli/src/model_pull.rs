//! Pulls models, with progress. Commands that need a model share this.

mod error;
mod fit;

use std::env;

use paddock_download::{HttpClient, Hub, PulledModel, RepoListing, pull_url};
use paddock_models::{HubModel, ModelSource, StoreDirs, Variant, choose, variants};

use crate::transfer_progress::{ProgressFormat, TransferProgress};

pub(crate) use error::PullError;
pub(crate) use fit::{ASSUMED_CONTEXT, Fit, VariantMemory};

const USER_AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// Everything that pulls need.
#[derive(Debug)]
pub(crate) struct Puller {
    hub: Hub,
    dirs: StoreDirs,
    progress: TransferProgress,
}

/// The models of a repository.
#[derive(Debug)]
pub(crate) struct RepoVariants {
    pub(crate) listing: RepoListing,
    pub(crate) variants: Vec<Variant>,
}

impl Puller {
    /// Prepares pulls into these directories, from the hub and with the token that the environment names.
    pub(crate) fn new(dirs: StoreDirs, format: ProgressFormat) -> Result<Self, PullError> {
        let client = HttpClient::new(USER_AGENT)?;
        let hub = Hub::from_env(client, |name| env::var_os(name))?;
        let progress = TransferProgress::new(format);
        Ok(Self {
            hub,
            dirs,
            progress,
        })
    }

    /// Lists the models of a repository.
    pub(crate) async fn list(&self, model: &HubModel) -> Result<RepoVariants, PullError> {
        let listing = self.hub.files(&model.repo).await?;
        let variants = variants(&listing.files);
        Ok(RepoVariants { listing, variants })
    }

    /// Predicts the memory of each variant, from the header of one.
    pub(crate) async fn predict_memory(
        &self,
        model: &HubModel,
        found: &RepoVariants,
    ) -> Vec<VariantMemory> {
        let smallest = found.variants.iter().min_by_key(|variant| variant.size());
        let first = smallest.and_then(|variant| variant.parts.first());
        let header = match first {
            Some(file) => {
                let header = self
                    .hub
                    .header(&model.repo, &found.listing.commit, &file.path)
                    .await;
                header
                    .inspect_err(|error| tracing::debug!(%error, "cannot read a header"))
                    .ok()
            }
            None => None,
        };
        fit::predict_variants(header.as_ref(), &found.variants)
    }

    /// Pulls a variant of a repository.
    pub(crate) async fn pull_variant(
        &self,
        model: &HubModel,
        listing: &RepoListing,
        variant: &Variant,
    ) -> Result<PulledModel, PullError> {
        let show =
            |file: &paddock_models::RepoPath, step| self.progress.show(file.file_name(), &step);
        let pulled = self
            .hub
            .pull(&model.repo, listing, variant, &self.dirs, show)
            .await;
        self.progress.finish();
        Ok(pulled?)
    }

    /// Pulls a model, and returns its source with the variant. If a repository has several variants and none is named,
    /// takes the one that llama.cpp takes.
    pub(crate) async fn pull(
        &self,
        source: &ModelSource,
    ) -> Result<(ModelSource, PulledModel), PullError> {
        match source {
            ModelSource::Hub(model) => {
                let found = self.list(model).await?;
                let variant =
                    choose(&found.variants, model.variant.as_deref()).map_err(|cause| {
                        PullError::Choose {
                            repo: model.repo.clone(),
                            cause,
                        }
                    })?;
                let pulled = self.pull_variant(model, &found.listing, variant).await?;
                let taken = HubModel {
                    repo: model.repo.clone(),
                    variant: Some(variant.name.clone()),
                };
                Ok((ModelSource::Hub(taken), pulled))
            }
            ModelSource::Url(url) => {
                let show = |part: &paddock_models::ModelUrl, step| {
                    self.progress.show(part.file_name(), &step);
                };
                let pulled = pull_url(&self.hub, url, &self.dirs, show).await;
                self.progress.finish();
                Ok((source.clone(), pulled?))
            }
        }
    }
}
