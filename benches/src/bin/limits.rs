//! Larder compared with the limits of the machine.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin limits
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::StoreExt;
use larder_benches::{Outcome, compare, head, noise, peak_growth, say, timed, work_folder};
use rusqlite::Connection;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/small")]
struct Small {
    round: usize,
    threshold: f64,
    name: String,
    weights: Artifact<Vec<f32>>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/large")]
struct Large {
    weights: Artifact<Bytes, RawBytes>,
}

/// The fields of `Small` as a plain row.
#[derive(Serialize, Deserialize)]
struct Row {
    round: usize,
    threshold: f64,
    name: String,
    weights: Vec<f32>,
}

const MB: usize = 1_000_000;

fn main() -> Outcome {
    let folder = work_folder()?;
    let sqlite = larder::open(&format!("sqlite:{}", folder.path().join("larder.db").display()))?;
    let fs = larder::open(&format!("fs:{}", folder.path().join("larder").display()))?;
    let raw = raw_database(&folder.path().join("raw.db"))?;

    head();
    for (name, larder, goal) in [("sqlite", &sqlite, 1.5), ("fs", &fs, f64::INFINITY)] {
        let what = format!("(a) apply small, {name} / one committed row");
        compare(
            &what,
            goal,
            300,
            |round| apply_small(larder, round),
            |round| insert_row(&raw, round),
        )?;
    }
    for (name, larder) in [("sqlite", &sqlite), ("fs", &fs)] {
        let what = format!("(b) load small, {name} / row + serde_json");
        compare(&what, 5.0, 3000, |_| load_small(larder), |_| select_row(&raw))?;
    }
    for (name, larder) in [("sqlite", &sqlite), ("fs", &fs)] {
        let what = format!("(c) apply 100 MB, {name} / write+fsync+rename");
        let place = folder.path().join("plain");
        compare(
            &what,
            1.25,
            9,
            |round| apply_large(larder, round),
            |round| write_plain(&place, round),
        )?;
    }
    let plain = folder.path().join("plain");
    fs::write(&plain, noise(100 * MB, 7))?;
    for (name, larder) in [("sqlite", &sqlite), ("fs", &fs)] {
        let large = Large { weights: Artifact::new(noise(100 * MB, 8).into()) };
        larder.apply("large", &large)?;
        let what = format!("(d) load+use 100 MB, {name} / mmap + BLAKE3");
        compare(&what, 1.2, 30, |_| load_large(larder), |_| hash_plain(&plain))?;
    }

    say("");
    say("peak memory in addition to the value (goal: at most 16 MB)");
    for (name, larder) in [("sqlite", &sqlite), ("fs", &fs)] {
        let large = Large { weights: Artifact::new(noise(100 * MB, 9).into()) };
        let save = peak_growth(|| Ok(larder.apply("large", &large)?))?;
        let load = peak_growth(|| Ok(larder.load::<Large>("large")?.weights.into_inner()?))?;
        say(&format!("  {name:<8} apply {:>6.2} MB   load {:>6.2} MB", in_mb(save), in_mb(load)));
    }
    Ok(())
}

fn in_mb(bytes: u64) -> f64 {
    bytes as f64 / MB as f64
}

fn raw_database(path: &Path) -> Outcome<Connection> {
    let raw = Connection::open(path)?;
    raw.pragma_update(None, "journal_mode", "WAL")?;
    raw.pragma_update(None, "synchronous", "FULL")?;
    raw.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, json TEXT NOT NULL)")?;
    Ok(raw)
}

fn weights() -> Vec<f32> {
    (0..100).map(|i| i as f32 * 0.37).collect()
}

fn apply_small(larder: &Larder, round: usize) -> Outcome<std::time::Duration> {
    let weights = Artifact::new(weights());
    let small = Small { round, threshold: 0.25, name: "a small component".into(), weights };
    timed(|| match larder.apply("small", &small)? {
        Applied::Created(version) => Ok(version),
        Applied::Unchanged(_) => Err("no version was created".into()),
    })
}

fn insert_row(raw: &Connection, round: usize) -> Outcome<std::time::Duration> {
    let row = Row { round, threshold: 0.25, name: "a small component".into(), weights: weights() };
    timed(|| {
        let json = serde_json::to_string(&row)?;
        Ok(raw.prepare_cached("INSERT INTO row (json) VALUES (?1)")?.execute([json])?)
    })
}

fn load_small(larder: &Larder) -> Outcome<std::time::Duration> {
    timed(|| {
        let small: Small = larder.load("small")?;
        small.weights.get()?;
        Ok(small)
    })
}

fn select_row(raw: &Connection) -> Outcome<std::time::Duration> {
    timed(|| {
        let mut select = raw.prepare_cached("SELECT json FROM row WHERE id = ?1")?;
        let json: String = select.query_row([1], |row| row.get(0))?;
        Ok(serde_json::from_str::<Row>(&json)?)
    })
}

fn apply_large(larder: &Larder, round: usize) -> Outcome<std::time::Duration> {
    let large = Large { weights: Artifact::new(noise(100 * MB, round as u64).into()) };
    let taken = timed(|| Ok(larder.apply("large", &large)?))?;
    // Frees disk space.
    let shown = larder.show("large")?;
    let digests: Vec<_> = shown.manifest.artifacts().iter().map(|entry| entry.digest).collect();
    assert!(larder.store().has_blob(&digests[0])?);
    larder.store().remove_blobs(&digests)?;
    Ok(taken)
}

fn write_plain(place: &Path, round: usize) -> Outcome<std::time::Duration> {
    let bytes = noise(100 * MB, round as u64);
    let (tmp, folder) = (place.with_extension("tmp"), place.parent().ok_or("no folder")?);
    let taken = timed(|| {
        let mut file = File::create(&tmp)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&tmp, place)?;
        Ok(File::open(folder)?.sync_all()?)
    })?;
    fs::remove_file(place)?;
    Ok(taken)
}

fn load_large(larder: &Larder) -> Outcome<std::time::Duration> {
    timed(|| {
        let large: Large = larder.load("large")?;
        Ok(large.weights.into_inner()?)
    })
}

fn hash_plain(plain: &Path) -> Outcome<std::time::Duration> {
    timed(|| Ok(blake3::hash(&map(plain)?)))
}

/// Maps a file: the baseline.
#[allow(unsafe_code)]
fn map(path: &Path) -> Outcome<memmap2::Mmap> {
    // SAFETY: No other process changes the file in this program's temporary folder.
    Ok(unsafe { memmap2::Mmap::map(&File::open(path)?)? })
}
