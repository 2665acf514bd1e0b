//! Notices that a configured model has been downloaded.

use std::time::Duration;

use paddock_config::MissingSources;
use paddock_supervisor::blocking;
use tokio::sync::watch;
use tokio::time::sleep;

/// Time between two looks for missing models. The directories of downloads need not exist yet, so inotify cannot watch
/// them; without missing models, nothing wakes up.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Waits until one of the missing models is on disk. Then nothing counts as missing until the next reload, so that a
/// reload that fails is not repeated.
pub(super) async fn wait_for_arrival(missing: &watch::Sender<MissingSources>) {
    let mut changes = missing.subscribe();
    loop {
        let sources = changes.borrow_and_update().clone();
        if sources.is_empty() {
            // The sender outlives this receiver.
            let _changed = changes.changed().await;
            continue;
        }
        sleep(CHECK_INTERVAL).await;
        // Without a free thread, the next look follows.
        if blocking::run(move || sources.has_arrived())
            .await
            .unwrap_or(false)
        {
            missing.send_replace(MissingSources::default());
            return;
        }
    }
}
