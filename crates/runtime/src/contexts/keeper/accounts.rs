//! Keeps account of a child's answers, speed and saves, and reports them.

use std::time::SystemTime;

use super::{Keeper, MAX_ANSWERS};
use crate::contexts::slots::ANSWER_LIMIT;
use crate::contexts::stats::ContextCounters;
use crate::message::RuntimeMessage;

impl Keeper {
    /// Processes the answers since the last call: remembers their token counts and attributes their cached tokens.
    pub(super) fn take_answers(&mut self) {
        let answers = self.child.model.answers.since(self.seen);
        self.seen = self.child.model.answers.count();
        for answer in answers {
            if self.answers.len() == MAX_ANSWERS {
                self.answers.pop_front();
            }
            self.answers.push_back(answer);
            let used = self
                .restored
                .record(answer.prompt, answer.cached, answer.generated);
            if let Some(context) = used {
                self.used.push(context);
                let time = self.costs.reading_time(answer.cached);
                self.report.hits += 1;
                self.report.tokens_reused += u64::from(answer.cached);
                self.report.time_saved += time.unwrap_or_default();
            }
        }
    }

    /// Measures how fast the child reads prompts.
    pub(super) async fn measure_reading(&mut self) {
        let Some((tokens, time)) = self.client.reading_totals(ANSWER_LIMIT).await else {
            return;
        };
        let (earlier_tokens, earlier_time) = self.read;
        self.costs.record_reading(
            tokens.saturating_sub(earlier_tokens),
            time.saturating_sub(earlier_time),
        );
        self.read = (tokens, time);
    }

    /// Records all saves of the child as one lifecycle event.
    pub(super) fn send_event(&self) {
        let model = &self.child.model.name;
        if let Some(event) = self.transfer.lifecycle_event(model, SystemTime::now()) {
            self.lifecycle.send(event);
        }
    }

    pub(super) async fn send_report(&mut self) {
        let report = std::mem::take(&mut self.report);
        self.transfer.contexts += report.saved;
        self.transfer.failures += report.save_failures;
        if report == ContextCounters::default() {
            return;
        }
        let message = RuntimeMessage::ContextsSaved {
            model: self.child.id,
            counts: report,
            costs: self.costs,
        };
        if !self.used.is_empty() {
            let used = std::mem::take(&mut self.used);
            if let Err(error) = self.store.touch(used).await {
                tracing::debug!(model = self.child.model.name, %error, "cannot record the use of contexts");
            }
        }
        // Sending fails only if the actor has ended.
        let _ = self.messages.send(message).await;
        if let Ok(stored) = self.store.report_usage().await {
            let message = RuntimeMessage::ContextsStored(stored);
            let _ = self.messages.send(message).await;
        }
    }
}
