//! Restores the contexts of a child before requests are admitted, and saves its conversations before it stops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paddock_contexts::Costs;
use paddock_scheduler::ModelId;
use paddock_supervisor::{Failure, Listener};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Runtime;
use crate::contexts::{
    ChildContexts, ContextCounters, ContextExperience, ContextTransfer, ContextUse, Keeper,
    LoadedChild, RestoreReport, ServingChild, StoreUsage, Unsupported, check_support,
    context_identity, predict_state_size, restore,
};
use crate::inspection::ModelInspection;
use crate::message::RuntimeMessage;

/// Maximum time for which saves delay a stop while requests wait.
const SAVE_LIMIT_WHILE_WAITING: Duration = Duration::from_secs(1);

/// Maximum time for which saves delay any other stop.
const SAVE_LIMIT: Duration = Duration::from_secs(5);

impl Runtime {
    /// Creates the staging directory of the model's next child. If contexts are not kept, records the reason and
    /// returns `None`.
    pub(super) fn prepare_contexts(&mut self, id: ModelId, serial: u64) -> Option<ChildContexts> {
        let prepared = self.try_prepare_contexts(id, serial);
        let entry = self.entries.get_mut(id.0)?;
        if let Err(reason) = &prepared {
            tracing::debug!(model = entry.config.id, %reason, "contexts are not kept");
        }
        entry.contexts.record_support(prepared.as_ref().map(drop));
        if let Ok(contexts) = &prepared {
            let known = entry.context_experience.take();
            let known = known.filter(|known| known.identity == contexts.identity);
            entry.context_experience = Some(known.unwrap_or_else(|| {
                ContextExperience::new(contexts.identity.clone(), contexts.costs)
            }));
        }
        prepared.ok()
    }

    fn try_prepare_contexts(&self, id: ModelId, serial: u64) -> Result<ChildContexts, Unsupported> {
        let entry = self.entries.get(id.0).ok_or(Unsupported::NotInspected)?;
        let engine = self.context.engine.as_ref();
        let inspection = entry.knowledge.inspection.as_ref();
        let (Some(engine), Some(inspection)) = (engine, inspection) else {
            return Err(Unsupported::NotInspected);
        };
        let prompt_cache = inspection.prompt_cache;
        check_support(&self.context.config, &entry.config, engine, prompt_cache)?;
        let store = self.context.contexts.as_ref();
        let store = store.ok_or(Unsupported::NoStore)?;
        let env = &self.context.config.command(&entry.config).env;
        let key = inspection.key.as_ref().ok_or(Unsupported::NotInspected)?;
        let identity = context_identity(key, env);
        let experience = entry.context_experience.as_ref();
        let experience = experience.filter(|known| known.identity == identity);
        if let Some(objection) = experience.and_then(ContextExperience::objection) {
            return Err(objection);
        }
        let staging = store.create_staging(serial).map_err(|error| {
            tracing::warn!(model = entry.config.id, %error, "cannot create a staging directory; contexts are not kept");
            Unsupported::NoStore
        })?;
        Ok(ChildContexts {
            costs: self.context_costs(id, &identity, inspection),
            identity,
            staging,
            cache_bytes: prompt_cache.counted,
            is_window_checked: experience.is_some_and(|known| known.is_window_checked),
            saves_windows: self.context.config.context_cache.sliding_windows,
        })
    }

    /// Returns the costs that earlier children of the same identity have measured, otherwise a prediction.
    fn context_costs(&self, id: ModelId, identity: &str, inspection: &ModelInspection) -> Costs {
        let entry = &self.entries[id.0];
        let known = entry.context_experience.as_ref();
        if let Some(known) = known.filter(|known| known.identity == identity) {
            return known.costs;
        }
        let args = self.context.config.command(&entry.config).args;
        let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
        let headers = inspection.headers.as_ref();
        let size = headers.and_then(|headers| predict_state_size(&headers.model, &args));
        size.map_or_else(Costs::default, Costs::new)
    }

    /// Starts restoring the contexts of a child that has loaded. Returns false if the child keeps no contexts.
    pub(super) fn restore_contexts(
        &mut self,
        id: ModelId,
        generation: u64,
        listener: &Listener,
    ) -> bool {
        let entry = &mut self.entries[id.0];
        let (Some(store), Some(running)) = (self.context.contexts.clone(), &mut entry.running)
        else {
            return false;
        };
        let Some(contexts) = running.contexts.clone() else {
            return false;
        };
        let child = LoadedChild {
            model: entry.config.id.clone(),
            load_time: running.started.elapsed(),
            listener: listener.clone(),
            contexts,
        };
        running.context_use = ContextUse::Restoring;
        let serial = running.serial;
        let listener = listener.clone();
        self.spawn_task(async move {
            let report = restore(&child, &store).await;
            Some(RuntimeMessage::ContextsRestored {
                model: id,
                serial,
                generation,
                listener,
                report,
            })
        });
        true
    }

    /// Admits requests to a child whose contexts have been restored, unless the child has failed or was replaced
    /// meanwhile.
    pub(super) fn on_contexts_restored(
        &mut self,
        id: ModelId,
        (serial, generation): (u64, u64),
        listener: &Listener,
        report: RestoreReport,
    ) {
        let Some(entry) = self.entries.get(id.0) else {
            return;
        };
        let is_current = entry.running.as_ref().is_some_and(|running| {
            running.serial == serial
                && running.ready == Some(generation)
                && running.save_deadline.is_none()
        });
        if !is_current || entry.generations != generation {
            return;
        }
        if report.failures > 0 {
            self.query_store_usage();
        }
        self.record_restore(id, &report);
        if report.is_unusable {
            return self.kill_instance(id);
        }
        self.keep_contexts(id, generation, listener, report);
        self.on_ready(id, generation, listener);
    }

    /// Kills a child that must not serve.
    fn kill_instance(&self, id: ModelId) {
        if let Some(running) = &self.entries[id.0].running {
            let instance = running.instance.clone();
            self.tasks.spawn(async move { instance.kill().await });
        }
    }

    fn record_restore(&mut self, id: ModelId, report: &RestoreReport) {
        let entry = &mut self.entries[id.0];
        let restored = report.count();
        entry.contexts.record_restore(report, SystemTime::now());
        let counters = &mut entry.counters.contexts;
        counters.restored += restored;
        counters.restore_failures += report.failures;
        if let Some(experience) = &mut entry.context_experience {
            experience.costs = report.costs;
            experience.differs |= report.differs;
            experience.is_window_checked |= report.is_window_checked;
        }
        if let Some(running) = &mut entry.running {
            running.restored_bytes = report.bytes();
            running.context_use = match restored {
                0 => ContextUse::None,
                _ => ContextUse::Restored {
                    answers: entry.model.answers.count(),
                },
            };
        }
        let transfer = ContextTransfer::from(report);
        if let Some(event) = transfer.lifecycle_event(&entry.config.id, SystemTime::now()) {
            self.context.lifecycle_sender.send(event);
        }
        if restored > 0 {
            tracing::info!(
                model = entry.config.id,
                contexts = restored,
                tokens = report.tokens(),
                bytes = report.bytes(),
                ms = u64::try_from(report.time.as_millis()).unwrap_or(u64::MAX),
                "restored contexts"
            );
        }
    }

    /// Starts the task that saves the conversations of a child.
    fn keep_contexts(
        &mut self,
        id: ModelId,
        generation: u64,
        listener: &Listener,
        restored: RestoreReport,
    ) {
        let entry = &mut self.entries[id.0];
        let (Some(store), Some(running)) = (self.context.contexts.clone(), &mut entry.running)
        else {
            return;
        };
        let Some(contexts) = running.contexts.clone() else {
            return;
        };
        let child = ServingChild {
            id,
            model: Arc::clone(&entry.model),
            generation,
            listener: listener.clone(),
            contexts,
            restored,
        };
        let (task, handle) = Keeper::new(
            child,
            store,
            self.messages_sender.clone(),
            self.context.lifecycle_sender.clone(),
        )
        .run();
        running.keeper = Some(handle);
        self.tasks.spawn(task);
    }

    /// Counts the saves and hits that a keeper reports.
    pub(super) fn on_contexts_saved(
        &mut self,
        id: ModelId,
        counts: &ContextCounters,
        costs: Costs,
    ) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        entry.counters.contexts.merge(counts);
        if let Some(experience) = &mut entry.context_experience {
            experience.costs = costs;
        }
        if counts.saved > 0 {
            tracing::info!(
                model = entry.config.id,
                contexts = counts.saved,
                "saved contexts"
            );
        }
    }

    /// Ends the keeper of a failed child. If a restored context may have crashed the child, counts the crash and
    /// deletes the contexts of the same identity.
    pub(super) fn handle_context_crash(&mut self, id: ModelId, failure: &Failure) {
        let entry = &mut self.entries[id.0];
        let answers = entry.model.answers.count();
        let Some(running) = &mut entry.running else {
            return;
        };
        running.keeper = None;
        let context_use = std::mem::replace(&mut running.context_use, ContextUse::None);
        let experience = entry.context_experience.as_mut();
        let (Some(store), Some(experience)) = (self.context.contexts.clone(), experience) else {
            return;
        };
        if !context_use.may_have_crashed(failure, answers) {
            return;
        }
        experience.record_crash();
        tracing::warn!(
            model = entry.config.id,
            "the server crashed with restored contexts; deleting them"
        );
        let identity = experience.identity.clone();
        self.tasks.spawn(async move {
            if let Err(error) = store.delete_identity(identity).await {
                tracing::warn!(%error, "cannot delete contexts");
            }
        });
    }

    /// Records the contexts that the store holds for each model, and the number that it has deleted.
    pub(super) fn on_contexts_stored(&mut self, mut stored: BTreeMap<String, StoreUsage>) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.removed) {
            let usage = stored.remove(&entry.config.id).unwrap_or_default();
            entry.counters.contexts.deleted += usage.deleted;
            entry.contexts.stored = usage;
        }
    }

    /// Asks the store for its usage, which arrives as [`RuntimeMessage::ContextsStored`].
    pub(super) fn query_store_usage(&self) {
        if let Some(store) = self.context.contexts.clone() {
            self.spawn_task(async move {
                let stored = store.report_usage().await.ok()?;
                Some(RuntimeMessage::ContextsStored(stored))
            });
        }
    }

    /// Saves the conversations of an instance, then stops it.
    pub(super) fn save_and_stop(&mut self, id: ModelId) {
        let limit = match self.waiting.is_empty() {
            true => SAVE_LIMIT,
            false => SAVE_LIMIT_WHILE_WAITING,
        };
        let entry = &mut self.entries[id.0];
        let Some(running) = &mut entry.running else {
            return;
        };
        let instance = running.instance.clone();
        let keeper = running.keeper.take();
        if keeper.is_some() {
            // The keeper removes the staging directory.
            running.contexts = None;
        }
        let (sender, deadline) = watch::channel(Instant::now() + limit);
        running.save_deadline = Some(sender);
        self.tasks.spawn(async move {
            let is_saved = match keeper {
                Some(keeper) => keeper.save_all(deadline).await,
                None => true,
            };
            match is_saved {
                true => instance.stop().await,
                // A child that saves ignores SIGTERM, and has nothing left to lose.
                false => instance.kill().await,
            }
        });
    }

    /// Shortens the time for saving of all children that stop: a request waits.
    pub(super) fn hurry_saves(&self) {
        let latest = Instant::now() + SAVE_LIMIT_WHILE_WAITING;
        let running = self
            .entries
            .iter()
            .filter_map(|entry| entry.running.as_ref());
        for deadline in running.filter_map(|running| running.save_deadline.as_ref()) {
            deadline.send_if_modified(|deadline| {
                let is_later = *deadline > latest;
                *deadline = latest.min(*deadline);
                is_later
            });
        }
    }

    /// Ends the saving of models whose contexts are no longer kept.
    pub(super) fn end_unwanted_keepers(&mut self) {
        let quota = self.context.config.context_cache.quota;
        for entry in &mut self.entries {
            if let Some(running) = &mut entry.running
                && (quota == 0 || !entry.config.context_cache)
            {
                running.keeper = None;
            }
        }
    }

    /// Removes the directory of a child that has ended without saving.
    pub(super) fn remove_staging(&self, contexts: Option<ChildContexts>) {
        let (Some(store), Some(contexts)) = (self.context.contexts.clone(), contexts) else {
            return;
        };
        self.tasks.spawn(async move {
            if let Err(error) = store.remove_staging(contexts.staging).await {
                tracing::debug!(%error, "cannot remove a staging directory");
            }
        });
    }
}
