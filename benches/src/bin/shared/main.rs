//! Shared stores compared with local ones: small components, long lists, large artifacts.
//!
//! ```sh
//! cargo run --release -p larder-benches --features shared --bin shared             # all of it: minutes
//! cargo run --release -p larder-benches --features shared --bin shared 5000 100    # 5,000 versions, 100 MB
//! ```
//!
//! A third number sets the versions in the bucket, by default a hundredth: the S3 server moto handles a few hundred
//! requests per second.

mod large;

// The servers of the tests.
#[path = "../../../../tests/src/postgres.rs"]
#[allow(dead_code, unreachable_pub)]
mod postgres;
#[path = "../../../../tests/src/python.rs"]
#[allow(unreachable_pub)]
mod python;
#[path = "../../../../tests/src/s3.rs"]
#[allow(unreachable_pub)]
mod s3;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder::Registry;
use larder::prelude::*;
use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder_benches::{Outcome, say, show, timed, work_folder};
use larder_store_fs::record_path;

/// Number of rounds for small components.
const ROUNDS: usize = 200;
/// Number of versions per page.
const PAGE: usize = 100;
/// Number of records per commit during setup.
const BATCH: usize = 5_000;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/row")]
struct Row {
    number: usize,
    threshold: f64,
}

fn main() -> Outcome {
    let given =
        std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<Vec<usize>, _>>()?;
    let number = |at: usize, default| given.get(at).copied().unwrap_or(default);
    let (versions, megabytes) = (number(0, 100_000).max(PAGE), number(1, 1_000));
    let database = postgres::Server::start();
    let mut bucket = s3::Server::start(&target()?, &[]);
    let folder = work_folder()?;
    let place = |name: &str| folder.path().join(name).display().to_string();
    let local = [
        ("memory", "memory:".to_owned()),
        ("folder", format!("fs:{}", place("folder"))),
        ("SQLite", format!("sqlite:{}", place("larder.db"))),
        ("Postgres", database.url("bench")),
        ("S3 (moto)", bucket.url("bench")),
    ];
    small(&local)?;
    say("");
    lists(&local, versions, number(2, versions / 100).max(PAGE))?;
    say("");
    large::large(&bucket, folder.path(), megabytes)?;
    say("");
    large::incremental(&mut bucket, megabytes)
}

/// Returns the folder of the tests' installed tools.
fn target() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).ok_or("the program has no target folder")?.join("tmp"))
}

/// Opens a larder without a cache.
fn open(url: &str) -> larder::Result<Larder> {
    Registry::linked()?.open(url)
}

fn small(places: &[(&str, String)]) -> Outcome {
    say("(a) a small component: medians; with a cache, records are still read from the store");
    say(&format!("{:<12} {:>10} {:>10} {:>12}", "", "apply", "load", "load, cached"));
    for (what, url) in places {
        let larder = open(url)?;
        let rounds = if url.starts_with("s3") { ROUNDS / 4 } else { ROUNDS };
        let apply = median(rounds, |number| {
            larder.apply("one", &Row { number, threshold: 0.5 })?;
            Ok(())
        })?;
        let load = |larder: &Larder| median(rounds, |_| Ok(larder.load::<Row>("one").map(drop)?));
        let loaded = load(&larder)?;
        let cache = work_folder()?;
        let cached = load(&open_again(&larder, url)?.with_cache(cache.path()))?;
        say(&format!("{what:<12} {:>10} {:>10} {:>12}", show(apply), show(loaded), show(cached)));
    }
    Ok(())
}

/// Opens another handle; a memory store is shared instead.
fn open_again(larder: &Larder, url: &str) -> larder::Result<Larder> {
    match url {
        "memory:" => Ok(Larder::new(larder.store().clone(), Registry::linked()?)),
        url => open(url),
    }
}

fn median(rounds: usize, mut work: impl FnMut(usize) -> Outcome) -> Outcome<Duration> {
    let mut times = (0..rounds).map(|round| timed(|| work(round))).collect::<Outcome<Vec<_>>>()?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn lists(places: &[(&str, String)], versions: usize, in_bucket: usize) -> Outcome {
    say("(b) lists: all versions of one identifier, and pages of 100");
    say(&format!("{:<12} {:>9} {:>12} {:>12} {:>10}", "", "versions", "all", "per 100", "page"));
    for (what, url) in places {
        let count = if url.starts_with("s3") { in_bucket } else { versions };
        let larder = open(url)?;
        fill(&larder, count)?;
        let mut found = 0;
        let all = timed(|| {
            found = larder.versions("many")?.len();
            Ok(())
        })?;
        if found != count {
            return Err(format!("{what} lists {found} of {count} versions").into());
        }
        let page = median(ROUNDS.min(count / PAGE), |round| {
            let after = PAGE * (round * 7919 % (count / PAGE));
            let after = RecordKey::new(&format!("versions/many/@{after:010}"))?;
            let page = larder.store().list_records("versions/many/@", Some(&after), PAGE)?;
            if page.len() == PAGE { Ok(()) } else { Err("a page is not full".into()) }
        })?;
        let share = all.div_f64(count as f64 / PAGE as f64);
        say(&format!(
            "{what:<12} {count:>9} {:>12} {:>12} {:>10}",
            show(all),
            show(share),
            show(page)
        ));
    }
    Ok(())
}

/// Writes the records of `count` versions: copies of one applied version.
fn fill(larder: &Larder, count: usize) -> Outcome {
    larder.apply("many", &Row { number: 0, threshold: 0.5 })?;
    let get = |key: &str| -> Outcome<serde_json::Value> {
        let found =
            larder.store().get_record(&RecordKey::new(key)?)?.ok_or("a record is missing")?;
        Ok(serde_json::from_slice(&found.value)?)
    };
    let put = |key: &str, value: &serde_json::Value| -> Outcome<Change> {
        let (key, value) = (RecordKey::new(key)?, serde_json::to_vec(value)?.into());
        Ok(Change::PutRecord { key, value, expected: Expected::Anything })
    };
    let mut version = get("versions/many/@0000000001")?;
    let mut changes = Vec::new();
    for number in 2..=count {
        version["version"] = number.into();
        changes.push(put(&format!("versions/many/@{number:010}"), &version)?);
    }
    let mut name = get("names/many")?;
    (name["next"], name["latest"]) = ((count + 1).into(), version);
    changes.push(put("names/many", &name)?);
    if let Some(folder) = larder.store().url().strip_prefix("fs:") {
        return fill_folder(Path::new(folder), &changes);
    }
    for changes in changes.chunks(BATCH) {
        if larder.store().commit(changes)? != Committed::All {
            return Err("another process writes to the store".into());
        }
    }
    Ok(())
}

/// Writes records to a folder without syncs, which would take minutes.
fn fill_folder(folder: &Path, changes: &[Change]) -> Outcome {
    for change in changes {
        let Change::PutRecord { key, value, .. } = change else { continue };
        fs::write(folder.join(record_path(key)), value)?;
    }
    Ok(())
}
