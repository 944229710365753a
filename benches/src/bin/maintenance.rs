//! How the shelf keeper's commands grow: with the number of versions, and with the bytes.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin maintenance
//! ```

use larder::Selection;
use std::path::Path;
use std::time::Duration;

use larder::bytes::Bytes;
use larder::maintenance::GcOptions;
use larder::prelude::*;
use larder::search::Query;
use larder::serializers::RawBytes;
use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected};
use larder::versions::AnnotationsChange;
use larder_benches::{Outcome, noise, say, show, timed, work_folder};

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/row")]
struct Row {
    number: usize,
    threshold: f64,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/bulk")]
struct Bulk {
    bytes: Artifact<Bytes, RawBytes>,
}

/// How many names both larders have: a listing prints as many rows of either.
const NAMES: usize = 200;
const MB: usize = 1_000_000;
/// How often each command is run on each larder.
const ROUNDS: usize = 50;
/// A command may take so many times as long in the large larder.
const GOAL: f64 = 2.0;

fn main() -> Outcome {
    versions()?;
    say("");
    bytes()
}

fn versions() -> Outcome {
    let folder = work_folder()?;
    say(
        "(a) 10,000 versions of 200 names, against 100 of 100 names and against 200 of 200 names; medians, opening",
    );
    say(
        "    the larder included; the rows that a command gives of the 10,000, and its time for each",
    );
    say(&format!(
        "{:<22} {:>5} {:>10} {:>10} {:>10} {:>7} {:>7} {:>10}",
        "", "rows", "100", "200", "10,000", "to 100", "to 200", "per row"
    ));
    for scheme in ["sqlite", "fs"] {
        let url = |size: &str| {
            format!("{scheme}:{}", folder.path().join(format!("{size}.{scheme}")).display())
        };
        let sizes = [("hundred", 100, 1), ("small", NAMES, 1), ("large", NAMES, 50)];
        for (size, names, each) in sizes {
            fill(&url(size), names, each)?;
        }
        let [hundred, small, large] = sizes.map(|(size, ..)| url(size));
        for (what, command) in COMMANDS {
            let [hundred, small, large] = medians([&hundred, &small, &large], command)?;
            if small.1 != large.1 {
                return Err(format!("{what} gives {} rows, and {}", small.1, large.1).into());
            }
            let ratio = |base: Duration| large.0.as_secs_f64() / base.as_secs_f64();
            say(&format!(
                "{:<22} {:>5} {:>10} {:>10} {:>10} {:>7.2} {:>7.2} {:>10}  {}",
                format!("{what}, {scheme}"),
                large.1,
                show(hundred.0),
                show(small.0),
                show(large.0),
                ratio(hundred.0),
                ratio(small.0),
                show(large.0 / u32::try_from(large.1.max(1))?),
                if ratio(small.0) <= GOAL { "met" } else { "MISSED" }
            ));
        }
    }
    Ok(())
}

type Command = fn(&Larder) -> larder::Result<usize>;

/// Each gives the number of its rows.
const COMMANDS: [(&str, Command); 6] = [
    ("list", |larder| {
        larder.search(&Query::new())?.try_fold(0, |rows, found| found.map(|_| rows + 1))
    }),
    ("list --where", |larder| {
        let filter = "metrics.accuracy >= 0.5 and labels.team = \"wine\"".parse()?;
        larder
            .search(&Query::new().filter(filter))?
            .try_fold(0, |rows, found| found.map(|_| rows + 1))
    }),
    ("show", |larder| larder.show("group/name-050").map(|_| 1)),
    ("find by digest", |larder| {
        let digest = larder.show("group/name-050")?.version.digest.to_hex();
        larder.show(format!("group/name-050@b3:{}", &digest[..12]).as_str()).map(|_| 1)
    }),
    ("show by tag", |larder| larder.show("group/name-050:prod").map(|_| 1)),
    ("load", |larder| larder.load::<Row>("group/name-050").map(|_| 1)),
];

/// Makes a larder: `each` versions of `names` names, with notes on every version and a tag on each name.
///
/// It is made in memory and laid out at once: one commit for each of 10,000 versions takes minutes on a disk.
fn fill(url: &str, names: usize, each: usize) -> Outcome {
    let larder = larder::open("memory:")?;
    for name in 0..names {
        let name = format!("group/name-{name:03}");
        for number in 0..each {
            let row = Row { number, threshold: number as f64 / 8.0 };
            let reference = Larder::pin(larder.apply(name.as_str(), &row)?.version());
            // Each newest version passes the filter; of the others, half.
            let accuracy = if number + 1 == each || number % 2 == 0 { 0.9 } else { 0.1 };
            let notes = AnnotationsChange::new().label("team", "wine").metric("accuracy", accuracy);
            larder.annotate(&reference, &notes)?;
            if number == 0 {
                larder.tag(&reference, "prod")?;
            }
        }
    }
    let store = larder::open(url)?.store().clone();
    match url.strip_prefix("fs:") {
        Some(folder) => lay_out(&larder, Path::new(folder)),
        None => {
            let committed = store.commit(&changes(&larder)?)?;
            if committed == Committed::All { Ok(()) } else { Err("another writes there".into()) }
        }
    }
}

/// All that a larder holds.
fn changes(larder: &Larder) -> Outcome<Vec<Change>> {
    let mut changes = Vec::new();
    for blob in larder.store().blobs() {
        let (digest, size) = blob?;
        let bytes = larder.store().get_checked(&digest, Some(size), || digest.to_string())?;
        changes.push(Change::PutBlob { digest, bytes });
    }
    for record in larder.store().records("") {
        let (key, record) = record?;
        changes.push(Change::PutRecord { key, value: record.value, expected: Expected::Anything });
    }
    Ok(changes)
}

/// Writes the files of a larder in a folder, as docs/format.md says.
fn lay_out(larder: &Larder, folder: &Path) -> Outcome {
    for change in changes(larder)? {
        let (path, content) = match change {
            Change::PutBlob { digest, bytes } => {
                let hex = digest.to_hex();
                (format!("blobs/{}/{hex}", &hex[..2]), bytes)
            }
            Change::PutRecord { key, value, .. } => (larder_store_fs::record_path(&key), value),
            Change::RemoveRecord { .. } => continue,
        };
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

/// The median time of a command on each of three larders, opened for it, and the number of its rows. They take
/// turns, so that whatever else the machine does hits all of them.
fn medians(urls: [&str; 3], command: Command) -> Outcome<[(Duration, usize); 3]> {
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut rows = [0; 3];
    for round in 0..=ROUNDS {
        for ((url, times), rows) in urls.into_iter().zip(&mut times).zip(&mut rows) {
            let taken = timed(|| {
                *rows = command(&larder::open(url)?)?;
                Ok(())
            })?;
            // The first time is not counted.
            times.extend((round > 0).then_some(taken));
        }
    }
    Ok(std::array::from_fn(|at| {
        times[at].sort_unstable();
        (times[at][ROUNDS / 2], rows[at])
    }))
}

fn bytes() -> Outcome {
    say(
        "(b) verify and gc against bytes in blobs of 4 MB, half of them garbage; the time of verify per MB,",
    );
    say("    and its ratio to reading and digesting the same bytes on one thread");
    say(&format!(
        "{:<10} {:>8} {:>10} {:>10} {:>7} {:>10} {:>10} {:>10}",
        "", "MB", "verify", "per MB", "ratio", "gc marks", "gc removes", "per MB"
    ));
    for scheme in ["sqlite", "fs"] {
        for megabytes in [16, 64, 256] {
            bulk(scheme, megabytes)?;
        }
    }
    Ok(())
}

fn bulk(scheme: &str, megabytes: usize) -> Outcome {
    let folder = work_folder()?;
    let larder = larder::open(&format!("{scheme}:{}", folder.path().join("larder").display()))?;
    let blobs = megabytes / 4;
    for (kind, seed) in [("kept", 1), ("gone", 1_000_000)] {
        for number in 0..blobs {
            let bytes = noise(4 * MB, (seed + number) as u64);
            let bulk = Bulk { bytes: Artifact::new(bytes.into()) };
            larder.apply(format!("{kind}/{number}").as_str(), &bulk)?;
        }
    }
    let mut verify = Vec::new();
    let mut limit = Vec::new();
    for _ in 0..5 {
        verify.push(timed(|| {
            let checked = larder.maintenance().verify(Selection::All)?;
            if checked.findings.is_empty() { Ok(()) } else { Err("there are faults".into()) }
        })?);
        limit.push(timed(|| read_and_digest(folder.path()))?);
    }
    verify.sort_unstable();
    limit.sort_unstable();
    let (verify, limit) = (verify[2], limit[2]);
    for number in 0..blobs {
        larder.remove(format!("gone/{number}:latest").as_str())?;
    }
    let at_once = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    let marks = timed(|| Ok(larder.maintenance().gc(&at_once).map(drop)?))?;
    let mut swept = 0;
    let removes = timed(|| {
        swept = larder.maintenance().gc(&at_once)?.swept.len();
        Ok(())
    })?;
    if swept < blobs {
        return Err(format!("gc removed {swept} of {blobs} blobs").into());
    }
    let read = 2 * u32::try_from(megabytes)?;
    say(&format!(
        "{scheme:<10} {read:>8} {:>10} {:>10} {:>7.2} {:>10} {:>10} {:>10}",
        show(verify),
        show(verify / read),
        verify.as_secs_f64() / limit.as_secs_f64(),
        show(marks),
        show(removes),
        show(removes / (read / 2)),
    ));
    Ok(())
}

/// What any check must do at least: reads every file below `folder`, and digests it.
fn read_and_digest(folder: &Path) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read_and_digest(&entry.path())?;
        } else {
            std::hint::black_box(blake3::hash(&std::fs::read(entry.path())?));
        }
    }
    Ok(())
}
