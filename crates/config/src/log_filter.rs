//! Checks log filters: a level such as `info`, or levels by module such as `warn,paddock_server=debug`.

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Checks a log filter: comma-separated levels and `TARGET=LEVEL` pairs.
pub(super) fn check(text: &str) -> Result<String, String> {
    for piece in text.split(',') {
        let (target, level) = piece.rsplit_once('=').unwrap_or(("all", piece));
        let letter = |char: char| char.is_ascii_alphanumeric() || "_:-".contains(char);
        let named = !target.is_empty() && target.chars().all(letter);
        let lower = level.to_ascii_lowercase();
        if !named || !LEVELS.contains(&lower.as_str()) {
            return Err(format!(
                "expected a level ({}) or comma-separated TARGET=LEVEL pairs, found `{text}`",
                LEVELS.join(", ")
            ));
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn levels_and_targets_are_accepted() {
        for good in [
            "info",
            "OFF",
            "warn,paddock_server=debug",
            "a::b=trace,error",
        ] {
            assert_eq!(check(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn what_would_silently_log_nothing_is_refused() {
        for wrong in [
            "",
            "inof",
            "info,",
            "paddock_server",
            "=info",
            "a=",
            "a b=info",
            "[span]=info",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
