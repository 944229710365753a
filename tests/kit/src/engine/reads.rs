//! Laws of reading: changes, filters and folds.

use super::*;

/// A delta from A to B has what was inserted, updated and deleted between them.
pub fn a_delta_says_what_changed_and_compaction_changes_nothing(open: &OpenEngine<'_>) {
    let engine = open(&fresh("delta"));
    let first = create(&*engine, 0..6);
    let second = sound(engine.write(&first, insert([10, 11], "new")));
    let third = sound(engine.write(&second, update(1, 1, "changed")));
    let fourth = sound(engine.write(&third, delete(6)));
    let fifth = sound(engine.write(&fourth, delete(0)));
    let delta = sound(fifth.delta(&*first));
    assert_eq!((delta.inserted, delta.updated, delta.deleted), (vec![7], vec![1], vec![0]));
    let compact = compacted(&*engine);
    assert_eq!(all(&*compact), all(&*fifth));
    assert!(sound(compact.delta(&*fifth)).is_empty(), "compaction changes no row");
    assert_eq!(sound(compact.delta(&*third)).deleted, [0, 6]);
    assert!(first.delta(&*fifth).is_err(), "from the newer to the older");
}

/// Rows without a key that are equal to others are rows of their own, also when those are deleted.
pub fn equal_rows_are_told_apart(open: &OpenEngine<'_>) {
    for keys in [vec![1], vec![1, 2, 3]] {
        let engine = open(&fresh("equal"));
        let count = keys.len() as u64;
        let insert = || insert(keys.clone(), "equal");
        let first = sound(engine.create(NewCollection::new(schema()), insert()));
        let second = sound(engine.write(&first, insert()));
        let delta = sound(second.delta(&*first));
        assert_eq!(delta.inserted, (count..2 * count).collect::<Vec<_>>());
        let all: Vec<u64> = (0..2 * count).collect();
        let third = sound(engine.write(&second, Write { deletes: all.clone(), ..insert() }));
        let delta = sound(third.delta(&*second));
        assert_eq!(delta.inserted, (2 * count..3 * count).collect::<Vec<_>>());
        assert_eq!((delta.updated, delta.deleted), (vec![], all));
        assert_eq!(third.rows(), count);
    }
}

/// A filter, a projection and a range of ids give what they would give of all rows.
pub fn filters_and_projections_are_those_of_all_rows(open: &OpenEngine<'_>) {
    let engine = open(&fresh("filters"));
    let first = create(&*engine, 0..100);
    let second = sound(engine.write(&first, update(50, 50, "changed")));
    let version = sound(engine.write(&second, delete(51)));
    let filter = |text: &str| sound(text.parse());
    let scan = Scan::new().filter(filter("id >= 49 and id < 53"));
    let found: Vec<u64> = rows(&*version, &scan).into_keys().collect();
    assert_eq!(found, [49, 50, 52]);
    let scan = Scan::new().filter(filter("text = 'changed'")).batch_rows(7);
    assert_eq!(rows(&*version, &scan).len(), 1);
    let found: Vec<u64> = rows(&*version, &Scan::new().ids(48..52)).into_keys().collect();
    assert_eq!(found, [48, 49, 50]);
    let projected = sound(version.scan(&Scan::new().columns(["text"]))).map(sound).next();
    assert!(projected.is_some_and(|batch| batch.rows.num_columns() == 1));
    let unknown = version.scan(&Scan::new().columns(["txet"])).err().map(|error| error.to_string());
    assert!(unknown.is_some_and(|error| error.contains("`text`")), "near names are suggested");
}

/// Each row is in one fold, which updates and compaction do not change.
pub fn folds_divide_the_rows(open: &OpenEngine<'_>) {
    let engine = open(&fresh("folds"));
    let first = create(&*engine, 0..500);
    let fold = |version: &dyn EngineVersion, fold| -> Vec<u64> {
        rows(version, &Scan::new().fold(fold)).into_keys().collect()
    };
    let valid = fold(&*first, Fold::Valid);
    assert!((20..100).contains(&valid.len()), "about a tenth: {}", valid.len());
    assert_eq!(valid.len() + fold(&*first, Fold::Train).len(), 500);
    let key = i64::try_from(valid[0]).unwrap_or_default();
    sound(engine.write(&first, update(valid[0], key, "changed")));
    assert_eq!(fold(&*compacted(&*engine), Fold::Valid), valid);
}
