//! Dry runs of apply, and differences between versions.

mod folders;
mod hooked;
mod hostile;
mod jobs;
mod laws;
mod versions;

use larder::versions::RemoveOptions;
use std::collections::BTreeMap;

use larder::bytes::Bytes;
use larder::maintenance::diff::{Diff, FieldState, FieldValue, Plan};
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::{Digest, MemoryStore, StoreExt};
use larder::{Error, Registry};
use tempfile::TempDir;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/planned")]
struct Planned {
    rate: f64,
    title: Option<String>,
    weights: Artifact<Bytes, RawBytes>,
    parts: Vec<Artifact<Bytes, RawBytes>>,
}

impl Planned {
    /// One whose blobs are small, and some that no store writes in its commit.
    fn new(rate: f64, weights: u8) -> Self {
        let bytes = |byte, len| Artifact::new(Bytes::from(vec![byte; len]));
        let parts = vec![bytes(1, 10), bytes(2, 300_000)];
        Self { rate, title: None, weights: bytes(weights, 200_000), parts }
    }
}

/// A larder in each kind of store, and where its files are.
fn everywhere(test: impl Fn(&Larder, &TempDir)) {
    for scheme in ["memory", "sqlite", "fs"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("larder").display().to_string();
        let url = if scheme == "memory" { "memory:".into() } else { format!("{scheme}:{place}") };
        let larder = Registry::linked().unwrap().open(url.as_str()).unwrap();
        test(&larder, &folder);
    }
}

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

/// All that is in a store, and the names and sizes of its files.
type State = (BTreeMap<String, Vec<u8>>, BTreeMap<Digest, u64>, BTreeMap<String, u64>);

fn state(larder: &Larder, folder: &TempDir) -> State {
    let record = |found: larder::Result<(_, larder::store::Record)>| {
        let (key, record): (larder::store::RecordKey, _) = found.unwrap();
        (key.to_string(), record.value.to_vec())
    };
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let (path, meta) = entry.map(|it| (it.path(), it.metadata().unwrap())).unwrap();
            match meta.is_dir() {
                true => folders.push(path),
                false => drop(files.insert(path.display().to_string(), meta.len())),
            }
        }
    }
    let records = larder.store().records("").map(record).collect();
    (records, larder.store().blobs().map(Result::unwrap).collect(), files)
}

/// `state path`, for each field that is listed.
fn told(diff: &Diff) -> Vec<String> {
    diff.fields.iter().map(|field| format!("{} {}", field.state.as_str(), field.path)).collect()
}

fn json(value: &str) -> Option<FieldValue> {
    Some(FieldValue::Json(value.into()))
}

#[test]
fn a_plan_writes_nothing_at_all() {
    everywhere(|larder, folder| {
        larder.apply("kept", &Planned::new(0.5, 7)).unwrap();
        let before = state(larder, folder);
        for component in [Planned::new(0.5, 7), Planned::new(0.7, 8)] {
            larder.plan("kept", &component).unwrap();
            larder.plan("fresh", &component).unwrap();
        }
        let many = (0..60).map(|byte| Artifact::new(Bytes::from(vec![byte; 200_000])));
        larder.plan("fresh", &Planned { parts: many.collect(), ..Planned::new(0.7, 9) }).unwrap();
        assert_eq!(state(larder, folder), before, "{}", larder.store().url());
    });
}

#[test]
fn an_apply_does_what_was_planned() {
    everywhere(|larder, folder| {
        let steps = [(0.5, 7), (0.5, 7), (0.5, 8), (0.7, 8), (0.5, 7)];
        for (at, (rate, weights)) in steps.into_iter().enumerate() {
            let plan = larder.plan("planned", &Planned::new(rate, weights)).unwrap();
            let before = state(larder, folder).1;
            let applied = larder.apply("planned", &Planned::new(rate, weights)).unwrap();
            let version = applied.version();
            let Plan { created, stored, diff, .. } = plan;
            assert_eq!(created, applied.is_created(), "step {at}");
            let new = (diff.new.version, diff.new.digest, diff.new.size);
            assert_eq!(new, (version.version, version.digest, version.size), "step {at}");
            assert_eq!(diff.new.type_tag, version.type_tag);
            assert_eq!(diff.is_same(), !created);
            let new_blobs = state(larder, folder).1.into_iter();
            let written = new_blobs.filter(|(digest, _)| !before.contains_key(digest));
            assert_eq!(stored, written.map(|(_, size)| size).sum::<u64>(), "step {at}");
        }
    });
}

#[test]
fn a_plan_says_what_becomes_of_each_field() {
    let larder = larder();
    let first = larder.plan("planned", &Planned::new(0.5, 7)).unwrap();
    assert!(first.diff.old.is_none() && !first.diff.is_same());
    assert_eq!(
        told(&first.diff),
        ["added rate", "added title", "added weights", "added parts[0]", "added parts[1]"]
    );
    assert_eq!(first.diff.fields[0].new, json("0.5"));

    larder.apply("planned", &Planned::new(0.5, 7)).unwrap();
    let parts = vec![Artifact::new(Bytes::from(vec![2; 300_000]))];
    let planned = Planned { title: Some("x".into()), parts, ..Planned::new(0.5, 8) };
    let plan = larder.plan("planned", &planned).unwrap();
    assert_eq!(
        told(&plan.diff),
        ["same rate", "changed title", "changed weights", "removed parts[0]"]
    );
    let [rate, title, weights, part] = &plan.diff.fields[..] else { panic!("{plan:?}") };
    assert_eq!((&rate.old, &rate.new), (&None, &json("0.5")));
    assert_eq!((&title.old, &title.new), (&json("null"), &json("\"x\"")));
    let artifact = |byte: u8, len: usize| {
        Some(FieldValue::Artifact {
            digest: Digest::of(&vec![byte; len]),
            size: len as u64,
            serializer: "bytes".into(),
            held: 0,
        })
    };
    assert_eq!((&weights.old, &weights.new), (&artifact(7, 200_000), &artifact(8, 200_000)));
    assert_eq!((&part.old, &part.new), (&artifact(1, 10), &None));
    let counts = plan.diff.counts;
    assert_eq!((counts.same, counts.changed, counts.added, counts.removed), (1, 2, 0, 1));
    let bytes = plan.diff.bytes;
    assert_eq!((bytes.both, bytes.old, bytes.new), (300_000, 200_010, 200_000));
}

#[test]
fn what_was_only_planned_is_not_taken_for_stored() {
    everywhere(|larder, _| {
        let component = Planned::new(0.5, 7);
        larder.plan("planned", &component).unwrap();
        assert_eq!(component.weights.digest(), None);
        larder.apply("planned", &component).unwrap();
        let loaded: Planned = larder.load("planned").unwrap();
        assert_eq!(loaded.weights.get().unwrap()[..], [7; 200_000]);
        // What is stored already is not read to plan with it.
        let plan = larder.plan("planned", &loaded).unwrap();
        assert!(!plan.created && plan.stored == 0, "{plan:?}");
    });
}

#[test]
fn a_component_of_another_larder_is_planned_without_reading_its_bytes() {
    let (here, there) = (larder(), larder());
    there.apply("planned", &Planned::new(0.5, 7)).unwrap();
    let loaded: Planned = there.load("planned").unwrap();
    let plan = here.plan("planned", &loaded).unwrap();
    assert_eq!(plan.stored, plan.diff.new.size);
    assert!(!loaded.weights.is_decoded());

    let digests: Vec<_> = there.store().blobs().map(|blob| blob.unwrap().0).collect();
    there.store().remove_blobs(&digests).unwrap();
    let error = here.plan("planned", &loaded).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_plan_fails_as_the_apply_would() {
    let larder = larder();
    let told = |name: &str, component: &Planned| {
        let planned = larder.plan(name, component).unwrap_err();
        let applied = larder.apply(name, component).unwrap_err();
        assert_eq!(planned.to_string(), applied.to_string());
        planned
    };
    assert!(matches!(told("planned", &Planned::new(f64::NAN, 7)), Error::Lossy { .. }));
    assert!(matches!(told("Not A Name", &Planned::new(0.5, 7)), Error::InvalidName { .. }));
    larder.apply("planned", &Planned::new(0.5, 7)).unwrap();
    larder.locks().lock_name("planned").unwrap();
    assert!(matches!(told("planned", &Planned::new(0.7, 7)), Error::Blocked { .. }));
    assert!(!larder.plan("planned", &Planned::new(0.5, 7)).unwrap().created);
}

#[test]
fn a_plan_counts_what_an_unchanged_version_has_lost() {
    let larder = larder();
    larder.apply("planned", &Planned::new(0.5, 7)).unwrap();
    larder.store().remove_blobs(&[Digest::of(&[1; 10])]).unwrap();
    let plan = larder.plan("planned", &Planned::new(0.5, 7)).unwrap();
    assert_eq!((plan.created, plan.stored), (false, 10));
}

#[test]
fn a_plan_after_a_removal_is_of_the_next_number_and_the_version_before() {
    let larder = larder();
    for rate in [0.5, 0.6, 0.7] {
        larder.apply("planned", &Planned::new(rate, 7)).unwrap();
    }
    larder.remove("planned@3").unwrap();
    let diff = larder.plan("planned", &Planned::new(0.8, 7)).unwrap().diff;
    assert_eq!(diff.new.reference().to_string(), "planned@4");
    assert_eq!(diff.old.unwrap().reference().to_string(), "planned@2");
    larder.remove_all("planned", &RemoveOptions::new()).unwrap();
    let plan = larder.plan("planned", &Planned::new(0.8, 7)).unwrap();
    assert!(plan.created && plan.diff.old.is_none());
    assert_eq!(plan.diff.new.version.get(), 4);
    assert_eq!(plan.diff.counts.added, plan.diff.fields.len() as u64);
    assert!(plan.diff.fields.iter().all(|field| field.state == FieldState::Added));
}
