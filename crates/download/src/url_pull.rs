//! Pulls a model from a URL, with all its parts.

use std::path::PathBuf;

use paddock_models::url_store::{self, UrlRecord};
use paddock_models::{ModelUrl, StoreDirs};

use crate::file_lock::FileLock;
use crate::hub::{Hub, HubError, PulledModel};
use crate::part_file::with_suffix;
use crate::transfer::create_directory_of;
use crate::{FileRequest, Progress, fetch_file, to_hex};

/// The first bytes of a model file. The content is known by nothing else.
const GGUF_MAGIC: &[u8] = b"GGUF";

/// Downloads a model file, and the other parts if its name shows that there are several.
///
/// The hub's token is sent only if the URL leads to the hub. `progress` gets the URL of each step's file.
///
/// # Errors
///
/// Any [`HubError`]; what has arrived is kept, and the next call continues.
pub async fn pull_url(
    hub: &Hub,
    url: &ModelUrl,
    dirs: &StoreDirs,
    progress: impl Fn(&ModelUrl, Progress),
) -> Result<PulledModel, HubError> {
    let mut files: Vec<PathBuf> = Vec::new();
    let (mut size, mut downloaded) = (0, false);
    for part in url.parts() {
        let target = url_store::file(dirs, &part);
        let address = part.request_url();
        create_directory_of(&target)?;
        // A second process must not see the file without its record.
        let lock = with_suffix(&target, ".json.lock");
        let waiting = || progress(&part, Progress::Waiting);
        let _lock = FileLock::acquire(&lock, true, waiting).await?;
        let known = url_store::read_record(&target);
        let request = FileRequest {
            headers: hub.headers_for(&address)?,
            magic: GGUF_MAGIC,
            replace: known.as_ref().is_some_and(|known| !known.is_from(&part)),
            ..FileRequest::new(address)
        };
        let fetched = fetch_file(hub.client(), &request, &target, |step| {
            progress(&part, step);
        })
        .await?;
        let record = UrlRecord::new(&part, fetched.bytes, to_hex(&fetched.sha256));
        if known.as_ref() != Some(&record) {
            let written = url_store::write_record(&target, &record);
            written.map_err(|cause| HubError::Cache {
                path: target.clone(),
                cause,
            })?;
        }
        size += fetched.bytes;
        downloaded |= fetched.downloaded;
        files.push(target);
    }
    Ok(PulledModel {
        files,
        projector: None,
        size,
        downloaded,
    })
}
