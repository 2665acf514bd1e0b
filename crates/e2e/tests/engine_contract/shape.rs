//! Compares JSON by its shape: which fields there are, and of which type.

use serde_json::Value;

/// Fields whose text is part of the shape.
const FIXED: [&str; 7] = [
    "object",
    "type",
    "role",
    "finish_reason",
    "stop_reason",
    "stop_type",
    "status",
];

/// Returns what `claimed` has and `real` has not: paths of fields that are missing or of another type.
pub(crate) fn differences(claimed: &Value, real: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", claimed, real, &mut found);
    found
}

fn compare(path: &str, claimed: &Value, real: &Value, found: &mut Vec<String>) {
    match (claimed, real) {
        (Value::Object(claimed), Value::Object(real)) => {
            for (name, value) in claimed {
                let path = format!("{path}/{name}");
                match real.get(name) {
                    Some(other) => compare(&path, value, other, found),
                    None => found.push(format!("{path} is missing")),
                }
            }
        }
        (Value::Array(claimed), Value::Array(real)) => {
            if claimed.is_empty() != real.is_empty() {
                found.push(format!("{path} is empty in one of them"));
            }
            for (claimed, real) in claimed.iter().zip(real) {
                compare(&format!("{path}[]"), claimed, real, found);
            }
        }
        (Value::String(claimed), Value::String(real)) => {
            let name = path.rsplit('/').next().unwrap_or_default();
            if FIXED.contains(&name) && claimed != real {
                found.push(format!("{path} is {real:?}, not {claimed:?}"));
            }
        }
        (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => {}
        _ => found.push(format!("{path} is {real}, not {claimed}")),
    }
}
