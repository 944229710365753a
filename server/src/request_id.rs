//! Ids of requests, in every answer and every line of the log.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// The key of the ids of this process, which tell nothing of each other.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut random = [0; 32];
    // Without random bytes an id is only less unique.
    let _ = getrandom::fill(&mut random);
    random
});
static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn create() -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let mut id = blake3::keyed_hash(&KEY, &number.to_le_bytes()).to_hex().to_string();
    id.truncate(32);
    id
}
