//! Laws of single records.

use larder_core::store::Store;
use larder_core::store::{Committed, Expected, Record, Revision};

use super::{commit, fresh_name, get, json, key, list, ok, put, remove};

/// A record comes back byte for byte, and so does its next content.
pub fn a_record_comes_back_as_it_was(store: &dyn Store) {
    let key = key(&fresh_name("record"));
    assert_eq!(get(store, &key), None, "a record that nobody wrote");
    for value in ["{}", "null", " { \"b\" : 1.0,\n\"a\":\"ü 字 \\u0000\" } "] {
        commit(store, &[put(&key, &value.into(), Expected::Anything)]);
        let found = get(store, &key).map(|record| record.value);
        assert_eq!(found, Some(value.into()), "the bytes of a record");
    }
    commit(store, &[remove(&key, Expected::Anything)]);
    assert_eq!(get(store, &key), None, "a record that was removed");
}

/// Answers are in the order of the keys. A missing record is `None`, and a key given twice is answered twice.
pub fn records_are_answered_in_the_order_asked(store: &dyn Store) {
    let name = fresh_name("order-asked");
    let (a, b, missing) =
        (key(&format!("{name}/a")), key(&format!("{name}/b")), key(&format!("{name}/c")));
    commit(store, &[put(&a, &json("a"), Expected::Absent), put(&b, &json("b"), Expected::Absent)]);
    let found = ok(
        store.get_records(&[b.clone(), missing.clone(), a.clone(), b, missing, a]),
        "get records",
    );
    let values: Vec<_> = found.into_iter().map(|record| record.map(|found| found.value)).collect();
    let (a, b) = (Some(json("a")), Some(json("b")));
    assert_eq!(values, [b.clone(), None, a.clone(), b, None, a], "records in the order asked");
    assert!(ok(store.get_records(&[]), "get no records").is_empty());
}

/// Returns every kind of precondition, and whether it holds for the record `now`.
fn preconditions(now: Option<&Record>, old: &Revision) -> Vec<(Expected, bool)> {
    let mut preconditions = vec![
        (Expected::Anything, true),
        (Expected::Absent, now.is_none()),
        (Expected::Revision(old.clone()), false),
    ];
    if let Some(now) = now {
        preconditions.push((Expected::Revision(now.revision.clone()), true));
    }
    preconditions
}

/// Returns the number of preconditions that [`preconditions`] returns.
fn count(present: bool) -> usize {
    if present { 4 } else { 3 }
}

/// Runs `check` with a fresh key for every precondition, on an existing and on a missing record.
fn for_each_precondition(
    store: &dyn Store,
    check: impl Fn(&larder_core::store::RecordKey, Option<Record>, Expected, bool),
) {
    for present in [false, true] {
        for at in 0..count(present) {
            let key = key(&fresh_name("precondition"));
            commit(store, &[put(&key, &json("old"), Expected::Absent)]);
            let Some(old) = get(store, &key) else { panic!("{key} was just written") };
            let last = match present {
                true => put(&key, &json("now"), Expected::Anything),
                false => remove(&key, Expected::Anything),
            };
            commit(store, &[last]);
            let now = get(store, &key);
            assert_eq!(now.is_some(), present, "{key} before the commit");
            let (expected, holds) = preconditions(now.as_ref(), &old.revision).swap_remove(at);
            check(&key, now, expected, holds);
        }
    }
}

/// A put is made if its precondition holds, and changes nothing otherwise.
pub fn a_put_keeps_its_precondition(store: &dyn Store) {
    for_each_precondition(store, |key, now, expected, holds| {
        let case = format!("a put that expects {expected:?} where {now:?} is");
        let committed = ok(store.commit(&[put(key, &json("new"), expected)]), "commit");
        let found = get(store, key);
        if holds {
            assert_eq!(committed, Committed::All, "{case}");
            assert_eq!(found.map(|record| record.value), Some(json("new")), "{case}");
        } else {
            assert_eq!(committed, Committed::Conflict { at: 0, made: 0 }, "{case}");
            assert_eq!(found, now, "{case}");
        }
    });
}

/// A removal is made if its precondition holds, and changes nothing otherwise.
pub fn a_removal_keeps_its_precondition(store: &dyn Store) {
    for_each_precondition(store, |key, now, expected, holds| {
        let case = format!("a removal that expects {expected:?} where {now:?} is");
        let committed = ok(store.commit(&[remove(key, expected)]), "commit");
        let found = get(store, key);
        if holds {
            assert_eq!(committed, Committed::All, "{case}");
            assert_eq!(found, None, "{case}");
        } else {
            assert_eq!(committed, Committed::Conflict { at: 0, made: 0 }, "{case}");
            assert_eq!(found, now, "{case}");
        }
    });
}

/// The revision of a record differs whenever its content differs, and is stable between writes.
pub fn other_content_has_another_revision(store: &dyn Store) {
    let name = fresh_name("revision");
    let (key, other) = (key(&format!("{name}/a")), key(&format!("{name}/b")));
    let mut seen: Vec<Record> = Vec::new();
    for content in 0..20 {
        commit(store, &[put(&key, &json(content), Expected::Anything)]);
        commit(store, &[put(&other, &json(content), Expected::Anything)]);
        let Some(now) = get(store, &key) else { panic!("{key} was just written") };
        assert_eq!(get(store, &key).as_ref(), Some(&now), "it was not written meanwhile");
        let same = seen.iter().find(|earlier| earlier.revision == now.revision);
        assert_eq!(same, None, "an earlier content has the revision of {now:?}");
        let listed = ok(store.list_records(key.as_str(), None, 1), "list records");
        assert_eq!(listed, [(key.clone(), now.clone())], "a listing gives the same record");
        seen.push(now);
    }
}

/// A record may have 64 KiB.
pub fn a_record_may_be_large(store: &dyn Store) {
    let key = key(&fresh_name("large"));
    let value = json("x".repeat(64 * 1024));
    commit(store, &[put(&key, &value, Expected::Absent)]);
    let Some(found) = get(store, &key) else { panic!("{key} was just written") };
    assert!(found.value == value, "a record of 64 KiB came back as another");
    let value = json("y".repeat(64 * 1024));
    commit(store, &[put(&key, &value, Expected::Revision(found.revision))]);
    assert!(get(store, &key).is_some_and(|found| found.value == value));
}

/// A key may be a prefix of other keys: `x/y`, `x/y/z` and `x/y.json` are three independent records.
pub fn a_key_may_begin_other_keys(store: &dyn Store) {
    let endings = ["", "/z", "/z/z", ".json", ".json/z", ".lock", ".tmp/z", "-z", "/@1", "/@1/z"];
    for reversed in [false, true] {
        let name = fresh_name("nested");
        let mut keys: Vec<_> =
            endings.iter().map(|ending| key(&format!("{name}/x/y{ending}"))).collect();
        if reversed {
            keys.reverse();
        }
        for key in &keys {
            commit(store, &[put(key, &json(key), Expected::Absent)]);
        }
        for key in &keys {
            let found = get(store, key).map(|record| record.value);
            assert_eq!(found, Some(json(key)), "the record {key}");
        }
        for gone in 0..keys.len() {
            commit(store, &[remove(&keys[gone], Expected::Anything)]);
            for (at, key) in keys.iter().enumerate() {
                let case = format!("{key} after the removal of {}", keys[gone]);
                assert_eq!(get(store, key).is_some(), at > gone, "{case}");
            }
            assert_eq!(list(store, &name, 100).len(), keys.len() - gone - 1);
        }
    }
}

/// A key may have 400 bytes, and a part of it 200.
pub fn a_key_may_be_long(store: &dyn Store) {
    let name = fresh_name("long");
    let mut text = format!("{name}/{}/", "p".repeat(200));
    text.push_str(&"q".repeat(400 - text.len()));
    let long = key(&text);
    commit(store, &[put(&long, &json("long"), Expected::Absent)]);
    assert_eq!(get(store, &long).map(|record| record.value), Some(json("long")));
    assert_eq!(list(store, &name, 10), [text], "a long key is listed as it is");
    commit(store, &[remove(&long, Expected::Anything)]);
    assert_eq!(get(store, &long), None);
}
