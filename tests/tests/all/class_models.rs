//! Class models: kept as a class and its files, refused before anything is written, built when loaded.

mod built;

use larder::Selection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder::prelude::*;
use larder::store::{ItemKind, MemoryStore, StoreExt};
use larder::{Error, Registry, Result};
use larder_tests::errors::refused;

/// Tells the nearest of the points in a file, with labels from a folder.
struct Nearest {
    points: Vec<f64>,
    labels: Vec<String>,
}

impl ClassModel for Nearest {
    const TAG: &'static str = "test/nearest";
    const ARTIFACTS: &'static [&'static str] = &["points", "labels"];

    fn new(artifacts: &Artifacts) -> Result<Self> {
        let read = |path: PathBuf| fs::read_to_string(path).map_err(Error::predict);
        let points = read(artifacts.path("points")?.to_owned())?;
        let points = points.lines().map(|line| line.parse().map_err(Error::predict));
        let labels = artifacts.path("labels")?;
        let points = points.collect::<Result<Vec<f64>>>()?;
        let label = |n| read(labels.join(format!("{n}/label.txt")));
        Ok(Self { labels: (0..points.len()).map(label).collect::<Result<_>>()?, points })
    }
}

impl Predict for Nearest {
    type Input = f64;
    type Output = String;

    fn predict(&self, x: f64) -> Result<String> {
        let distance = |n: &usize| (self.points[*n] - x).abs();
        let nearest = (0..self.points.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map(|n| self.labels[n].clone()).ok_or_else(|| Error::predict("no points"))
    }
}

larder::link!(larder::files::class::<Nearest>());

/// A class that nobody linked in.
struct Unlinked;

impl ClassModel for Unlinked {
    const TAG: &'static str = "test/unlinked";
    const ARTIFACTS: &'static [&'static str] = &[];
    fn new(_: &Artifacts) -> Result<Self> {
        Ok(Self)
    }
}

impl Predict for Unlinked {
    type Input = ();
    type Output = ();
    fn predict(&self, (): ()) -> Result<()> {
        Ok(())
    }
}

/// The files of a [`Nearest`]: one file, and a folder of files with one basename.
fn files(here: &Path) -> (PathBuf, PathBuf) {
    let (points, labels) = (here.join("points.txt"), here.join("labels"));
    fs::write(&points, "1\n5\n9\n").unwrap();
    for (n, label) in ["low", "middle", "high"].iter().enumerate() {
        fs::create_dir_all(labels.join(n.to_string())).unwrap();
        fs::write(labels.join(format!("{n}/label.txt")), label).unwrap();
    }
    (points, labels)
}

fn everywhere(test: impl Fn(&Path, &dyn Fn() -> Larder)) {
    for scheme in ["sqlite", "fs"] {
        let here = tempfile::tempdir().unwrap();
        let url = format!("{scheme}:{}", here.path().join("larder").display());
        let open = || larder::open(&url).unwrap().with_cache(here.path().join("cache"));
        test(here.path(), &open);
    }
}

fn logged(here: &Path, larder: &Larder) -> Applied {
    let (points, labels) = files(here);
    let mut run = larder.run("near").unwrap();
    run.log_artifact("points", points).unwrap();
    run.log_artifact("labels", labels).unwrap();
    run.log_requirements(&["kiddo 5", "hnsw"]).unwrap();
    run.log_model::<Nearest>(&["points", "labels"]).unwrap()
}

#[track_caller]
fn assert_empty(larder: &Larder) {
    assert_eq!(larder.store().records("").count(), 0, "no record was written");
    assert_eq!(larder.store().blobs().count(), 0, "no blob was written");
}

#[test]
fn a_class_model_is_rehearsed_kept_and_built_from_its_files_when_it_is_loaded() {
    everywhere(|here, open| {
        let (points, labels) = files(here);
        let larder = open();
        let mut run = larder.run("near").unwrap();
        run.log_artifact("points", &points).unwrap();
        run.log_artifact("labels", &labels).unwrap();
        run.log_artifact("unused", &labels).unwrap();
        let artifacts = run.fetch_artifacts(&["points", "labels"]).unwrap();
        assert_eq!(artifacts.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["labels", "points"]);
        assert_eq!(Nearest::new(&artifacts).unwrap().predict(4.0).unwrap(), "middle");
        assert_empty(&larder);
        run.log_model::<Nearest>(&["points", "labels"]).unwrap();

        fs::remove_file(points).unwrap();
        fs::remove_dir_all(labels).unwrap();
        let larder = open();
        let model = larder.load_class::<Nearest>("near").unwrap();
        assert_eq!(model.predict(8.0).unwrap(), "high");
        let model = larder.load_model("near@1").unwrap();
        assert_eq!(model.predict_json("0").unwrap(), "\"low\"");
        assert_eq!(model.predict_batch_json("[1, 5.5, 9]").unwrap(), r#"["low","middle","high"]"#);
        assert_eq!(model.signature().output.as_value()["type"], "string");
        let shown = larder.show("near").unwrap();
        assert_eq!(shown.version.type_tag.as_str(), "test/nearest");
        assert!(!shown.manifest.fields().contains("unused"), "only what the model was given");
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    });
}

#[test]
fn the_same_class_files_and_requirements_are_the_same_version() {
    everywhere(|here, open| {
        let larder = open();
        assert!(logged(here, &larder).is_created());
        assert!(!logged(here, &larder).is_created());
        let component = larder.load_component("near").unwrap();
        assert!(!larder.apply("near", &*component).unwrap().is_created(), "also when it is loaded");
    });
}

#[test]
fn unknown_keys_are_refused_by_name_before_anything_is_written() {
    everywhere(|here, open| {
        let larder = open();
        let mut run = larder.run("near").unwrap();
        run.log_artifact("points", files(here).0).unwrap();
        let text = run.fetch_artifacts(&["points", "index"]).unwrap_err().to_string();
        assert!(text.contains("`index`") && text.contains("points"), "{text}");
        let error = run.log_model::<Nearest>(&["points", "labels", "tf"]).unwrap_err();
        let Error::NotFound { reference, .. } = &error else { panic!("{error:?}") };
        assert!(reference.contains("`labels`, `tf`"), "{reference}");
        assert_empty(&larder);
    });
}

#[test]
fn keys_that_the_class_needs_are_asked_for_when_it_is_logged() {
    everywhere(|here, open| {
        let larder = open();
        let mut run = larder.run("near").unwrap();
        run.log_artifact("points", files(here).0).unwrap();
        run.log_artifact("labels", files(here).1).unwrap();
        let error = run.log_model::<Nearest>(&["points"]).unwrap_err();
        assert!(refused(&error).1.contains("`labels`"), "{error}");
        assert_empty(&larder);
    });
}

#[test]
fn an_existing_key_is_overwritten_only_when_it_is_said() {
    everywhere(|here, open| {
        let larder = open();
        let (points, labels) = files(here);
        let mut run = larder.run("near").unwrap();
        run.log_artifact("points", &labels).unwrap();
        let error = run.log_artifact("points", &points).unwrap_err();
        let (action, reason) = refused(&error);
        assert!([action, reason].iter().any(|it| it.contains("`points`")), "{error}");
        assert!(run.fetch_artifacts(&["points"]).unwrap().path("points").unwrap().is_dir());
        run.overwrite_artifact("points", &points).unwrap();
        let artifacts = run.fetch_artifacts(&["points"]).unwrap();
        assert_eq!(fs::read(artifacts.path("points").unwrap()).unwrap(), b"1\n5\n9\n");
        assert_empty(&larder);
    });
}

#[test]
fn equal_basenames_under_different_keys_never_meet() {
    everywhere(|here, open| {
        for key in ["a", "b"] {
            fs::create_dir_all(here.join(key)).unwrap();
            fs::write(here.join(key).join("model.bin"), key).unwrap();
        }
        let mut run = open().run("near").unwrap();
        run.log_artifact("a", here.join("a/model.bin")).unwrap();
        run.log_artifact("b", here.join("b/model.bin")).unwrap();
        let artifacts = run.fetch_artifacts(&["a", "b"]).unwrap();
        for key in ["a", "b"] {
            let path = artifacts.path(key).unwrap();
            assert_eq!(path.file_name().unwrap(), "model.bin");
            assert_eq!(fs::read_to_string(path).unwrap(), key);
        }
    });
}

#[cfg(unix)]
#[test]
fn an_artifact_with_a_link_or_no_file_at_all_is_refused_when_it_is_logged() {
    everywhere(|here, open| {
        let larder = open();
        let (_, labels) = files(here);
        std::os::unix::fs::symlink("/etc/passwd", labels.join("0/passwd")).unwrap();
        let mut run = larder.run("near").unwrap();
        let error = run.log_artifact("labels", &labels).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(matches!(run.log_artifact("points", here.join("gone")), Err(Error::Store { .. })));
        assert!(run.fetch_artifacts(&["labels"]).is_err(), "its key is still free");
        assert_empty(&larder);
    });
}

#[test]
fn keys_names_and_requirements_are_checked() {
    let larder = Larder::new(Arc::new(MemoryStore::new()), Registry::linked().unwrap());
    let mut run = larder.run("near").unwrap();
    for key in ["", "a/b", "../a", ".a", "ä", "a b", &"a".repeat(65)] {
        let refused = run.log_artifact(key, "Cargo.toml");
        assert!(matches!(refused, Err(Error::InvalidName { .. })), "{key}");
        assert!(matches!(
            run.overwrite_artifact(key, "Cargo.toml"),
            Err(Error::InvalidName { .. })
        ));
    }
    for text in ["", "  ", "a\nb", "\u{1b}[31m", &"a".repeat(201)] {
        assert!(matches!(run.log_requirements(&[text]), Err(Error::InvalidName { .. })), "{text}");
    }
    assert!(matches!(larder.run("../near"), Err(Error::InvalidName { .. })));
}

#[test]
fn a_class_that_is_not_linked_in_is_refused_when_it_is_logged() {
    everywhere(|_, open| {
        let larder = open();
        let error = larder.run("near").unwrap().log_model::<Unlinked>(&[]).unwrap_err();
        let Error::NotLinked { kind: ItemKind::Type, name, hint, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(name, "test/unlinked");
        assert!(hint.contains("files::class"), "{hint}");
        assert_empty(&larder);
    });
}

#[test]
fn a_tag_that_another_class_has_is_refused_when_it_is_logged() {
    struct Impostor;
    impl ClassModel for Impostor {
        const TAG: &'static str = Nearest::TAG;
        const ARTIFACTS: &'static [&'static str] = &[];
        fn new(_: &Artifacts) -> Result<Self> {
            Ok(Self)
        }
    }
    impl Predict for Impostor {
        type Input = ();
        type Output = ();
        fn predict(&self, (): ()) -> Result<()> {
            Ok(())
        }
    }
    everywhere(|_, open| {
        let larder = open();
        let error = larder.run("near").unwrap().log_model::<Impostor>(&[]).unwrap_err();
        assert!(matches!(error, Error::Duplicate { .. }), "{error}");
        assert_empty(&larder);
    });
}

#[test]
fn a_class_model_that_is_not_linked_in_here_is_shown_verified_and_named_when_it_is_loaded() {
    everywhere(|here, open| {
        logged(here, &open());
        let larder = Larder::new(Arc::clone(open().store()), Registry::new());
        assert!(larder.show("near").unwrap().manifest.fields().contains("kiddo 5"));
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
        let error = larder.load_model("near").unwrap_err();
        let Error::NotLinked { name, hint, .. } = &error else { panic!("{error:?}") };
        assert_eq!(name, "test/nearest");
        assert!(hint.contains("larder-tests"), "the crate that brings it: {hint}");
    });
}

#[test]
fn another_type_is_not_built_as_a_class_nor_a_class_loaded_as_a_component() {
    everywhere(|here, open| {
        let larder = open();
        logged(here, &larder);
        larder.apply("files", &Tree::read(files(here).0).unwrap()).unwrap();
        assert!(matches!(larder.load_class::<Nearest>("files"), Err(Error::WrongType { .. })));
        assert!(matches!(larder.load::<Tree>("near"), Err(Error::WrongType { .. })));
        assert!(matches!(larder.load_model("files"), Err(Error::NotAModel { .. })));
    });
}
