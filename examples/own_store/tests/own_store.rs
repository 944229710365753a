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
    let file = place.path().join("models.redb");
    all_store_laws(&|| Arc::new(RedbStore::open(&file, None).unwrap()) as Arc<dyn Store>);
}

fn run(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-with-redb"));
    command.args(args).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    command.env_remove("LARDER_STORE").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), printed.concat())
}

#[test]
fn the_command_line_reaches_the_store_by_its_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let large = "large ".repeat(100_000);
    fs::write(folder.path().join("small"), "small").unwrap();
    fs::write(folder.path().join("large"), &large).unwrap();
    for name in ["small", "large"] {
        let store = "redb:models.redb?cache=1048576";
        let (code, printed) = run(folder.path(), &["put", name, name, "--store", store]);
        assert_eq!(code, 0, "{printed}");
    }
    let (code, printed) = run(folder.path(), &["list", "--store", "redb:modles.redb"]);
    assert!(code == 3 && printed.contains("redb:modles.redb"), "{printed}");
    assert!(!folder.path().join("modles.redb").exists());
    let (code, printed) = run(folder.path(), &["verify", "--store", "redb:models.redb"]);
    assert_eq!(code, 0, "{printed}");
    let copy = ["copy", "redb:models.redb#large", "redb:models.redb#small", "larder.db"];
    let (code, printed) = run(folder.path(), &copy);
    assert_eq!(code, 0, "{printed}");
    let (code, printed) = run(folder.path(), &["get", "larder.db#large", "-o", "back"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(fs::read_to_string(folder.path().join("back")).unwrap(), large);
}

#[test]
fn what_the_store_does_not_know_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (options, reason) in [("cash=1", "`cash`"), ("cache=much", "`cache`")] {
        let path = folder.path().join("models.redb");
        let url: StoreUrl = format!("redb:{}?{options}", path.display()).parse().unwrap();
        let error = Registry::linked().unwrap().open_store(&url).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidName { reason: said, .. } if said.contains(reason)),
            "{error:?}"
        );
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
