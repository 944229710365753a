//! pyarrow reads a collection by `docs/format.md`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use larder_tests::python::with_packages;
use serde_json::Value;

use super::{rows, written};

const READER: &str = include_str!("read.py");

#[test]
fn pyarrow_reads_the_same_rows() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = with_packages(target, "arrow", &["pyarrow>=20"]);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("larder");
    let larder = larder::open(format!("fs:{}", place.display()).as_str()).unwrap();
    let shop = written(&larder);
    let read = |number: &str| -> Vec<Value> {
        let mut program = Command::new(&python);
        program.args([
            OsStr::new("-c"),
            OsStr::new(READER),
            place.as_ref(),
            OsStr::new("shop/rows"),
        ]);
        if !number.is_empty() {
            program.arg(number);
        }
        let output = program.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(read(""), rows(&shop));
    assert_eq!(read("1").len(), 20_000);
    shop.compact().unwrap();
    assert_eq!(read(""), rows(&shop));
}
