//! Collections on every store: the laws of engines, and processes that insert at once.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use larder::collections::{
    Engine, Find, FragmentEngine, LarderCollections, LarderListeners, row_of,
};
use larder::jobs::{JobsQuery, LarderJobs, Worker};
use larder::maintenance::LarderMaintenance;
use larder::server::{Server, ServerOptions};
use larder::store::BucketStore;
use larder::{Larder, Registry, Selection};
use larder_store_object::object_store::{memory::InMemory, path::Path as Prefix};
use larder_testkit::all_engine_laws;

/// Processes that insert at once, and the rows of each, which are as many versions.
const PROCESSES: u64 = 4;
const ROWS: u64 = 12;

fn keeps_the_laws(open: impl Fn() -> Larder + Sync) {
    all_engine_laws(&|name| {
        Arc::new(FragmentEngine::new(&open(), name.parse().unwrap())) as Arc<dyn Engine>
    });
}

/// Serves a larder without authentication.
fn served(url: &str) -> Server {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = ServerOptions::new().listen(address.into()).authenticate(false);
    Server::start(larder::open(url).unwrap(), &options).unwrap()
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("larder.db").display())
}

/// Checks that each row is there once, after processes inserted rows one by one.
fn processes_lose_nothing(url: &str) {
    let start = |process: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        let from = (process * 1_000).to_string();
        command.args(["rows", url, "shop/rows", &from, &ROWS.to_string()]).spawn().unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let larder = larder::open(url).unwrap();
    let rows = larder.untyped_collection("shop/rows").unwrap();
    let newest = rows.latest().unwrap();
    let mut ids = Vec::new();
    for batch in newest.find(&Find::default()).unwrap() {
        let batch = batch.unwrap();
        for at in 0..batch.ids.len() {
            let row = row_of(&batch.rows, at);
            assert_eq!(row["text"], format!("row {}", row["id"]));
            ids.push(row["id"].as_u64().unwrap());
        }
    }
    ids.sort_unstable();
    let expected: Vec<u64> = (0..PROCESSES).flat_map(|it| it * 1_000..it * 1_000 + ROWS).collect();
    assert_eq!(ids, expected);
    let versions = rows.versions().unwrap().len() as u64;
    assert_eq!(versions, PROCESSES * ROWS, "each insert is a version");
    let layout = newest.layout();
    assert!(layout.small_fragments <= 64, "{layout:?}");
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

/// A listener, an index, a watch and their jobs make on every store what they made of the fixture.
fn models_work(url: &str) {
    let larder = larder::open(url).unwrap();
    crate::format::fixtures::collections::fill(&larder, Path::new(""));
    let other = larder::open(url).unwrap();
    let [_, newest] = super::fixture::folders();
    super::fixture::compare(&super::fixture::document(&other), &newest, url);
    let jobs = other.jobs();
    let waiting = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    let waiting: Vec<_> = waiting.filter(|job| !job.status.is_over()).collect();
    assert_eq!(waiting.len(), 3, "of the listener, the index and what watches: {waiting:?}");
    assert_eq!(Worker::new(&other).drain().unwrap(), 3);
    let status = &other.listeners("shop/rows").unwrap().status().unwrap()[0];
    assert_eq!((status.backlog, status.behind), (0, 0));
    assert_eq!(other.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn an_sqlite_file_keeps_the_laws_of_engines() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    keeps_the_laws(|| larder::open(&url).unwrap());
    processes_lose_nothing(&url);
}

#[test]
fn a_folder_takes_rows_of_many_processes() {
    let folder = tempfile::tempdir().unwrap();
    processes_lose_nothing(&format!("fs:{}", folder.path().join("larder").display()));
}

#[test]
fn a_bucket_in_memory_keeps_the_laws_of_engines() {
    let service = Arc::new(InMemory::new());
    keeps_the_laws(|| {
        let store = BucketStore::over(service.clone(), &Prefix::from("some"), "test:").unwrap();
        Larder::new(Arc::new(store), Registry::linked().unwrap())
    });
}

#[test]
fn a_larder_behind_a_server_keeps_the_laws_of_engines() {
    let folder = tempfile::tempdir().unwrap();
    let server = served(&sqlite(folder.path()));
    let url = server.url();
    keeps_the_laws(|| larder::open(&url).unwrap());
    processes_lose_nothing(&url);
}

#[test]
fn models_work_on_data_behind_a_server() {
    let server = served("memory:");
    models_work(&server.url());
}

#[cfg(feature = "servers")]
#[test]
fn a_bucket_on_a_server_keeps_the_laws_of_engines() {
    let server = crate::object::server();
    let url = server.url("rows");
    keeps_the_laws(|| larder::open(&url).unwrap());
    processes_lose_nothing(&url);
    models_work(&server.url("models"));
}

#[cfg(feature = "servers")]
#[test]
fn a_database_keeps_the_laws_of_engines() {
    let server = larder_tests::postgres::Server::start();
    let url = server.url("rows");
    keeps_the_laws(|| larder::open(&url).unwrap());
    processes_lose_nothing(&url);
    models_work(&server.url("models"));
}
