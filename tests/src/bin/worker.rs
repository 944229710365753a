//! The other process: the tests start it, and some of them kill it.
//!
//! ```text
//! worker forever URL NAME         applies version after version, and says which were acknowledged
//! worker rounds URL NAME OWN N    applies N times to NAME and N times to OWN, and says each conflict
//! worker large URL NAME BYTES     applies one artifact of so many bytes
//! worker copy FROM TO               copies a larder to another
//! worker lock URL                 locks the larder until it is killed
//! worker rows URL NAME FROM N     inserts N rows into a collection, one by one, with keys from FROM on
//! worker churn URL SEED SECONDS   applies, removes and restores what others do too
//! worker predict URL REF INPUT    loads a model and predicts
//! worker jobs URL                 runs jobs until it is killed
//! worker jobs URL QUEUE           runs jobs that a queue brings until it is killed
//! worker fixture URL              fills an empty larder with what the fixture `format-1` holds
//! worker serve URL ADDRESS        serves a larder without authentication until it is killed
//! worker kept URL                 fills an empty larder with what the fixture `format-1-kept` holds
//! ```

use larder::jobs::LarderJobs;
use larder::jobs::RegistryJobs;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use larder::bytes::Bytes;
use larder::collections::{Insert, LarderCollections};
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::serializers::RawBytes;
use larder::store::exclusive::ExclusiveLock;
use larder::{Larder, Selection, VersionInfo};
use larder_server::{Server, ServerOptions};
use larder_tests::{Doubler, Parcel};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["forever", url, name] => forever(&larder::open(url)?, name),
        ["rounds", url, name, own, rounds] => {
            apply_rounds(&larder::open(url)?, name, own, rounds.parse()?)
        }
        ["large", url, name, bytes] => apply_large(url, name, bytes.parse()?),
        ["copy", from, to] => {
            let (from, to) = (larder::open(from)?, larder::open(to)?);
            from.maintenance().copy(Selection::All, &to, &CopyOptions::new())?;
            assert!(to.maintenance().verify(Selection::All)?.findings.is_empty());
            Ok(())
        }
        ["lock", url] => {
            let _lock = ExclusiveLock::acquire(Arc::clone(larder::open(url)?.store()))?;
            say("locked")?;
            loop {
                std::thread::park();
            }
        }
        ["rows", url, name, from, rows] => {
            let from: u64 = from.parse()?;
            insert_rows(&larder::open(url)?, name, from..from + rows.parse::<u64>()?)
        }
        ["churn", url, seed, seconds] => {
            larder_tests::churn::run(&larder::open(url)?, seed.parse()?, seconds.parse()?)
        }
        ["predict", url, reference, input] => {
            let model = larder::open(url)?.load_model(reference)?;
            say(&model.predict_json(input)?)
        }
        ["jobs", url] => larder_tests::crew::work(larder::open(url)?),
        ["jobs", url, queue] => {
            let larder = larder::open(url)?;
            let queue = larder.registry().open_queue(&queue.parse()?)?;
            larder_tests::crew::work(larder.with_queue(queue))
        }
        ["serve", url, address] => {
            let options = ServerOptions::new().listen(address.parse()?).authenticate(false);
            let server = Server::start(larder::open(url)?, &options)?;
            say(&server.url())?;
            Ok(server.wait()?)
        }
        ["fixture", url] => Ok(larder_tests::fixture::fill(larder::open(url)?)?),
        ["kept", url] => Ok(larder_tests::fixture::keep(larder::open(url)?)?),
        _ => Err(
            "say forever, rounds, large, copy, lock, rows, churn, predict, jobs, serve, fixture or kept"
                .into(),
        ),
    }
}

fn say(line: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Small and large artifacts in turn, so that a kill finds all kinds of work under way.
fn forever(larder: &Larder, name: &str) -> Outcome {
    for round in 0_u64.. {
        let size = if round % 3 == 2 { 700_000 } else { 100 };
        let parcel = parcel(round, size);
        acknowledge(larder.apply(name, &parcel)?.version())?;
    }
    Ok(())
}

fn apply_rounds(larder: &Larder, name: &str, own: &str, rounds: u64) -> Outcome {
    for round in 0..rounds {
        match larder.apply(name, &parcel(round, 200)) {
            Err(larder::Error::Conflict { .. }) => say("conflict")?,
            applied => acknowledge(applied?.version())?,
        }
        acknowledge(larder.apply(own, &Doubler { factor: round as f64 })?.version())?;
    }
    Ok(())
}

fn insert_rows(larder: &Larder, name: &str, ids: std::ops::Range<u64>) -> Outcome {
    let rows = larder.untyped_collection(name)?;
    for id in ids {
        let row = serde_json::json!({"id": id, "text": format!("row {id}")});
        let row = row.as_object().cloned().unwrap_or_default();
        rows.insert_json([Ok(row)], Insert::new().key("id"))?;
    }
    Ok(())
}

/// Reports a refusal as one line, with the kind of the error, so that the test can look at it.
fn apply_large(url: &str, name: &str, size: usize) -> Outcome {
    let applied =
        larder::open(url).and_then(|larder| larder.apply(name, &parcel(1, size)).map(drop));
    match applied {
        Ok(()) => say("applied"),
        Err(error @ larder::Error::Store { .. }) => say(&format!("store error: {error}")),
        Err(error) => say(&format!("another error: {error}")),
    }
}

/// A component that no other call in no other process makes.
fn parcel(round: u64, size: usize) -> Parcel {
    let mut content = format!("{} {round} ", std::process::id()).into_bytes();
    content.resize(size.max(content.len()), round as u8);
    Parcel { round, content: larder::Artifact::<Bytes, RawBytes>::new(content.into()) }
}

fn acknowledge(version: &VersionInfo) -> Outcome {
    say(&format!("{} {} {}", version.identifier, version.version.get(), version.digest))
}
