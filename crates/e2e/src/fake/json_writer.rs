//! Writes parts of JSON that callers assemble as text, so that keys have the real server's order.

use serde_json::Value;

/// Returns a JSON string.
pub(super) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns a JSON array.
pub(super) fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}
