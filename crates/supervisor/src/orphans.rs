//! Reaps and kills adopted orphans: processes that children have started and left behind.
//!
//! A child subreaper adopts the orphans among its descendants, and process 1 those of its whole namespace
//! (prctl(2), `PR_SET_CHILD_SUBREAPER`). They must be waited for like children, or they stay as zombies; but
//! each by its own process id, since a wait for any child would take exit statuses for which others wait.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::time;

use crate::{
    blocking,
    leftovers::{HeldProcess, kill_all},
    procfs,
};

/// Time for which a zombie that a library in this process may have forked is left for that library to wait for.
const LIBRARY_WAIT_GRACE: Duration = Duration::from_secs(1);

/// Proof that this process adopts orphans.
#[derive(Debug)]
pub struct Adoption {
    /// True if every process adopted in the future belongs to an instance, because this process had no other
    /// children.
    is_exclusive: bool,
}

impl Adoption {
    /// Makes this process adopt what its descendants leave behind. Only for a process that belongs to paddock
    /// alone, before it has any child of its own.
    ///
    /// # Errors
    ///
    /// The system does not support it: only Linux does.
    pub fn begin() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
            // Process 1 adopts everything that is started in its namespace, from outside too (`docker exec`). A
            // program that became this one by exec(2) may have left children, which may leave orphans.
            let is_exclusive = std::process::id() != 1 && procfs::list_own_children().is_empty();
            Ok(Self { is_exclusive })
        }
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The children that this process has forked and not reaped yet, and whether it adopts orphans.
#[derive(Clone, Debug)]
pub(crate) struct ChildRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    forked: Mutex<ForkedChildren>,
    adoption: Option<Adoption>,
}

/// The children that were forked and not reaped yet.
#[derive(Debug, Default)]
struct ForkedChildren {
    /// The uses of each process id: the system may reuse an id before its entry is removed.
    numbers: HashMap<i32, u32>,
    /// The number of children that may start processes which become orphans.
    parents: usize,
}

/// The kind of child: whether it may start processes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offspring {
    Possible,
    None,
}

/// A child's entry in the registry. Dropping it marks the child as reaped.
#[derive(Debug)]
pub(crate) struct ForkedChild {
    pid: i32,
    offspring: Offspring,
    children: ChildRegistry,
}

impl ChildRegistry {
    pub(crate) fn new(adoption: Option<Adoption>) -> Self {
        Self(Arc::new(Inner {
            forked: Mutex::default(),
            adoption,
        }))
    }

    /// Forks, and registers the child before it can be taken for an orphan.
    pub(crate) fn fork<T>(
        &self,
        offspring: Offspring,
        fork: impl FnOnce() -> io::Result<T>,
        pid: impl FnOnce(&T) -> Option<u32>,
    ) -> io::Result<(T, ForkedChild)> {
        let mut forked = self.forked();
        let child = fork()?;
        let pid = pid(&child).map_or(0, u32::cast_signed);
        *forked.numbers.entry(pid).or_default() += 1;
        forked.parents += usize::from(offspring == Offspring::Possible);
        let place = ForkedChild {
            pid,
            offspring,
            children: self.clone(),
        };
        Ok((child, place))
    }

    fn forked(&self) -> MutexGuard<'_, ForkedChildren> {
        self.0.forked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if certainly no orphan is left: all orphans are adopted, and every child is registered.
    pub(crate) fn has_no_orphan(&self) -> bool {
        let forked = self.forked();
        self.0.adoption.is_some()
            && procfs::list_own_children()
                .iter()
                .all(|pid| forked.numbers.contains_key(pid))
    }

    /// Kills orphans that name no instance, because they have emptied their environment, once every instance
    /// has ended that may have started them. Returns their process ids. Blocks for two seconds at most.
    pub(crate) fn kill_orphans(&self) -> Vec<i32> {
        if !self
            .0
            .adoption
            .as_ref()
            .is_some_and(|adoption| adoption.is_exclusive)
        {
            return Vec::new();
        }
        let group = read_own_group();
        kill_all(|| {
            // Held until each orphan is open, so that meanwhile no child is forked that these could descend
            // from.
            let forked = self.forked();
            if forked.parents > 0 {
                return Vec::new();
            }
            let orphans = procfs::list_own_children().into_iter();
            orphans
                .filter(|pid| !forked.numbers.contains_key(pid))
                .filter_map(HeldProcess::open)
                // A library may fork a helper, which stays in this process's group; children are forked into
                // groups of their own.
                .filter(|orphan| {
                    procfs::read_stat(orphan.pid)
                        .is_some_and(|stat| stat.is_alive && stat.group != group)
                })
                .collect()
        })
    }

    /// Reaps orphans that have ended. Returns zombies of this process's own group, which a library may have
    /// forked and may wait for itself. Zombies in `left` were returned the last time, and are reaped.
    fn reap(&self, left: &BTreeSet<i32>) -> BTreeSet<i32> {
        let group = read_own_group();
        let forked = self.forked();
        let mut own = BTreeSet::new();
        for pid in procfs::list_own_children() {
            let Some(stat) = procfs::read_stat(pid) else {
                continue;
            };
            if stat.is_alive || forked.numbers.contains_key(&pid) {
                continue;
            }
            if stat.group == group && !left.contains(&pid) {
                own.insert(pid);
            } else if let Some(pid) = Pid::from_raw(pid) {
                let reaped = waitpid(Some(pid), WaitOptions::NOHANG);
                tracing::debug!(?reaped, "reaped an orphaned process");
            }
        }
        own
    }

    /// Reaps orphans as they end. Wakes only when a child ends. Does not complete.
    pub(crate) async fn reap_orphans(self) {
        use tokio::signal::unix::{SignalKind, signal};
        if self.0.adoption.is_none() {
            return std::future::pending().await;
        }
        let mut ended = match signal(SignalKind::child()) {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(%error, "cannot reap orphaned processes: no notification of their exit");
                return std::future::pending().await;
            }
        };
        let mut left = BTreeSet::new();
        loop {
            let children = self.clone();
            let reaping = blocking::run(move || children.reap(&left));
            left = reaping.await.unwrap_or_default();
            tokio::select! {
                _ = ended.recv() => {}
                () = time::sleep(LIBRARY_WAIT_GRACE), if !left.is_empty() => {}
            }
        }
    }
}

impl ForkedChild {
    pub(crate) const fn children(&self) -> &ChildRegistry {
        &self.children
    }
}

impl Drop for ForkedChild {
    fn drop(&mut self) {
        let mut forked = self.children.forked();
        forked.parents -= usize::from(self.offspring == Offspring::Possible);
        if let Some(count) = forked.numbers.get_mut(&self.pid) {
            *count -= 1;
            if *count == 0 {
                forked.numbers.remove(&self.pid);
            }
        }
    }
}

fn read_own_group() -> i32 {
    procfs::read_stat(std::process::id().cast_signed()).map_or(0, |stat| stat.group)
}
