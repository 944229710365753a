//! Versions of one name in one commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::collections::Insert;
use larder::collections::arrow_array::{ArrayRef, Int64Array, RecordBatch};
use larder::extend::LarderExt as _;
use larder::prelude::*;
use larder::store::{BucketStore, Digest, MemoryStore};
use larder::{
    ApplyOptions, Error, HookContext, HookResult, Hooks, Ref, Registry, Selection, VersionInfo,
};
use larder_store_object::object_store::{memory::InMemory, path::Path};
use larder_tests::Doubler;
use larder_tests::stepwise::Stepwise;

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/row/checked")]
struct Checked {
    number: u64,
}

#[triggers]
impl Checked {
    #[trigger(apply)]
    fn check(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/row/parent")]
struct Parent {
    number: u64,
    child: Ref<Doubler>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/row/hooked", hooks)]
struct Hooked {
    number: u64,
}

impl Hooks for Hooked {
    fn on_create(&self, _: &HookContext) -> HookResult {
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/row/hooked-parent")]
struct HookedParent {
    number: u64,
    child: Ref<Hooked>,
}

fn in_a_row(
    larder: &Larder,
    factors: &[f64],
    onto: Digest,
) -> larder::Result<Option<Vec<VersionInfo>>> {
    let components: Vec<_> = factors.iter().map(|&factor| Doubler { factor }).collect();
    let components: Vec<_> = components.iter().map(|it| it as &dyn Component).collect();
    larder.apply_in_a_row(&"wine".parse()?, &components, &ApplyOptions::new().onto(onto))
}

fn first(larder: &Larder) -> Digest {
    larder.apply("wine", &Doubler { factor: 0.0 }).unwrap().version().digest
}

fn factors(larder: &Larder) -> Vec<f64> {
    let versions = larder.versions("wine").unwrap();
    let load = |it: &VersionInfo| larder.load::<Doubler>(it.reference()).unwrap().factor;
    versions.iter().map(load).collect()
}

/// A store in memory that counts its commits.
fn counting() -> (Larder, Arc<AtomicUsize>) {
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&commits);
    let store = Stepwise::new(&MemoryStore::new(), move |_, _, at| {
        counted.fetch_add(usize::from(at == 0), Ordering::SeqCst);
        Ok(true)
    });
    (Larder::new(Arc::new(store.isolated()), Registry::linked().unwrap()), commits)
}

#[test]
fn versions_in_a_row_take_one_commit() {
    let (larder, commits) = counting();
    let base = first(&larder);
    let before = commits.load(Ordering::SeqCst);
    let versions = in_a_row(&larder, &[1.0, 2.0, 3.0], base).unwrap().unwrap();
    assert_eq!(commits.load(Ordering::SeqCst), before + 1);
    assert_eq!(versions.iter().map(|it| it.version.get()).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(factors(&larder), [0.0, 1.0, 2.0, 3.0]);
    // Each of them is like one that was applied alone.
    for version in &versions {
        let shown = larder.show(version.reference()).unwrap();
        assert_eq!(shown.version.digest, version.digest);
        let by_digest = format!("wine@{}", version.digest);
        assert_eq!(larder.show(by_digest.as_str()).unwrap().version.version, version.version);
    }
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    let next = larder.apply("wine", &Doubler { factor: 4.0 }).unwrap();
    assert_eq!(next.version().version.get(), 5);

    // The base is not the newest any more: nothing is written.
    let error = in_a_row(&larder, &[5.0, 6.0], base).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert_eq!(factors(&larder).len(), 5);
}

#[test]
fn what_cannot_be_in_one_commit_is_left_to_the_caller() {
    let larder = larder::open("memory:").unwrap();
    let options = ApplyOptions::new();
    let apply = |components: &[&dyn Component], options: &ApplyOptions| {
        larder.apply_in_a_row(&"row".parse().unwrap(), components, options).unwrap()
    };
    let [one, two] = [1, 2].map(|number| Checked { number });
    assert!(apply(&[&one, &two], &options).is_none(), "each would create a job");
    assert!(larder.jobs().list(&Default::default()).count() == 0);
    assert!(larder.versions("row").is_err(), "nothing is there");
    let without = ApplyOptions::new().triggers(false);
    assert_eq!(apply(&[&one, &two], &without).unwrap().len(), 2);
    // A version with the content is there.
    let three = Checked { number: 3 };
    assert!(apply(&[&two, &three], &without).is_none());
    assert_eq!(larder.versions("row").unwrap().len(), 2);

    let store = BucketStore::over(Arc::new(InMemory::new()), &Path::from("some"), "test:").unwrap();
    let bucket = Larder::new(Arc::new(store), Registry::linked().unwrap());
    let base = first(&bucket);
    assert!(in_a_row(&bucket, &[1.0, 2.0], base).unwrap().is_none(), "a bucket shows parts");
    assert_eq!(factors(&bucket), [0.0]);
}

#[test]
fn versions_whose_children_have_hooks_are_left_to_the_caller() {
    let larder = larder::open("memory:").unwrap();
    let parents = [1, 2].map(|number| {
        let hooked = Ref::new("hooked", Hooked { number: 7 }).unwrap();
        HookedParent { number, child: hooked }
    });
    let parents: Vec<_> = parents.iter().map(|it| it as &dyn Component).collect();
    let name = "parent".parse().unwrap();
    assert!(larder.apply_in_a_row(&name, &parents, &ApplyOptions::new()).unwrap().is_none());
    assert!(larder.versions("parent").is_err() && larder.versions("hooked").is_err());
    let [one, two] = [1, 2].map(|number| Hooked { number });
    let row = larder.apply_in_a_row(&name, &[&one, &two], &ApplyOptions::new());
    assert!(row.unwrap().is_none());
    assert!(larder.apply("parent", parents[0]).unwrap().is_created());
    assert_eq!(larder.load::<HookedParent>("parent").unwrap().number, 1);
}

#[test]
fn children_of_versions_in_a_row_are_written_once() {
    let larder = larder::open("memory:").unwrap();
    let child = |factor| Ref::new("child", Doubler { factor }).unwrap();
    let parents = [1, 2, 3].map(|number| Parent { number, child: child(2.0) });
    let parents: Vec<_> = parents.iter().map(|it| it as &dyn Component).collect();
    let name = "parent".parse().unwrap();
    let versions = larder.apply_in_a_row(&name, &parents, &ApplyOptions::new()).unwrap().unwrap();
    assert_eq!(versions.len(), 3);
    assert_eq!(larder.versions("child").unwrap().len(), 1);
    assert_eq!(larder.used_by("child@1").unwrap().len(), 3);
    let parent: Parent = larder.load("parent@2").unwrap();
    assert_eq!((parent.number, parent.child.get().unwrap().factor), (2, 2.0));
}

#[test]
fn a_writer_that_dies_among_versions_leaves_none_or_all_of_them() {
    let mut left = 0;
    loop {
        let memory = MemoryStore::new();
        let open = |left| {
            let store = Stepwise::stopping_after(left, &memory).isolated();
            Larder::new(Arc::new(store), Registry::linked().unwrap())
        };
        let base = first(&open(usize::MAX));
        let result = in_a_row(&open(left), &[1.0, 2.0, 3.0], base);
        let larder = open(usize::MAX);
        let newest = larder.load::<Doubler>("wine").unwrap().factor;
        assert_eq!(newest, if result.is_ok() { 3.0 } else { 0.0 }, "after {left} changes");
        if result.is_ok() {
            break;
        }
        // The next writer is not hindered.
        let versions = in_a_row(&larder, &[4.0, 5.0], base).unwrap().unwrap();
        assert_eq!(larder.load::<Doubler>("wine").unwrap().factor, 5.0);
        assert!(versions[0].version < versions[1].version);
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
        left += 1;
    }
    assert!((8..30).contains(&left), "{left} changes");
}

#[test]
fn inserts_in_a_row_take_fewer_commits_than_versions() {
    let (larder, commits) = counting();
    let rows = larder.untyped_collection("rows").unwrap();
    let batch = |at: i64| {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(at * 100..at * 100 + 100));
        RecordBatch::try_from_iter([("id", ids)]).unwrap()
    };
    let inserted = rows.insert_versions((0..60).map(|at| Ok(batch(at))), Insert::new().key("id"));
    assert_eq!(inserted.filter(Result::is_ok).count(), 60);
    assert_eq!(rows.versions().unwrap().len(), 60);
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits < 30, "{commits} commits of 60 versions");
}
