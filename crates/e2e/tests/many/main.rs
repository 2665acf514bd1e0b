//! Several models in one budget: which one a request means, who is loaded, who goes, who waits.

#[cfg(test)]
mod activity;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod context_reports;
#[cfg(test)]
mod context_store;
#[cfg(test)]
mod counted;
#[cfg(test)]
mod demand;
#[cfg(test)]
mod engine_metrics;
#[cfg(test)]
mod engine_queue;
#[cfg(test)]
mod event_sink;
#[cfg(test)]
mod events;
#[cfg(test)]
mod first_difference;
#[cfg(test)]
mod impostor;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod names;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod prompt_cache;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod removed;
#[cfg(test)]
mod rewritten;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod support;
#[cfg(test)]
mod swaps;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod trials;
