//! Cron schedules.

use std::fmt;
use std::time::{Duration, SystemTime};

use larder_core::{Error, Result};

/// A cron schedule, in UTC: `"0 3 * * 1-5"` is 03:00 from Monday to Friday.
///
/// Five fields: the minute (0 to 59), the hour (0 to 23), the day of the month (1 to 31), the month (1 to 12) and the
/// day of the week (0 to 7, where 0 and 7 are Sunday). A field is `*`, a number or a range `1-5`, each with an optional
/// step (`*/15`, `10-40/10`), or a comma-separated list of these. If both days are restricted, either matches, as in
/// cron.
///
/// ```
/// use larder_jobs::Schedule;
///
/// assert!(Schedule::new("*/15 * * * *").is_ok());
/// let error = Schedule::new("61 * * * *").unwrap_err();
/// assert!(error.to_string().contains("the minute is a number from 0 to 59"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    times: Times,
}

/// The allowed values of each field, as bit masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// True if the field is `*`.
    any_day: bool,
    any_weekday: bool,
}

const DAY: u64 = 86_400;
/// Maximum days between two times of a schedule: from one 29 February to the next across a year like 2100.
const MAX_DAYS: u64 = 8 * 366;

impl Schedule {
    /// Parses a schedule.
    ///
    /// # Errors
    /// [`Error::InvalidName`], with the invalid field.
    pub fn new(text: &str) -> Result<Self> {
        match parse(text) {
            Ok(times) => Ok(Self { text: text.to_owned(), times }),
            Err(reason) => Err(Error::invalid("schedule", text, reason)),
        }
    }

    /// Returns the last scheduled time after `after` and not later than `now`.
    pub(crate) fn last(&self, after: SystemTime, now: SystemTime) -> Option<SystemTime> {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
        };
        let (after, now) = (seconds(after), seconds(now) / 60 * 60);
        let mut at = now;
        let earliest = after.max(now.saturating_sub(MAX_DAYS * DAY));
        while at > earliest {
            let day = at / DAY;
            if !self.matches_day(day) {
                // The last minute of the previous day.
                at = (day * DAY).checked_sub(60)?;
                continue;
            }
            let minute = at % DAY / 60;
            if self.times.hours >> (minute / 60) & 1 == 1
                && self.times.minutes >> (minute % 60) & 1 == 1
            {
                return Some(SystemTime::UNIX_EPOCH + Duration::from_secs(at));
            }
            at = at.checked_sub(60)?;
        }
        None
    }

    /// Returns `true` if it has times on the `day` since 1 January 1970.
    fn matches_day(&self, day: u64) -> bool {
        let (month, of_month) = civil(day);
        // 1 January 1970 was a Thursday.
        let of_week = (day + 4) % 7;
        let of_month = self.times.days >> of_month & 1 == 1;
        let of_week = self.times.weekdays >> of_week & 1 == 1;
        let matches = match (self.times.any_day, self.times.any_weekday) {
            (false, false) => of_month || of_week,
            _ => of_month && of_week,
        };
        matches && self.times.months >> month & 1 == 1
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the month and the day of the month; Howard Hinnant's `civil_from_days`.
fn civil(day: u64) -> (u64, u64) {
    let shifted = day + 719_468;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

/// Fails to compile if `text` is not a schedule.
#[doc(hidden)]
#[track_caller]
pub const fn check_schedule(text: &str) {
    match parse(text) {
        Ok(_) => {}
        Err(reason) => panic!("{}", reason),
    }
}

/// The minimum, the maximum and the error message of each field.
const FIELDS: [(u64, u64, &str); 5] = [
    (0, 59, "the minute is a number from 0 to 59, `*`, a range or a list of these"),
    (0, 23, "the hour is a number from 0 to 23, `*`, a range or a list of these"),
    (1, 31, "the day of the month is a number from 1 to 31, `*`, a range or a list of these"),
    (1, 12, "the month is a number from 1 to 12, `*`, a range or a list of these"),
    (0, 7, "the day of the week is a number from 0 to 7, `*`, a range or a list of these"),
];
const FIVE: &str =
    "a schedule has five fields: minute, hour, day of the month, month, day of the week";

/// Also runs at compile time, so it uses no iterators.
const fn parse(text: &str) -> Result<Times, &'static str> {
    let text = text.as_bytes();
    let mut at = 0;
    let mut masks = [0_u64; 5];
    let mut any = [false; 5];
    let mut field = 0;
    while field < 5 {
        while at < text.len() && text[at] == b' ' {
            at += 1;
        }
        if at == text.len() {
            return Err(FIVE);
        }
        let (min, max, fault) = FIELDS[field];
        any[field] = text[at] == b'*';
        loop {
            let (from, to);
            if at < text.len() && text[at] == b'*' {
                (from, to) = (min, max);
                at += 1;
            } else {
                let Some((number, next)) = number(text, at) else { return Err(fault) };
                at = next;
                if at < text.len() && text[at] == b'-' {
                    let Some((end, next)) = self::number(text, at + 1) else { return Err(fault) };
                    at = next;
                    (from, to) = (number, end);
                } else if at < text.len() && text[at] == b'/' {
                    (from, to) = (number, max);
                } else {
                    (from, to) = (number, number);
                }
            }
            let mut step = 1;
            if at < text.len() && text[at] == b'/' {
                let Some((number, next)) = number(text, at + 1) else { return Err(fault) };
                at = next;
                step = number;
            }
            if from < min || to > max || from > to || step == 0 {
                return Err(fault);
            }
            let mut value = from;
            while value <= to {
                masks[field] |= 1 << value;
                value += step;
            }
            if at < text.len() && text[at] == b',' {
                at += 1;
            } else {
                break;
            }
        }
        if at < text.len() && text[at] != b' ' {
            return Err(fault);
        }
        field += 1;
    }
    while at < text.len() {
        if text[at] != b' ' {
            return Err(FIVE);
        }
        at += 1;
    }
    let [minutes, hours, days, months, weekdays] = masks;
    // Both 0 and 7 are Sunday.
    let weekdays = weekdays | (weekdays >> 7);
    let times =
        Times { minutes, hours, days, months, weekdays, any_day: any[2], any_weekday: any[4] };
    if !times.is_satisfiable() {
        return Err("none of its months has such a day");
    }
    Ok(times)
}

impl Times {
    /// Returns `true` if one of its months has one of its days.
    const fn is_satisfiable(&self) -> bool {
        if !self.any_weekday {
            return true;
        }
        const DAYS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while month < 12 {
            let days = self.days & ((1 << (DAYS[month] + 1)) - 1);
            if self.months >> (month + 1) & 1 == 1 && days != 0 {
                return true;
            }
            month += 1;
        }
        false
    }
}

/// Parses a number of one or two digits; returns it and its end.
const fn number(text: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let start = at;
    let mut number = 0;
    while at < text.len() && text[at].is_ascii_digit() && at < start + 2 {
        number = number * 10 + (text[at] - b'0') as u64;
        at += 1;
    }
    if at == start { None } else { Some((number, at)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn time(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[track_caller]
    fn last(schedule: &str, after: &str, now: &str) -> Option<String> {
        let last = Schedule::new(schedule).unwrap().last(time(after), time(now));
        last.map(|last| humantime::format_rfc3339_seconds(last).to_string())
    }

    #[test]
    fn returns_the_last_time_before_now() {
        let now = "2026-11-21T15:47:31Z"; // a Saturday
        let long_ago = "2020-01-01T00:00:00Z";
        for (schedule, expected) in [
            ("* * * * *", "2026-11-21T15:47:00Z"),
            ("*/15 * * * *", "2026-11-21T15:45:00Z"),
            ("50 * * * *", "2026-11-21T14:50:00Z"),
            ("0 3 * * *", "2026-11-21T03:00:00Z"),
            ("0 3 * * 1-5", "2026-11-20T03:00:00Z"),
            ("30 23 31 12 *", "2025-12-31T23:30:00Z"),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
            ("0 0 * * 7", "2026-11-15T00:00:00Z"),
            ("0 0 * * 0", "2026-11-15T00:00:00Z"),
            // Either day matches if both are restricted.
            ("0 0 1 * 5", "2026-11-20T00:00:00Z"),
            ("10-40/10,55 15 * * *", "2026-11-21T15:40:00Z"),
        ] {
            assert_eq!(last(schedule, long_ago, now).as_deref(), Some(expected), "{schedule}");
            assert_eq!(last(schedule, expected, now), None, "{schedule}");
        }
    }

    #[test]
    fn rejects_invalid_schedules_with_the_field() {
        for (text, reason) in [
            ("", "five fields"),
            ("* * * *", "five fields"),
            ("* * * * * *", "five fields"),
            ("60 * * * *", "the minute"),
            ("* 24 * * *", "the hour"),
            ("* * 0 * *", "the day of the month"),
            ("* * * 13 *", "the month"),
            ("* * * * 8", "the day of the week"),
            ("*/0 * * * *", "the minute"),
            ("5-1 * * * *", "the minute"),
            ("1,,2 * * * *", "the minute"),
            ("1, * * * *", "the minute"),
            ("a * * * *", "the minute"),
            ("* * 31 2 *", "such a day"),
            ("* * 30,31 2 *", "such a day"),
        ] {
            let error = Schedule::new(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Schedule::new("0 0 31 2 1").is_ok());
    }
}
