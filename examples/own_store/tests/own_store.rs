//! The store keeps the laws, and the program with it knows its scheme.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use larder_core::store::Store;
use larder_core::{Error, Registry, StoreUrl};
use larder_example_own_store::RedbStore;
use larder_testkit::all_store_laws;
use redb::{Database, TableDefinition};

#[test]
fn the_store_keeps_every_law() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("shelf.redb");
    all_store_laws(&|| Arc::new(RedbStore::open(&file, None).unwrap()) as Arc<dyn Store>);
}

fn run(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-with-redb"));
    command.args(args).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    command.env_remove("LARDER_STORE").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), told.concat())
}

#[test]
fn the_command_line_reaches_the_store_by_its_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let large = "large ".repeat(100_000);
    fs::write(folder.path().join("small"), "small").unwrap();
    fs::write(folder.path().join("large"), &large).unwrap();
    for name in ["small", "large"] {
        let store = "redb:shelf.redb?cache=1048576";
        let (code, told) = run(folder.path(), &["put", name, name, "--store", store]);
        assert_eq!(code, 0, "{told}");
    }
    let (code, told) = run(folder.path(), &["list", "--store", "redb:shlef.redb"]);
    assert!(code == 3 && told.contains("there is no larder at redb:shlef.redb"), "{told}");
    assert!(!folder.path().join("shlef.redb").exists());
    let (code, told) = run(folder.path(), &["verify", "--store", "redb:shelf.redb"]);
    assert_eq!(code, 0, "{told}");
    let copy = ["copy", "redb:shelf.redb#large", "redb:shelf.redb#small", "larder.db"];
    let (code, told) = run(folder.path(), &copy);
    assert_eq!(code, 0, "{told}");
    let (code, told) = run(folder.path(), &["get", "larder.db#large", "-o", "back"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(fs::read_to_string(folder.path().join("back")).unwrap(), large);
}

#[test]
fn what_the_store_does_not_know_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (options, reason) in [
        ("cash=1", "the option `cash` is unknown; there are: cache"),
        ("cache=much", "`cache` is a number of bytes"),
    ] {
        let path = folder.path().join("shelf.redb");
        let url: StoreUrl = format!("redb:{}?{options}", path.display()).parse().unwrap();
        let error = Registry::linked().unwrap().open_store(&url).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn a_database_of_something_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.redb");
    let other: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(other).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = RedbStore::open(&path, None).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let transaction = Database::create(&path).unwrap().begin_write().unwrap();
    assert_eq!(transaction.list_tables().unwrap().count(), 1);
    drop(transaction);

    let text = folder.path().join("text");
    fs::write(&text, "a text, and not a short one at that".repeat(100)).unwrap();
    let error = RedbStore::open(&text, None).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
}
