//! Formats numbers for people.

use std::time::{SystemTime, UNIX_EPOCH};

/// Formats bytes in the largest unit that fits.
pub(crate) fn format_bytes(bytes: u64) -> String {
    format_scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Formats a count, in words.
pub(crate) fn format_count(number: u64) -> String {
    format_scaled(
        number,
        1000,
        &["", "thousand", "million", "billion", "trillion"],
    )
}

/// Formats a duration in its two largest units.
pub(crate) fn format_duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Formats fractional seconds as [`format_duration`] does.
pub(crate) fn format_age(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative values are clamped, and fractions of a second are dropped"
    )]
    let seconds = seconds.max(0.0) as u64;
    format_duration(seconds)
}

/// Returns the current time in seconds since 1970, as in the admin API.
pub(crate) fn seconds_since_1970() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

/// Formats a number in the largest unit that fits, with one decimal.
fn format_scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut scale: u64 = 1;
    let mut units = units.iter();
    let mut unit = units.next();
    for larger in units {
        if number / scale < step {
            break;
        }
        scale *= step;
        unit = Some(larger);
    }
    let unit = unit.copied().unwrap_or_default();
    if scale == 1 {
        return format!("{number} {unit}").trim_end().to_owned();
    }
    let tenths = (u128::from(number) * 10 + u128::from(scale) / 2) / u128::from(scale);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_decimal_and_a_unit() {
        assert_eq!(format_bytes(0), "0 B");
        assert_eq!(format_bytes(1023), "1023 B");
        assert_eq!(format_bytes(1024), "1.0 KiB");
        assert_eq!(format_bytes(1 << 30), "1.0 GiB");
        assert_eq!(format_bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(format_bytes(u64::MAX), "16777216.0 TiB");
        assert_eq!(format_count(268_098_176), "268.1 million");
        assert_eq!(format_count(999), "999");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(format_duration(59), "59s");
        assert_eq!(format_duration(61), "1m 1s");
        assert_eq!(format_duration(7_260), "2h 1m");
        assert_eq!(format_duration(90_000), "1d 1h");
    }
}
