use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What engines of this kind are called among the providers.
pub(super) const PROVIDER: &str = "llama.cpp";

/// An attribute whose value is a text.
pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An attribute whose value is a number.
pub(super) fn number(key: &str, value: u64) -> KeyValue {
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

/// Who says all this: this run of paddock.
pub(super) fn resource(run: &str) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", "paddock"),
            text("service.version", VERSION),
            text("service.instance.id", run),
        ],
        ..Resource::default()
    }
}

/// What part of it says it.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "paddock".to_owned(),
        version: VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}
