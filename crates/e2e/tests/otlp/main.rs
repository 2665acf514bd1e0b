//! Traces and metrics, as a collector gets them by OTLP.

#![cfg(test)]

mod collector;
mod metrics;
mod traces;
mod trouble;
