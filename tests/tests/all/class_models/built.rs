//! When a class model is built, and what it was made with.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use larder::prelude::*;
use larder::store::{Change, Committed, Expected};
use larder::store::{MemoryStore, StoreExt};
use larder::versions::Toolchain;
use larder::{Error, Registry, Result};
use larder_tests::errors::refused;

use super::{Nearest, everywhere, files, logged};

#[test]
fn a_class_that_cannot_be_built_says_so_and_is_tried_again() {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    struct Second;
    impl ClassModel for Second {
        const TAG: &'static str = "test/second";
        const ARTIFACTS: &'static [&'static str] = &[];
        fn new(_: &Artifacts) -> Result<Self> {
            match TRIES.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Error::predict("not yet")),
                1 => panic!("not yet either"),
                _ => Ok(Self),
            }
        }
    }
    impl Predict for Second {
        type Input = ();
        type Output = usize;
        fn predict(&self, (): ()) -> Result<usize> {
            Ok(TRIES.load(Ordering::SeqCst))
        }
    }
    let mut registry = Registry::new();
    registry.register(larder::files::class::<Second>()).unwrap();
    let larder = Larder::new(Arc::new(MemoryStore::new()), registry);
    larder.run("second").unwrap().log_model::<Second>(&[]).unwrap();
    let model = larder.load_model("second").unwrap();
    assert!(matches!(model.predict_json("null"), Err(Error::Predict { .. })));
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.predict_json("null")));
    assert!(panicked.is_err());
    assert_eq!(model.predict_json("null").unwrap(), "3");
    assert_eq!(model.predict_json("null").unwrap(), "3", "it is built once");
}

#[test]
fn a_model_that_many_threads_ask_first_is_built_once() {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl ClassModel for Counted {
        const TAG: &'static str = "test/counted";
        const ARTIFACTS: &'static [&'static str] = &[];
        fn new(_: &Artifacts) -> Result<Self> {
            BUILT.fetch_add(1, Ordering::SeqCst);
            Ok(Self)
        }
    }
    impl Predict for Counted {
        type Input = u32;
        type Output = u32;
        fn predict(&self, x: u32) -> Result<u32> {
            Ok(x)
        }
    }
    let mut registry = Registry::new();
    registry.register(larder::files::class::<Counted>()).unwrap();
    let larder = Larder::new(Arc::new(MemoryStore::new()), registry);
    larder.run("counted").unwrap().log_model::<Counted>(&[]).unwrap();
    assert_eq!(BUILT.load(Ordering::SeqCst), 0, "logging builds nothing");
    let model = larder.load_model("counted").unwrap();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(model.predict_json("7").unwrap(), "7");
            });
        }
    });
    assert_eq!(BUILT.load(Ordering::SeqCst), 1);
}

#[test]
fn damaged_files_are_an_error_of_the_prediction_and_nothing_is_built() {
    everywhere(|here, open| {
        logged(here, &open());
        let larder = open();
        let digest = larder::store::Digest::of(b"1\n5\n9\n");
        larder.store().remove_blobs(&[digest]).unwrap();
        let bytes = larder::bytes::Bytes::from_static(b"1\n5\n8\n");
        let change = Change::PutBlob { digest, bytes };
        assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        assert!(matches!(larder.load_class::<Nearest>("near"), Err(Error::Corrupt { .. })));
        let model = larder.load_model("near").unwrap();
        assert!(matches!(model.predict_json("1"), Err(Error::Corrupt { .. })));
    });
}

#[test]
fn what_a_class_model_was_made_with_is_recorded_and_a_difference_is_told_or_refused() {
    everywhere(|here, open| {
        let larder = open();
        let applied = logged(here, &larder);
        let here_now = applied.version().toolchain.clone().expect("it is recorded");
        let told = Toolchain::here().expect("the build script tells the compiler");
        assert_eq!((&here_now.rustc, &here_now.target), (&told.rustc, &told.target));
        let features = here_now.features.as_deref().expect("the macro sees the crate's features");
        let on: &[&str] = if cfg!(feature = "servers") { &["servers"] } else { &[] };
        assert_eq!(features, on);
        let lock = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let lock_digest = larder::store::Digest::of(&lock);
        assert_eq!(here_now.lockfile, Some(lock_digest));
        assert!(larder.show("near").unwrap().differences.is_empty());
        assert!(larder.clone().strict().load_model("near").is_ok());

        for (key, record) in larder.store().records("").collect::<Result<Vec<_>>>().unwrap() {
            let text = String::from_utf8(record.value.to_vec()).unwrap();
            let text = text.replace(r#""features":["servers"]"#, r#""features":[]"#);
            let text =
                text.replace(&here_now.rustc, "1.2.3").replace("larder-tests 0", "larder-tests 9");
            let text = text.replace(r#""features":[]"#, r#""features":["gpu"]"#);
            let text =
                text.replace(&lock_digest.to_hex(), &larder::store::Digest::of(b"").to_hex());
            let change =
                Change::PutRecord { key, value: text.into(), expected: Expected::Anything };
            assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        }
        let differences = larder.show("near").unwrap().differences;
        let told: Vec<_> = differences.iter().map(|d| (d.what, d.recorded.as_str())).collect();
        assert_eq!(told[0], ("crate", concat!("larder-tests 9", ".1.0")));
        assert_eq!(told[1], ("rustc", "1.2.3"));
        assert_eq!(told[2], ("features", "gpu"));
        assert_eq!(
            (told[3].0, differences[3].here.as_str()),
            ("Cargo.lock", &*lock_digest.short())
        );
        assert_eq!(told.len(), 4);
        assert!(larder.load_model("near").is_ok(), "it loads all the same");
        assert!(larder.load_class::<Nearest>("near").is_ok());
        let strict = larder.clone().strict();
        for error in [strict.load_model("near").err(), strict.load_class::<Nearest>("near").err()] {
            let error = error.expect("strict refuses");
            assert!(refused(&error).1.contains("1.2.3"), "{error}");
        }
    });
}

#[test]
fn a_type_of_larders_own_is_the_same_whichever_release_wrote_it() {
    everywhere(|here, open| {
        let larder = open();
        larder.apply("files", &Tree::read(files(here).0).unwrap()).unwrap();
        for (key, record) in larder.store().records("").collect::<Result<Vec<_>>>().unwrap() {
            let text = String::from_utf8(record.value.to_vec()).unwrap();
            let text = text.replace("larder-files 0", "larder-files 9");
            let change =
                Change::PutRecord { key, value: text.into(), expected: Expected::Anything };
            assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        }
        let version = larder.show("files").unwrap().version;
        assert!(version.origin.unwrap().starts_with("larder-files 9"));
        assert!(larder.strict().load::<Tree>("files").is_ok());
    });
}

#[test]
fn a_component_that_is_no_class_model_records_no_toolchain() {
    everywhere(|here, open| {
        let larder = open();
        larder.apply("files", &Tree::read(files(here).0).unwrap()).unwrap();
        assert_eq!(larder.show("files").unwrap().version.toolchain, None);
        let records = larder.store().records("versions/").collect::<Result<Vec<_>>>().unwrap();
        assert!(!std::str::from_utf8(&records[0].1.value).unwrap().contains("toolchain"));
    });
}
