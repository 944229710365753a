//! Values of serde types, encoded and decoded by the default serializer, against `rmp_serde` alone; and the cost of
//! reading back what was written.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin values
//! ```

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::io;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::MsgPack;
use larder::{ApplyOptions, Serializer};
use larder_benches::{Outcome, compare, head, noise, say, timed};
use serde::de::DeserializeOwned;

/// A row of a table.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    score: f64,
    tags: Vec<u32>,
    valid: Option<bool>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/values")]
struct Values {
    round: usize,
    names: BTreeMap<String, f64>,
    rows: Artifact<Vec<Row>>,
}

const MB: usize = 1_000_000;

fn main() -> Outcome {
    head();
    against_rmp("100 MB of Vec<f32>", 1.3, &floats())?;
    against_rmp("100 MB of Vec<u8>", 1.3, &noise(100 * MB, 1))?;
    against_bytes("100 MB of Vec<u8>", 1.3, &noise(100 * MB, 1))?;
    against_bytes("100 MB of Vec<f32>", 1.3, &floats())?;
    against_rmp(
        "25 M of Vec<i64>",
        1.3,
        &(0..25 * MB as i64).map(|i| i * 7919).collect::<Vec<_>>(),
    )?;
    against_rmp("3 M of Vec<(f32, f32, f32)>", 1.3, &vec![(1.0_f32, 2.0_f32, 3.0_f32); 3 * MB])?;
    against_rmp("500,000 rows of a struct", 1.3, &rows(MB / 2))?;
    against_rmp("500,000 entries of a map with text keys", 1.3, &names(MB / 2))?;
    let unsorted: HashMap<_, _> = names(MB / 2).into_iter().collect();
    against_rmp("500,000 entries of a HashMap", 1.3, &unsorted)?;
    against_sorting("500,000 entries of a HashMap", 1.3, &unsorted)?;
    let numbered = (0..MB as u64 / 2).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15), i));
    let numbered: HashMap<_, _> = numbered.collect();
    against_sorting("500,000 entries of a HashMap of numbers", 1.3, &numbered)?;
    say("");
    head();
    for (what, len, rounds) in [("1", 1, 500), ("100", 100, 500), ("10,000", 10_000, 40)] {
        read_back(what, len, rounds)?;
    }
    Ok(())
}

fn floats() -> Vec<f32> {
    (0..25 * MB).map(|i| i as f32 * 0.37).collect()
}

fn names(len: usize) -> BTreeMap<String, f64> {
    (0..len).map(|i| (format!("name {i}"), i as f64 / 3.0)).collect()
}

fn rows(len: usize) -> Vec<Row> {
    let row = |id| Row {
        id: id as u64,
        name: format!("row {id}"),
        score: id as f64 / 3.0,
        tags: vec![id as u32; 4],
        valid: (id % 3 > 0).then_some(id % 2 == 0),
    };
    (0..len).map(row).collect()
}

/// Compares the serializer, without a store, with `rmp_serde`.
fn against_rmp<T: Serialize + DeserializeOwned + 'static>(
    what: &str,
    goal: f64,
    value: &T,
) -> Outcome {
    let plain = rmp_serde::to_vec_named(value)?;
    let bytes = Bytes::from(encode(value)?);
    // Larder's encoders stream; the store takes the bytes as they come.
    let ours = |_| timed(|| stream(value));
    let limit = |_| timed(|| Ok(rmp_serde::to_vec_named(value)?));
    compare(&format!("encode {what} / rmp_serde"), goal, 5, ours, limit)?;
    let ours = |_| timed(|| decode::<T>(&bytes));
    let limit = |_| timed(|| Ok(rmp_serde::from_slice::<T>(&plain)?));
    compare(&format!("decode {what} / rmp_serde"), goal, 5, ours, limit)
}

/// Compares encoding a map with sorting it, as the format demands, and encoding that.
fn against_sorting<K, V>(what: &str, goal: f64, map: &HashMap<K, V>) -> Outcome
where
    K: Serialize + DeserializeOwned + Eq + Ord + Hash,
    V: Serialize + DeserializeOwned,
{
    let ours = |_| timed(|| stream(map));
    let limit = |_| {
        timed(|| {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            Ok(rmp_serde::to_vec_named(&sorted)?)
        })
    };
    compare(&format!("encode {what} / sorting and rmp_serde"), goal, 5, ours, limit)
}

/// Compares what an artifact costs before a store sees it, encoding and digesting, with the same for bytes; and decoding
/// with copying them.
fn against_bytes<T: Serialize + DeserializeOwned + 'static>(
    what: &str,
    goal: f64,
    value: &T,
) -> Outcome {
    let bytes = Bytes::from(encode(value)?);
    let digest = |value: &mut dyn FnMut(&mut blake3::Hasher) -> Outcome| {
        timed(|| {
            let mut hasher = blake3::Hasher::new();
            value(&mut hasher)?;
            Ok(hasher.finalize())
        })
    };
    let ours = |_| {
        digest(&mut |hasher| match MsgPack::encode(value, hasher) {
            Ok(()) => Ok(()),
            Err(error) => Err(error),
        })
    };
    let limit = |_| {
        digest(&mut |hasher| {
            hasher.update(&bytes);
            Ok(())
        })
    };
    compare(&format!("encode and digest {what} / bytes"), goal, 5, ours, limit)?;
    let ours = |_| timed(|| decode::<T>(&bytes));
    let limit = |_| timed(|| Ok(bytes.to_vec()));
    compare(&format!("decode {what} / a copy of the bytes"), goal, 5, ours, limit)
}

fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    match MsgPack::encode(value, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(error),
    }
}

fn stream<T: Serialize + DeserializeOwned>(value: &T) -> Outcome {
    match MsgPack::encode(value, &mut io::sink()) {
        Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn decode<T: Serialize + DeserializeOwned>(bytes: &Bytes) -> Outcome<T> {
    match <MsgPack as Serializer<T>>::decode(bytes) {
        Ok(value) => Ok(value),
        Err(error) => Err(error),
    }
}

/// Compares an apply with and without reading back, in memory.
fn read_back(what: &str, len: usize, rounds: usize) -> Outcome {
    let larder = larder::open("memory:")?;
    let names = names(20);
    let rows = rows(len);
    let round = Cell::new(0);
    let apply = |read_back: bool| {
        round.set(round.get() + 1);
        let rows = Artifact::new(rows.clone());
        let values = Values { round: round.get(), names: names.clone(), rows };
        let options = ApplyOptions::new().read_back(read_back);
        timed(|| Ok(larder.apply_with("values", &values, &options)?))
    };
    let what = format!("apply {what} rows, memory / not read back");
    compare(&what, f64::INFINITY, rounds, |_| apply(true), |_| apply(false))
}
