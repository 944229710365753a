//! Laws of listing records.

use larder_core::store::Expected;
use larder_core::store::Store;

use super::{commit, fresh_name, json, key, list, ok, put, remove};

/// Keys whose order is easy to get wrong: `-` and `.` sort before `/`, digits and `@` after it, `_` is a wildcard of SQL,
/// and some keys are prefixes of others.
const TRAPS: [&str; 22] = [
    "a",
    "a-b",
    "a-b/c",
    "a.b",
    "a.b/c",
    "a/0",
    "a/@1",
    "a/b",
    "a/b-c",
    "a/b.json",
    "a/b.json/c",
    "a/b/c",
    "a/b/c.json",
    "a/b0",
    "a/bb",
    "a0",
    "a0/b",
    "a@/b",
    "a_b/c",
    "ab",
    "ab/c",
    "b",
];

/// Puts the traps under a fresh name, out of order. Returns the name and the sorted keys.
fn set_traps(store: &dyn Store) -> (String, Vec<String>) {
    let name = fresh_name("listing");
    let mut keys: Vec<_> = TRAPS.iter().map(|trap| format!("{name}/{trap}")).collect();
    let changes: Vec<_> =
        keys.iter().rev().map(|text| put(&key(text), &json(text), Expected::Absent)).collect();
    let (first, second) = changes.split_at(changes.len() / 2);
    commit(store, second);
    commit(store, first);
    keys.sort_unstable();
    (name, keys)
}

/// Records are listed with their values, in byte order of whole keys, for any page size and any prefix, which may
/// end inside a part.
pub fn records_are_listed_in_byte_order(store: &dyn Store) {
    let (name, keys) = set_traps(store);
    let prefixes = [
        "",
        "/",
        "/a",
        "/a-",
        "/a.",
        "/a/",
        "/a/b",
        "/a/b.",
        "/a/b.json",
        "/a/b/",
        "/a_",
        "/a@",
        "/ab",
        "/a/b.json/",
        "/c",
        "/a/b/c.json/",
        "/%",
        "/a%",
        "/*",
        "/A",
        "/a//",
    ];
    for prefix in prefixes {
        let prefix = format!("{name}{prefix}");
        let expected: Vec<_> =
            keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        for page in [1, 2, 5, 1_000, usize::MAX] {
            let found = list(store, &prefix, page);
            assert_eq!(found, expected, "the keys that begin with {prefix}, in pages of {page}");
        }
    }
    for (key, record) in ok(store.list_records(&name, None, 100), "list records") {
        assert_eq!(record.value, json(&key), "the value that is listed with {key}");
    }
    assert!(ok(store.list_records(&name, None, 0), "list no records").is_empty());
    let whole = list(store, "", 1_000);
    assert!(keys.iter().all(|key| whole.contains(key)), "the empty prefix lists every record");
}

/// A listing continues after any key: an existing one, a removed one, one before the prefix.
pub fn a_listing_goes_on_after_any_key(store: &dyn Store) {
    let (name, mut keys) = set_traps(store);
    let gone = keys.remove(7);
    commit(store, &[remove(&key(&gone), Expected::Anything)]);
    let mut starts = keys.clone();
    starts.extend([gone, name.clone(), format!("{name}/0"), format!("{name}/zz"), "a".into()]);
    starts.push(format!("{name}/a/b/c/d"));
    for after in starts {
        for prefix in [format!("{name}/"), format!("{name}/a/b")] {
            let expected: Vec<_> =
                keys.iter().filter(|key| key.starts_with(&prefix) && **key > after).collect();
            let mut found = Vec::new();
            let mut last = key(&after);
            loop {
                let page = ok(store.list_records(&prefix, Some(&last), 3), "list records");
                let Some((end, _)) = page.last() else { break };
                last = end.clone();
                found.extend(page.into_iter().map(|(key, _)| key.to_string()));
            }
            let found: Vec<_> = found.iter().collect();
            assert_eq!(found, expected, "the keys that begin with {prefix}, after {after}");
        }
    }
}

/// A listing continues to the last record. No answer before it is empty, and it is not limited to 1,000 records.
pub fn a_listing_has_no_end_before_the_last_record(store: &dyn Store) {
    let name = fresh_name("many");
    let keys: Vec<_> = (0..1_100).map(|n| format!("{name}/@{n:06}")).collect();
    for some in keys.chunks(550) {
        let changes: Vec<_> =
            some.iter().map(|text| put(&key(text), &json("many"), Expected::Absent)).collect();
        commit(store, &changes);
    }
    for page in [500, 1_000, 100_000] {
        assert!(list(store, &name, page) == keys, "1,100 records, in pages of {page}");
    }
}
