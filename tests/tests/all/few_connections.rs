//! Copies to and from services have few files and connections open, however many blobs there are.

use std::fs;
use std::process::Command;

use larder::files::Tree;
use larder_tests::postgres::Server;

/// Copies a larder of many blobs to `url` and back, by processes that may have 100 files open.
fn copy_there_and_back(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("many")).unwrap();
    for number in 0..300 {
        fs::write(path("many").join(format!("small-{number}")), format!("the file {number}"))
            .unwrap();
    }
    for number in 0..40 {
        fs::write(path("many").join(format!("large-{number}")), vec![number; 200_000]).unwrap();
    }
    let [here, back] = ["here", "back"].map(|name| format!("fs:{}", path(name).display()));
    let tree = Tree::read(path("many")).unwrap();
    larder::open(here.as_str()).unwrap().apply("many", &tree).unwrap();
    for (from, to) in [(here.as_str(), url), (url, back.as_str())] {
        let mut worker = Command::new("sh");
        worker.args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_worker")]);
        let ended = worker.args(["copy", from, to]).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
    }
}

#[test]
fn a_database_is_copied_with_few_open_files() {
    let server = Server::start();
    copy_there_and_back(&server.url("many"));
}

#[test]
fn a_bucket_is_copied_with_few_open_files() {
    let server = crate::object::server();
    copy_there_and_back(&server.url("many"));
}
