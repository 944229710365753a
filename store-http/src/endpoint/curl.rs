//! A request as a command.

use super::{Called, JSON, Place};

/// Returns a command that posts `body`.
pub(super) fn command(called: &Called, body: &str) -> String {
    let mut command = "curl".to_owned();
    match &called.place {
        Place::Socket(socket) => command += &format!(" --unix-socket {}", quoted(socket)),
        Place::Host { ca: Some(ca) } => command += &format!(" --cacert {}", quoted(ca)),
        Place::Host { ca: None } => {}
    }
    command += &format!(" {}", quoted(&called.url));
    if called.token.is_some() {
        command += " -H \"Authorization: Bearer $LARDER_TOKEN\"";
    }
    command + &format!(" -H 'Content-Type: {JSON}' --data-raw {}", quoted(body))
}

/// Quotes a word for a shell, if it needs to be.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/@:._-".contains(&b);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
