//! Text for people: sizes, times, JSON with long parts folded, signatures on one line, tables. What the command line and the web page
//! have in common.

#![forbid(unsafe_code)]

mod fold;
mod signature;
pub mod table;

use std::borrow::Cow;
use std::time::SystemTime;

use larder_store::Timestamp;

pub use fold::fold;
pub use signature::describe;

/// The maximum number of indented levels, which bounds the output for deeply nested JSON.
const MOST_INDENT: usize = 40;

/// Returns true for a character that is unsafe to print: control characters, and characters that are invisible or change
/// the writing direction.
fn is_hazard(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Escapes unsafe characters as `\u{1b}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hazard) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hazard(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

/// Escapes unsafe characters in JSON as `\u009b`.
///
/// In JSON, control characters below 0x20 are already escaped, or white space.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    let hazard = |c| c >= '\u{7f}' && is_hazard(c);
    if !json.contains(hazard) {
        return Cow::Borrowed(json);
    }
    let mut clean = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        // All of them have four digits.
        if hazard(c) { clean += &format!("\\u{:04x}", u32::from(c)) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

/// Indents JSON by two spaces, without changing numbers or order.
pub fn pretty_json(json: &str) -> String {
    let json = clean_json(json);
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut quoted, mut escaped) = (false, false);
    let break_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(MOST_INDENT)));
    };
    for c in json.chars() {
        match c {
            _ if quoted => {
                out.push(c);
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
            }
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                out.push(c);
                quoted = true;
            }
            '{' | '[' => {
                out.push(c);
                depth += 1;
                break_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                out.truncate(out.trim_end().len());
                if !out.ends_with(['{', '[']) {
                    break_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    out
}

/// Formats a size: `812 B`, `1.2 KiB`, `3.0 GiB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = "B";
    // 1024.0 would be one of the next unit.
    while value >= 1023.95
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `1 blob`, `2 blobs`.
pub fn count(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix("ry")) {
        (1, _) => format!("1 {thing}"),
        (_, Some(start)) => format!("{number} {start}ries"),
        (_, None) => format!("{number} {thing}s"),
    }
}

/// Formats a time, to the second.
pub fn time(time: Timestamp) -> String {
    humantime::format_rfc3339_seconds(time.as_system_time()).to_string()
}

/// Formats an age, in its largest unit: `3 hours ago`.
pub fn age(time: Timestamp, now: SystemTime) -> String {
    let Ok(age) = now.duration_since(time.as_system_time()) else {
        return "in the future".into(); // another machine's clock
    };
    const UNITS: [(u64, &str); 6] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = age.as_secs();
    match UNITS.iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, name)) => format!("{} ago", count(seconds / unit, name)),
        None => "just now".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_four_digits() {
        let sizes = [0, 1023, 1024, 1536, 1_048_524, 1_048_525, 5 << 30, u64::MAX];
        let texts = sizes.map(size);
        assert_eq!(
            texts,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "1.0 MiB", "5.0 GiB", "16.0 EiB"]
        );
    }

    #[test]
    fn ages_have_their_largest_unit() {
        let then = Timestamp::new(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1));
        let ages = [0, 1, 59, 60, 7_199, 86_400, 40 * 86_400, 800 * 86_400].map(|seconds| {
            age(then, then.as_system_time() + std::time::Duration::from_secs(seconds))
        });
        assert_eq!(
            ages,
            [
                "just now",
                "1 second ago",
                "59 seconds ago",
                "1 minute ago",
                "1 hour ago",
                "1 day ago",
                "1 month ago",
                "2 years ago"
            ]
        );
        assert_eq!(age(then, SystemTime::UNIX_EPOCH), "in the future");
    }

    #[test]
    fn unsafe_characters_are_escaped() {
        assert_eq!(clean("a\u{1b}[31m\u{9b}2J\r\n"), "a\\u{1b}[31m\\u{9b}2J\\r\\n");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
        assert!(matches!(clean("Größe → ✓"), Cow::Borrowed(_)));
    }

    #[test]
    fn pretty_json_is_the_same_json() {
        let json = "{\"a\":[1.0,{}, [ ],\"x\u{9b}\\\\\\\",{\"],\"b\" : {\"c\":1e400}}";
        let pretty = pretty_json(json);
        assert_eq!(
            pretty,
            "{\n  \"a\": [\n    1.0,\n    {},\n    [],\n    \"x\\u009b\\\\\\\",{\"\n  ],\n  \"b\": {\n    \"c\": 1e400\n  }\n}"
        );
        assert_eq!(pretty_json(&pretty), pretty);
    }

    #[test]
    fn deep_json_is_printed_in_bounded_space() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let pretty = pretty_json(&deep);
        assert!(pretty.len() < 2_000_000, "{} bytes", pretty.len());
        assert_eq!(pretty.split_whitespace().collect::<String>(), deep);
    }
}
