//! Larders of every format that was ever written are read for ever.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use larder::{Error, Larder};
use larder_tests::Doubler;
use larder_tests::fixture::{Everything, kinds};

/// A copy of a fixture: SQLite writes beside a file that it reads.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn holds_what_was_written(larder: &Larder) {
    assert_eq!(larder.verify(&[]).unwrap().findings, []);
    let names: Vec<_> =
        larder.list().map(|version| version.unwrap().identifier.to_string()).collect();
    assert_eq!(names, ["fixture/doubler", "fixture/everything"]);
    let versions = larder.versions("fixture/everything").unwrap();
    assert_eq!(versions.iter().map(|version| version.version.get()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(versions[0].created.to_string(), "2027-01-15T08:00:00.123Z");
    assert!(matches!(larder.show("fixture/everything@2"), Err(Error::NotFound { .. })));
    assert_eq!(larder.show("fixture/everything:prod").unwrap().version.version.get(), 1);
    let model = larder.load_model("fixture/doubler").unwrap();
    assert_eq!(model.predict_json("21").unwrap(), "42.0");

    for number in [1, 3] {
        let loaded: Everything = larder.load(format!("fixture/everything@{number}")).unwrap();
        let written = Everything::version(number);
        assert_eq!(loaded.text, written.text);
        assert_eq!(loaded.float.to_bits(), written.float.to_bits());
        assert_eq!((loaded.largest, loaded.smallest, loaded.nothing), (u64::MAX, i64::MIN, None));
        assert_eq!(loaded.map, written.map);
        let weights = &loaded.msgpack.get().unwrap()["weights"];
        assert!(weights[..2] == [1.5, -0.25] && weights[2].is_nan());
        assert_eq!(loaded.json.get().unwrap(), &kinds());
        assert_eq!(loaded.bincode.get().unwrap(), &kinds());
        assert_eq!(loaded.postcard.get().unwrap(), &kinds());
        assert_eq!(loaded.bytes.get().unwrap(), written.bytes.get().unwrap());
        assert_eq!(loaded.nested.get().unwrap()[1].get().unwrap(), "other");
    }
}

/// Writing the same on top of what an older Larder wrote changes nothing, and writing more goes on.
fn goes_on(larder: &Larder) {
    let applied = larder.apply("fixture/everything", &Everything::version(3)).unwrap();
    assert!(
        !applied.is_created(),
        "the same content has the same digest as when the fixture was written"
    );
    let applied = larder.apply("fixture/doubler", &Doubler { factor: 3.0 }).unwrap();
    assert_eq!(applied.version().version.get(), 2);
}

#[test]
fn format_1_in_sqlite_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    copy(&fixture, folder.path());
    let larder =
        larder::open(&format!("sqlite:{}", folder.path().join("sqlite.db").display())).unwrap();
    holds_what_was_written(&larder);
    goes_on(&larder);
}

#[test]
fn format_1_in_a_folder_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    copy(&fixture, folder.path());
    let larder = larder::open(&format!("fs:{}", folder.path().join("folder").display())).unwrap();
    holds_what_was_written(&larder);
    goes_on(&larder);
}
