//! Laws of many writes: from several threads, and at random.

use super::*;
use crate::random::Random;

/// Of writers at once, each write is there, once.
pub fn many_writers_lose_nothing(open: &OpenEngine<'_>) {
    /// Number of writers.
    const WRITERS: i64 = 4;
    /// Number of writes of each.
    const WRITES: i64 = 10;
    let name = fresh("writers");
    create(&*open(&name), [-1]);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let name = &name;
            scope.spawn(move || {
                let engine = open(name);
                for at in 0..WRITES {
                    let base = head(&*engine);
                    sound(engine.write(&base, insert([writer * 1_000 + at], "row")));
                }
            });
        }
    });
    let rows = all(&*head(&*open(&name)));
    assert_eq!(rows.len() as i64, WRITERS * WRITES + 1);
    let keys: std::collections::BTreeSet<i64> = rows.values().map(|row| row.0).collect();
    assert_eq!(keys.len(), rows.len(), "no row is there twice");
}

/// Any sequence of inserts, updates, deletions and compactions, alone and followed by inserts, leaves the rows that it should, in
/// batches of any size.
pub fn random_writes_match_a_model(open: &OpenEngine<'_>) {
    let engine = open(&fresh("model"));
    let mut random = Random::new(1);
    let mut version = create(&*engine, 0..50);
    let mut model: BTreeMap<u64, (i64, String)> =
        (0..50).map(|id| (id, (id as i64, "first".to_owned()))).collect();
    let mut next = 50u64;
    for step in 0..120u64 {
        let text = format!("step {step}");
        let live: Vec<u64> = model.keys().copied().collect();
        let pick = |random: &mut Random| live[random.below(live.len())];
        let write = match random.below(10) {
            0..=3 => {
                let count = 1 + random.below(30) as u64;
                let keys = next as i64..(next + count) as i64;
                model.extend(keys.clone().map(|key| (key as u64, (key, text.clone()))));
                next += count;
                insert(keys, &text)
            }
            4..=6 if !live.is_empty() => {
                let mut ids: Vec<u64> = (0..=random.below(5)).map(|_| pick(&mut random)).collect();
                ids.sort_unstable();
                ids.dedup();
                for id in &ids {
                    model.insert(*id, (*id as i64, text.clone()));
                }
                let rows = batch(ids.iter().map(|&id| id as i64), &text);
                Write { updates: vec![RowBatch { ids: ids.into(), rows }], ..Write::default() }
            }
            7 | 8 if !live.is_empty() => {
                let ids: Vec<u64> = (0..=random.below(8)).map(|_| pick(&mut random)).collect();
                ids.iter().for_each(|id| drop(model.remove(id)));
                Write { deletes: ids, ..Write::default() }
            }
            _ => {
                version = compacted(&*engine);
                continue;
            }
        };
        let mut begun = sound(engine.begin(&version, write));
        let following = random.below(8).saturating_sub(4);
        for at in 0..following {
            let count = 1 + random.below(30) as u64;
            let (keys, text) = (next as i64..(next + count) as i64, format!("{at} after {step}"));
            sound(begun.add(Box::new(std::iter::once(Ok(batch(keys.clone(), &text))))));
            model.extend(keys.map(|key| (key as u64, (key, text.clone()))));
            next += count;
        }
        let mut done = Vec::new();
        sound(begun.commit_all(&mut done));
        assert_eq!(done.len(), following + 1, "each write is a version");
        version = done.pop().unwrap_or(version);
        let layout = version.layout();
        assert!(layout.small_fragments <= 64, "few small parts after every write: {layout:?}");
        let kept = version.rows() + layout.deleted_rows;
        assert!(layout.deleted_rows * 10 <= kept, "few deleted rows after every write: {layout:?}");
        let scan = Scan::new().batch_rows(1 + random.below(60));
        assert_eq!(rows(&*version, &scan), model, "after step {step}");
    }
    assert_eq!(all(&*version), model);
}
