//! Kills processes that a child has left outside its process group.

use std::mem;

use crate::{
    blocking,
    leftovers::{HeldProcess, kill_all, kill_marked},
    marker::{self, InstanceMarker},
    orphans::ChildRegistry,
};

/// Processes that a child may have left outside its group when it ended.
#[derive(Debug)]
#[must_use = "processes that left the child's group keep running until they are killed"]
pub(crate) struct ChildLeftovers {
    /// The child's process id; the child is gone.
    pub(crate) pid: u32,
    /// The value of the environment variable that only this child and its descendants have.
    pub(crate) marker: InstanceMarker,
    /// The child's descendants before it was asked to end.
    pub(crate) descendants: Vec<HeldProcess>,
    pub(crate) children: ChildRegistry,
}

impl ChildLeftovers {
    /// Kills the child's descendants, every process with its marker, and adopted orphans that no other child can
    /// have started, and waits until all of these are gone.
    pub(crate) async fn kill(self) {
        let Self {
            pid,
            marker,
            mut descendants,
            children,
        } = self;
        let killing = blocking::run(move || {
            let mut killed = kill_all(|| mem::take(&mut descendants));
            if !children.has_no_orphan() {
                killed.extend(kill_marked(marker::MARKER_VARIABLE, marker.as_str()));
                killed.extend(children.kill_orphans());
            }
            killed
        });
        match killing.await {
            Ok(killed) if killed.is_empty() => {}
            Ok(killed) => {
                tracing::info!(pid, ?killed, "killed processes that the child left running");
            }
            Err(error) => {
                tracing::warn!(pid, %error, "cannot look for processes that the child left running");
            }
        }
    }
}
