//! Larders of every format that was ever written are read for ever.

pub(crate) mod fixtures;
mod links;
mod newer;
mod places;
#[cfg(feature = "servers")]
mod python;
mod rules;

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::fs;
use std::path::Path;
use std::time::Duration;

use larder::maintenance::GcOptions;
use larder::{Error, Larder};
use larder_tests::Doubler;
use larder_tests::fixture::{Cellar, Everything, kinds};

/// A copy of a fixture: SQLite writes beside a file that it reads.
pub(crate) fn copy(from: &Path, to: &Path) {
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
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
    let names: Vec<_> =
        larder.list().map(|version| version.unwrap().identifier.to_string()).collect();
    assert_eq!(names, ["fixture/doubler", "fixture/everything"]);
    let versions = larder.versions("fixture/everything").unwrap();
    assert_eq!(versions.iter().map(|version| version.version.get()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(versions[0].created.to_string(), "2027-01-15T08:00:00.123Z");
    assert!(matches!(larder.show("fixture/everything@2"), Err(Error::NotFound { .. })));
    assert_eq!(larder.show("fixture/everything:prod").unwrap().version.version.get(), 1);
    let moves = larder.tags().history("fixture/everything", "prod").unwrap();
    assert_eq!(moves.len(), 1, "a tag of that time wrote no history: it is where it is");
    assert_eq!(moves[0].version.unwrap().get(), 1);
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

/// A larder of a fixture, opened in a copy of it.
fn opened(fixture: &str, url: &str, test: impl Fn(&Larder)) {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture), folder.path());
    let (scheme, path) = url.split_once(':').unwrap();
    test(&larder::open(&format!("{scheme}:{}", folder.path().join(path).display())).unwrap());
}

/// Notes, locks, tags with their histories, removed versions, garbage, and a type that has changed since.
#[test]
fn what_format_1_keeps_beside_versions_is_read() {
    for url in ["sqlite:sqlite.db", "fs:folder"] {
        opened("format-1-kept", url, |larder| {
            let checked = larder.maintenance().verify(Selection::All).unwrap();
            assert_eq!(checked.findings, []);
            let orphans = checked.orphans.unwrap().count;
            assert_eq!(orphans, 2, "the garbage, and the manifest of the removed version");

            let notes = larder.annotations("kept/cellar@1").unwrap();
            assert_eq!(notes.description.as_deref(), Some("all that lies below"));
            assert_eq!((notes.labels["team"].as_str(), notes.metrics["humidity"]), ("wine", 0.7));
            assert_eq!(notes.locked.unwrap().to_string(), "2027-01-15T08:00:00.123Z");
            let tags = larder.tags().of("kept/cellar").unwrap();
            assert_eq!((tags.len(), tags[0].version.get(), tags[0].protected), (1, 1, true));
            let history = |tag| {
                let moves = larder.tags().history("kept/cellar", tag).unwrap();
                assert!(moves.iter().all(|line| line.by.as_deref() == Some("ann")));
                moves.iter().map(|line| line.version.map(|it| it.get())).collect::<Vec<_>>()
            };
            assert_eq!(history("prod"), [Some(2), Some(1)]);
            assert_eq!(history("gone"), [Some(3), None]);
            assert!(
                larder.apply("kept/doubler", &Doubler { factor: 3.0 }).is_err(),
                "it is locked"
            );

            let bottles =
                |number| larder.load::<Cellar>(format!("kept/cellar@{number}")).unwrap().bottles;
            assert_eq!((bottles(1), bottles(2)), (36, 37));
            let cellar: Cellar = larder.load("kept/cellar@1").unwrap();
            assert_eq!(cellar.list.get().unwrap(), &["Riesling", "Merlot"]);
            assert_eq!(
                larder.show("kept/cellar@1").unwrap().manifest.type_tag().as_str(),
                "fixture/rack"
            );
            assert_eq!(larder.show("kept/cellar@2").unwrap().manifest.type_version(), 2);

            assert_eq!(
                larder.maintenance().removed("kept/cellar").unwrap()[0].version.version.get(),
                3
            );
            larder.maintenance().restore("kept/cellar@3").unwrap();
            assert_eq!(bottles(3), 38);
            // The clock of the fixture is ahead of ours: the blob was condemned, and waits.
            let options = GcOptions::new().grace(Duration::from_secs(3600)).dry_run(true);
            assert_eq!(larder.maintenance().gc(&options).unwrap().pending.len(), 1);
        });
    }
}

#[test]
fn format_1_is_read_and_written_on() {
    for url in ["sqlite:sqlite.db", "fs:folder"] {
        opened("format-1", url, |larder| {
            holds_what_was_written(larder);
            goes_on(larder);
        });
    }
}
