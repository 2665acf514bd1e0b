//! Sizes such as `100MiB` and durations such as `1m30s`.

use std::time::Duration;

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Maximum duration, one year: longer than any wait, and short enough to be added to a time without overflow.
const MAX_DURATION_MILLIS: u64 = 365 * 86_400_000;

/// Parses a size in bytes: a whole number and a unit.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit, rest) = take_piece(text).ok_or_else(|| expected_size(text))?;
    let factor = unit_factor(&SIZE_UNITS, unit).filter(|_| rest.is_empty());
    let factor = factor.ok_or_else(|| expected_size(text))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{text}` is too large"))
}

/// Parses a duration: the sum of whole numbers with units.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total = 0u64;
    loop {
        let (number, unit, after) = take_piece(rest).ok_or_else(|| expected_duration(text))?;
        let factor = unit_factor(&DURATION_UNITS, unit).ok_or_else(|| expected_duration(text))?;
        total = total.saturating_add(number.saturating_mul(factor));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    if total > MAX_DURATION_MILLIS {
        return Err(format!("`{text}` is more than a year"));
    }
    Ok(Duration::from_millis(total))
}

/// Splits a number and the letters after it off the front.
fn take_piece(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start_matches(' ');
    let letters = rest
        .find(|char: char| !char.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, rest))
}

fn unit_factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    let row = units.iter().find(|(name, _)| *name == unit)?;
    Some(row.1)
}

fn expected_size(text: &str) -> String {
    let units = [("k", "KiB"), ("m", "MiB"), ("g", "GiB"), ("t", "TiB")];
    let meant = suggest_unit(text, &units);
    format!("expected a size such as \"100MiB\", found `{text}`{meant}")
}

fn expected_duration(text: &str) -> String {
    let units = [
        ("ms", "ms"),
        ("mil", "ms"),
        ("s", "s"),
        ("m", "m"),
        ("h", "h"),
        ("d", "d"),
    ];
    let meant = suggest_unit(text, &units);
    format!("expected a duration such as \"30s\" or \"5m\", found `{text}`{meant}")
}

/// Suggests the complete unit for a number with a similar one, as in `24G` or `2 minutes`.
fn suggest_unit(text: &str, units: &[(&str, &str)]) -> String {
    let Some((number, unit, "")) = take_piece(text) else {
        return String::new();
    };
    let unit = unit.to_ascii_lowercase();
    let unit = units.iter().find(|(begin, _)| unit.starts_with(begin));
    unit.map_or_else(String::new, |(_, unit)| {
        format!(", did you mean `{number}{unit}`?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("100MiB"), Ok(100 << 20));
        assert_eq!(parse_size("5 GB"), Ok(5_000_000_000));
        assert_eq!(parse_size("7B"), Ok(7));
        for wrong in [
            "", "100", "MiB", "1M", "-1MiB", "1.5GiB", "1MiBx", "1mib", "1KiB1B", "é",
        ] {
            assert_eq!(parse_size(wrong), Err(expected_size(wrong)));
        }
        assert!(parse_size("99999999TiB").is_err());
        assert!(parse_size("99999999999999999999999B").is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("365d"), Ok(Duration::from_hours(8760)));
        for wrong in [
            "",
            "30",
            "s",
            "5 minutes",
            "-1s",
            "1.5s",
            "forever",
            "1s1",
            "1é",
        ] {
            assert_eq!(parse_duration(wrong), Err(expected_duration(wrong)));
        }
        assert_eq!(
            parse_duration("366d"),
            Err("`366d` is more than a year".to_owned())
        );
    }
}
