//! Ids of requests, in every answer and every line of the log.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::http::{HeaderMap, HeaderName};

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the id that the client gave, if it is short and plain, or a new one.
pub(crate) fn of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    given.filter(is_plain).map_or_else(create, Into::into)
}

/// The random keys of the ids of this process, which tell nothing of each other.
static KEYS: LazyLock<[RandomState; 2]> =
    LazyLock::new(|| [RandomState::new(), RandomState::new()]);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn create() -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let mut id = [0; 32];
    for (half, key) in id.chunks_exact_mut(16).zip(&*KEYS) {
        let hash = key.hash_one(number);
        for (at, digit) in half.iter_mut().enumerate() {
            *digit = DIGITS[(hash >> (60 - 4 * at)) as usize & 15];
        }
    }
    std::str::from_utf8(&id).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_different_and_short() {
        let ids: HashSet<Arc<str>> = (0..1000).map(|_| of(&HeaderMap::new())).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
