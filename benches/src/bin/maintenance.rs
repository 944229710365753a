//! Scaling of queries and maintenance with the number of versions and of bytes.
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
use larder::search::{LarderSearch, Query};
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

/// Number of identifiers of the small and the large larder, which list the same number of rows.
const NAMES: usize = 200;
const MB: usize = 1_000_000;
/// Number of rounds.
const ROUNDS: usize = 50;
/// Maximum ratio of the times of the large and the small larder.
const GOAL: f64 = 2.0;

fn main() -> Outcome {
    versions()?;
    say("");
    bytes()
}

fn versions() -> Outcome {
    let folder = work_folder()?;
    say(
        "(a) 10,000 versions of 200 identifiers, compared with 100 of 100 and 200 of 200; medians, including opening",
    );
    say("    the larder; number of rows of the 10,000, and time per row");
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
                return Err(format!("{what} returns {} and {} rows", small.1, large.1).into());
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

/// Commands that return their number of rows.
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

/// Creates a larder with `each` versions of `names` identifiers, with annotations on each version and a tag on each
/// identifier.
///
/// Builds it in memory and writes it at once: 10,000 commits take minutes on disk.
fn fill(url: &str, names: usize, each: usize) -> Outcome {
    let larder = larder::open("memory:")?;
    for name in 0..names {
        let name = format!("group/name-{name:03}");
        for number in 0..each {
            let row = Row { number, threshold: number as f64 / 8.0 };
            let reference = larder.apply(name.as_str(), &row)?.version().reference();
            // The newest version and half of the others match the filter.
            let accuracy = if number + 1 == each || number % 2 == 0 { 0.9 } else { 0.1 };
            let annotations =
                AnnotationsChange::new().label("team", "wine").metric("accuracy", accuracy);
            larder.annotate(&reference, &annotations)?;
            if number == 0 {
                larder.tag(&reference, "prod")?;
            }
        }
    }
    let store = larder::open(url)?.store().clone();
    match url.strip_prefix("fs:") {
        Some(folder) => write_folder(&larder, Path::new(folder)),
        None => {
            let committed = store.commit(&changes(&larder)?)?;
            if committed == Committed::All {
                Ok(())
            } else {
                Err("another process writes to the store".into())
            }
        }
    }
}

/// Returns the content of a larder as changes.
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

/// Writes the files of a larder to a folder, as in docs/format.md.
fn write_folder(larder: &Larder, folder: &Path) -> Outcome {
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

/// Measures a command on three larders, interleaved; returns the median time including opening, and the number of rows.
fn medians(urls: [&str; 3], command: Command) -> Outcome<[(Duration, usize); 3]> {
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut rows = [0; 3];
    for round in 0..=ROUNDS {
        for ((url, times), rows) in urls.into_iter().zip(&mut times).zip(&mut rows) {
            let taken = timed(|| {
                *rows = command(&larder::open(url)?)?;
                Ok(())
            })?;
            // The first round is a warm-up.
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
        "(b) verify and gc of blobs of 4 MB, half of them garbage; time of verify per MB, and its ratio to",
    );
    say("    reading and hashing the same bytes on one thread");
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
            let report = larder.maintenance().verify(Selection::All)?;
            if report.findings.is_empty() { Ok(()) } else { Err("verify found corruption".into()) }
        })?);
        limit.push(timed(|| read_and_digest(folder.path()))?);
    }
    verify.sort_unstable();
    limit.sort_unstable();
    let (verify, limit) = (verify[2], limit[2]);
    for number in 0..blobs {
        larder.remove(format!("gone/{number}:latest").as_str())?;
    }
    let at_once = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    let marks = timed(|| Ok(larder.maintenance().gc(&at_once).map(drop)?))?;
    let mut swept = 0;
    let removes = timed(|| {
        swept = larder.maintenance().gc(&at_once)?.deleted.len();
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

/// Reads and hashes every file in a folder: the baseline.
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
