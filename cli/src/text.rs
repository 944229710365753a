//! Text for people and terminals.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use larder::VersionInfo;
pub(crate) use larder_text::{age, clean, clean_json, count, pretty_json, size, time};

/// Removes a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Parses a time.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "write a time such as `90s`, `24h` or `7d`")
}

/// Parses a size.
#[cfg(feature = "archive")]
pub(crate) fn parse_size(text: &str) -> Result<u64, &'static str> {
    larder::store::parse_size(text).ok_or("write a size such as `812`, `64GiB` or `1.5GB`")
}

/// Formats a fraction of 1: `42%`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.0}%", 100.0 * fraction)
}

/// The number of a version, with its status unless it is ready.
pub(crate) fn version(version: &VersionInfo) -> String {
    match version.status.is_ready() {
        true => version.version.to_string(),
        false => format!("{} ({})", version.version, version.status),
    }
}

/// The name that the program was called by, for messages.
pub(crate) fn program_name(called: Option<&OsString>) -> String {
    let name = called.and_then(|path| Path::new(path).file_name());
    name.map_or_else(|| "larder".into(), |name| clean(&name.to_string_lossy()).into_owned())
}
