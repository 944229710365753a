//! Ids of requests, in every answer and every line of the log.

use axum::http::{HeaderMap, HeaderName};

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the id that the client gave, if it is short and plain, or a new one.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    given.filter(is_plain).map_or_else(create, str::to_owned)
}

fn create() -> String {
    let mut random = [0; 16];
    // Without random bytes an id is only less unique.
    let _ = getrandom::fill(&mut random);
    format!("{:032x}", u128::from_ne_bytes(random))
}
