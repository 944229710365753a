//! Triggers that run when rows change.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_collections::LarderCollections;
use larder_core::__private::typetag;
use larder_core::{BoxError, Component, ComponentType, Error, Item, Larder, Registry};
use larder_jobs::{Event, JobContext, JobsQuery, LarderJobs, Trigger, Triggers};
use larder_store_fs as _;
use larder_store_sqlite as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::listeners::LarderListeners;
use crate::listeners::tests::{insert, shop, work};
use crate::{Changed, CompactReport};

/// A component that notes what it is notified of, by its name.
#[derive(Serialize, Deserialize)]
struct Witness {
    fails: bool,
}

/// The collection and the versions that each witness was notified of, and the newest ones then.
static SEEN: Mutex<Vec<(String, u64, u64)>> = Mutex::new(Vec::new());

fn seen(name: &str) -> Vec<Run> {
    let all = SEEN.lock().unwrap();
    all.iter().filter(|(it, ..)| it == name).map(|(_, at, newest)| (*at, *newest)).collect()
}

#[typetag::serde(name = "test/witness")]
impl Component for Witness {}

impl ComponentType for Witness {
    const TAG: &'static str = "test/witness";
}

impl Triggers for Witness {
    fn triggers() -> Vec<Trigger<Self>> {
        let note = |it: &Self, job: &JobContext| -> Result<(), BoxError> {
            let changed: Changed = job.payload()?;
            let newest = job.larder().show(changed.collection.clone())?.version.version.get();
            let name = job.id().name().to_string();
            SEEN.lock().unwrap().push((name, changed.version.get(), newest));
            if it.fails { Err("it fails".into()) } else { Ok(()) }
        };
        let event = Event::custom("rows").unwrap();
        let after = |_: &Self, _: &JobContext| Ok::<_, BoxError>(());
        vec![
            Trigger::new("note", note).on(event.clone()),
            Trigger::new("after", after).on(event).depends_on("note"),
        ]
    }
}

larder_core::link!(Item::component::<Witness>());
larder_core::link!(larder_jobs::triggers::<Witness>());

#[test]
fn each_new_version_runs_the_triggers_once_and_waiting_jobs_stand_for_all() {
    let (larder, rows, listeners) = shop();
    larder.apply("once", &Witness { fails: false }).unwrap();
    assert!(listeners.watch("once", "rows").unwrap().is_created());
    assert!(!listeners.watch("once", "rows").unwrap().is_created(), "the same");
    let row = |id: u64| json!({ "id": id, "x": [1.0, 1.0], "y": 1.0, "name": "n" });
    assert_eq!(work(&larder), 0, "nothing has changed");
    insert(&rows, [row(10)]);
    assert_eq!(work(&larder), 2);
    assert_eq!(seen("once"), [(2, 2)]);
    // Two versions before a worker comes: one run, which finds the newest.
    insert(&rows, [row(11)]);
    insert(&rows, [row(12)]);
    assert_eq!(work(&larder), 2);
    assert_eq!(seen("once"), [(2, 2), (3, 4)]);
    // The newest version of the component runs.
    larder.apply("once", &Witness { fails: true }).unwrap();
    insert(&rows, [row(13)]);
    work(&larder);
    let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
    let last = jobs.iter().max_by_key(|job| job.id.to_string()).unwrap();
    assert!(last.id.to_string().starts_with("once@2/"), "{}", last.id);
    assert_eq!(seen("once").last(), Some(&(5, 5)));

    let watches = listeners.watches().unwrap();
    assert_eq!((watches[0].name.as_str(), watches[0].event.as_str()), ("once", "rows"));
    listeners.unwatch("once").unwrap();
    insert(&rows, [row(14)]);
    assert_eq!((work(&larder), seen("once").len()), (0, 3));
    assert!(listeners.watches().unwrap().is_empty());
}

#[test]
fn what_cannot_be_notified_is_refused() {
    let (larder, _, listeners) = shop();
    larder.apply("other/witness", &Witness { fails: false }).unwrap();
    larder.apply("one/witness", &Witness { fails: false }).unwrap();
    let refused = |name: &str, event: &str| listeners.watch(name, event).unwrap_err().to_string();
    assert!(refused("sum", "rows").contains("no triggers"), "{}", refused("sum", "rows"));
    let error = refused("one/witness", "row");
    assert!(error.contains("its triggers run on `rows`"), "{error}");
    assert!(matches!(listeners.watch("none", "rows"), Err(Error::NotFound { .. })));
    listeners.watch("one/witness", "rows").unwrap();
    assert!(refused("other/witness", "rows").contains("one/witness has the name"));
    assert!(matches!(listeners.unwatch("two"), Err(Error::NotFound { .. })));
    let empty = larder.listeners("nothing").unwrap();
    assert!(matches!(empty.watch("one/witness", "rows"), Err(Error::NotFound { .. })));
    // One that is gone has nothing to run.
    larder
        .remove_all("one/witness", &larder_core::versions::RemoveOptions::new().force(true))
        .unwrap();
    insert(
        &larder.untyped_collection("shop/rows").unwrap(),
        [json!({ "id": 9, "x": [1.0, 1.0], "y": 1.0, "name": "n" })],
    );
    assert_eq!(work(&larder), 0);
}

/// The environment variable with the folder of a child process.
const FOLDER: &str = "LARDER_WATCH_FOLDER";

/// Opens the larder in a folder: an SQLite file, or the folder itself.
fn open(folder: &Path) -> Larder {
    let is_file = folder.to_string_lossy().contains("sqlite");
    let url = match is_file {
        true => format!("sqlite:{}", folder.join("larder.db").display()),
        false => format!("fs:{}", folder.display()),
    };
    Registry::linked().unwrap().open(&*url).unwrap()
}

fn add(larder: &Larder) {
    let rows = larder.untyped_collection("rows").unwrap();
    let next = rows.head().unwrap().map_or(0, |head| head.rows());
    insert(&rows, [json!({ "id": next })]);
}

/// Writes rows until it is killed.
#[test]
#[ignore = "it is run by the tests below"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let larder = open(Path::new(&folder));
    for _ in 0..300 {
        add(&larder);
    }
}

/// A run of a trigger: the version in its payload, and the newest one then.
type Run = (u64, u64);

/// Kills a process that writes rows, and works: returns the runs after each kill, with the newest version before and
/// after.
fn kills(kind: &str) -> Vec<(u64, u64, Vec<Run>)> {
    let folder = tempfile::Builder::new().prefix(kind).tempdir().unwrap();
    let larder = open(folder.path());
    add(&larder);
    larder.apply(kind, &Witness { fails: false }).unwrap();
    larder.listeners("rows").unwrap().watch(kind, "rows").unwrap();
    let newest = || larder.show("rows").unwrap().version.version.get();
    let mut random = fastrand::Rng::with_seed(5);
    let mut kills = Vec::new();
    for round in 0..12 {
        let (before, known) = (newest(), seen(kind).len());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "watch::tests::child"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // On a busy machine it may take long to start: every second one is killed after it wrote.
        let start = Instant::now();
        while round % 2 > 0 && newest() == before && start.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(random.u64(10..150)));
        child.kill().unwrap();
        child.wait().unwrap();
        work(&larder);
        kills.push((before, newest(), seen(kind).split_off(known)));
    }
    let changed = kills.iter().filter(|(before, after, _)| after > before).count();
    assert!(changed > 0, "the processes wrote nothing");
    kills
}

#[test]
fn a_process_that_is_killed_loses_no_event() {
    for (before, after, runs) in kills("sqlite") {
        match after > before {
            true => assert_eq!(runs, [(before + 1, after)], "one run for all new versions"),
            false => assert!(runs.is_empty(), "{runs:?}"),
        }
    }
}

/// In a folder, a commit that is cut short may leave jobs of a version that is not the newest yet.
#[test]
fn a_process_that_is_killed_in_a_folder_loses_no_event() {
    let kills = kills("folder");
    for (before, after, runs) in &kills {
        let last = runs.last().map(|(_, newest)| newest);
        assert!(after == before || last == Some(after), "{runs:?} of {before} to {after}");
    }
    let mut versions: Vec<u64> =
        kills.iter().flat_map(|(.., runs)| runs.iter().map(|run| run.0)).collect();
    let count = versions.len();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), count, "no version twice");
}

#[test]
fn a_compaction_is_a_job_in_steps() {
    let (larder, rows, _) = shop();
    let wide = |from: u64| {
        let ids = from..from + 9_000;
        ids.map(|id| json!({ "id": id, "x": [1.0, 1.0], "y": 1.0, "name": "n" }))
    };
    for from in 1..=12 {
        insert(&rows, wide(from * 10_000));
    }
    let before = rows.latest().unwrap();
    let fired = larder.jobs().fire("shop/rows", "compact", ()).unwrap();
    let jobs = larder.jobs().wait(&fired).unwrap();
    let report: CompactReport =
        serde_json::from_str(jobs[0].output.as_ref().unwrap().get()).unwrap();
    let after = rows.latest().unwrap();
    assert_eq!(report.version, after.info().reference().to_string());
    assert_eq!((report.fragments_before, report.fragments), (before.layout().fragments, 2));
    assert!(after.info().version.get() > before.info().version.get() + 1, "several steps");
    assert_eq!(after.rows(), before.rows());
    assert!(after.delta(&before).unwrap().is_empty());
    let again = larder.jobs().fire("shop/rows", "compact", ()).unwrap();
    larder.jobs().wait(&again).unwrap();
    assert_eq!(rows.latest().unwrap().info().version, after.info().version, "nothing to do");
}
