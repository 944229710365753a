//! pyarrow reads a collection by `docs/format.md`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use larder_tests::python::with_packages;
use serde_json::Value;

use super::{rows, written};

const READER: &str = include_str!("read.py");

/// Returns the rows that Python reads of a version; of the newest without one.
fn read(place: &Path, number: Option<u64>) -> Vec<Value> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut program = Command::new(with_packages(target, "arrow", &["pyarrow>=20"]));
    let name = OsStr::new("shop/rows");
    program.args([OsStr::new("-c"), OsStr::new(READER), place.as_ref(), name]);
    program.args(number.map(|number| number.to_string()));
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn pyarrow_reads_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("larder");
    let larder = larder::open(format!("fs:{}", place.display()).as_str()).unwrap();
    let shop = written(&larder);
    assert_eq!(read(&place, None), rows(&shop));
    assert_eq!(read(&place, Some(1)).len(), 20_000);
    shop.compact().unwrap();
    assert_eq!(read(&place, None), rows(&shop));
}

#[test]
fn pyarrow_reads_the_rows_of_the_fixtures() {
    for folder in super::fixture::folders() {
        let beside = std::fs::read(folder.join("rows.json")).unwrap();
        let expected: Value = serde_json::from_slice(&beside).unwrap();
        let versions = expected["versions"].as_array().unwrap();
        assert!(versions.len() > 5);
        for version in versions {
            let found = read(&folder.join("folder"), version["version"].as_u64());
            let what = format!("version {} in {}", version["version"], folder.display());
            assert_eq!(Value::Array(found), version["rows"], "{what}");
        }
    }
}
