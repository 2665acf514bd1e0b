//! Builds OTLP attributes, and the resource and scope that all spans and metrics of paddock carry.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Value of `gen_ai.provider.name` for llama.cpp.
pub(super) const PROVIDER: &str = "llama.cpp";

/// Returns an attribute with a text value.
pub(super) fn text_attribute(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// Returns an attribute with an integer value.
pub(super) fn integer_attribute(key: &str, value: u64) -> KeyValue {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Returns the OTLP resource that describes this run of paddock; `run` is the id of the run.
pub(super) fn resource(run: &str) -> Resource {
    Resource {
        attributes: vec![
            text_attribute("service.name", "paddock"),
            text_attribute("service.version", VERSION),
            text_attribute("service.instance.id", run),
        ],
        ..Resource::default()
    }
}

/// Returns the OTLP instrumentation scope, the same for all spans and metrics.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "paddock".to_owned(),
        version: VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}
