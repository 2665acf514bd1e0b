//! Parses and formats the time at which an API key expires, written as in RFC 3339.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toml::value::{Date, Datetime, Offset, Time};

use super::units;

/// Accepted forms, for error messages.
pub(super) const EXPECTED: &str = "a date such as 2027-06-30 (00:00 UTC), or a date and time with its offset such \
    as 2027-06-30T18:00:00Z";

const SECONDS_PER_DAY: i64 = 86_400;

/// Wall-clock time, to the second, from which an API key is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// Seconds since the Unix epoch, in the years 1970 to 9999.
    unix: u64,
}

impl Expiry {
    /// Parses the value of `paddock key new --expires`: a duration from `now` such as `90d`, or a date or time.
    ///
    /// # Errors
    /// The text is neither, or the time has passed.
    pub fn from_flag(text: &str, now: SystemTime) -> Result<Self, String> {
        let expiry = match units::parse_duration(text) {
            Ok(duration) => {
                Self::from_time(now + duration).ok_or_else(|| expected_message(text))?
            }
            // A duration that is too long has its own message.
            Err(message) if message.contains("a year") => {
                return Err(format!("{message}; give a date instead"));
            }
            Err(_) => text.parse().map_err(|_| {
                format!(
                    "expected a duration such as 90d, or {EXPECTED}, found `{}`",
                    text.escape_debug()
                )
            })?,
        };
        match expiry.has_passed(now) {
            true => Err(format!("{expiry} has passed: the key would never be valid")),
            false => Ok(expiry),
        }
    }

    /// Returns whether `now` is the expiry or later.
    pub fn has_passed(self, now: SystemTime) -> bool {
        UNIX_EPOCH + Duration::from_secs(self.unix) <= now
    }

    /// Truncates a time to seconds.
    fn from_time(moment: SystemTime) -> Option<Self> {
        let unix = moment.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(Self { unix })
    }
}

/// Parses the value in the file: a date or time, or `""` for none.
pub(super) fn parse(text: &str) -> Result<Option<Expiry>, String> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

fn expected_message(text: &str) -> String {
    format!("expected {EXPECTED}, found `{}`", text.escape_debug())
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed: Option<Datetime> = text.parse().ok();
        parsed
            .and_then(from_datetime)
            .ok_or_else(|| expected_message(text))
    }
}

/// Converts a date, or a date and time with its offset; returns `None` for other forms.
fn from_datetime(parsed: Datetime) -> Option<Expiry> {
    let (time, offset) = match (parsed.time, parsed.offset) {
        (None, None) => (0, 0),
        (Some(time), Some(Offset::Z)) => (seconds_of_day(time), 0),
        (Some(time), Some(Offset::Custom { minutes })) => {
            (seconds_of_day(time), i64::from(minutes) * 60)
        }
        _ => return None,
    };
    let days = days_from_civil(parsed.date?);
    let unix = u64::try_from(days * SECONDS_PER_DAY + time - offset).ok()?;
    Some(Expiry { unix })
}

fn seconds_of_day(time: Time) -> i64 {
    let seconds = i64::from(time.second.unwrap_or(0));
    i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + seconds
}

/// Returns the days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that a leap day is the
/// last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days_from_civil(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the year, month and day that are `days` after 1970-01-01: the inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + next, month, day)
}

impl fmt::Display for Expiry {
    /// Formats the time in UTC, as in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix = i64::try_from(self.unix).unwrap_or(i64::MAX);
        let (year, month, day) = civil_from_days(unix / SECONDS_PER_DAY);
        let (hour, minute, second) = (unix % SECONDS_PER_DAY / 3600, unix % 3600 / 60, unix % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(unix)
    }

    #[test]
    fn moments_are_read_and_shown_in_utc() {
        for (text, unix, shown) in [
            ("1970-01-01", 0, "1970-01-01T00:00:00Z"),
            ("2000-02-29", 951_782_400, "2000-02-29T00:00:00Z"),
            (
                "2027-06-30T18:00:00Z",
                1_814_378_400,
                "2027-06-30T18:00:00Z",
            ),
            (
                "2027-06-30t18:00:00.9z",
                1_814_378_400,
                "2027-06-30T18:00:00Z",
            ),
            (
                "2027-06-30 20:30:00+02:30",
                1_814_378_400,
                "2027-06-30T18:00:00Z",
            ),
            (
                "2026-12-31T20:00:00-08:00",
                1_798_776_000,
                "2027-01-01T04:00:00Z",
            ),
            (
                "9999-12-31T23:59:59Z",
                253_402_300_799,
                "9999-12-31T23:59:59Z",
            ),
        ] {
            let expiry: Expiry = text.parse().unwrap();
            assert_eq!(
                (expiry.unix, expiry.to_string().as_str()),
                (unix, shown),
                "{text}"
            );
            assert_eq!(shown.parse(), Ok(expiry));
        }
        assert_eq!(parse(""), Ok(None));
        for wrong in [
            "",
            "soon",
            "90d",
            "2027-02-29",
            "2027-13-01",
            "2027-06-30T18:00:00",
            "18:00:00",
            "2027-06-30T25:00:00Z",
            "1969-12-31T23:59:59Z",
            "27-06-30",
        ] {
            let error = wrong.parse::<Expiry>().unwrap_err();
            assert_eq!(error, expected_message(wrong));
        }
    }

    #[test]
    fn every_day_is_found_again() {
        for days in 0..100_000 {
            let (year, month, day) = civil_from_days(days);
            let date = Date {
                year: year.try_into().unwrap(),
                month: month.try_into().unwrap(),
                day: day.try_into().unwrap(),
            };
            assert_eq!(days_from_civil(date), days);
        }
    }

    #[test]
    fn a_moment_has_passed_from_itself_on() {
        let expiry: Expiry = "2027-06-30T18:00:00Z".parse().unwrap();
        assert!(!expiry.has_passed(at(1_814_378_399)));
        assert!(expiry.has_passed(at(1_814_378_400)));
    }

    #[test]
    fn a_flag_is_a_duration_or_a_moment_to_come() {
        let now = at(1_814_378_400);
        let read = |text: &str| Expiry::from_flag(text, now).map(|expiry| expiry.to_string());
        assert_eq!(read("90d"), Ok("2027-09-28T18:00:00Z".to_owned()));
        assert_eq!(read("1h30m"), Ok("2027-06-30T19:30:00Z".to_owned()));
        assert_eq!(read("2027-07-01"), Ok("2027-07-01T00:00:00Z".to_owned()));
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(
            error("400d"),
            "`400d` is more than a year; give a date instead"
        );
        assert!(error("2027-06-30").contains("has passed"));
        assert!(error("0s").contains("has passed"));
        assert!(error("soon").starts_with("expected a duration such as 90d, or a date"));
    }
}
