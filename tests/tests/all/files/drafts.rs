//! Drafts: files that arrive one by one, and what is said of names.

use std::thread;
use std::time::{Duration, SystemTime};

use larder::bytes::Bytes;
use larder::files::drafts::{Draft, DraftContent, DraftId, DraftKind, DraftMetric, LarderDrafts};
use larder::files::{Tree, TreeListing};
use larder::maintenance::{CopyOptions, GcOptions, LarderMaintenance};
use larder::prelude::*;
use larder::store::{Digest, StoreExt, Timestamp, TreePath};
use larder::{Identifier, Selection};

use super::everywhere;

fn now() -> Timestamp {
    Timestamp::new(SystemTime::now())
}

fn id(text: &str) -> DraftId {
    DraftId::new(text).unwrap()
}

fn draft(larder: &Larder, text: &str) -> DraftId {
    let draft = Draft::new(DraftKind::Model, "model", "Default", now());
    larder.drafts().create(&id(text), &draft).unwrap();
    id(text)
}

fn add(larder: &Larder, id: &DraftId, path: &str, content: &str) -> larder::Result<bool> {
    let content = DraftContent::Bytes(Bytes::copy_from_slice(content.as_bytes()));
    larder.drafts().add_file(id, &TreePath::new(path)?, &content)
}

fn files(larder: &Larder, id: &DraftId) -> TreeListing {
    let draft = larder.drafts().get(id).unwrap().unwrap();
    larder.drafts().files(id, &draft).unwrap()
}

#[test]
fn files_that_arrive_at_once_are_all_there() {
    everywhere(|_, larder| {
        let id = draft(larder, "m-1");
        thread::scope(|scope| {
            for thread in 0..4 {
                let id = &id;
                scope.spawn(move || {
                    for file in 0..5 {
                        let path = format!("{thread}/{file}");
                        assert!(add(larder, id, &path, &path).unwrap());
                    }
                });
            }
        });
        assert_eq!(files(larder, &id).files.len(), 20);
    });
}

#[test]
fn a_version_made_of_a_draft_needs_no_other_blob() {
    let larder = larder::open("memory:").unwrap();
    let id = draft(&larder, "m-1");
    for (path, content) in [("MLmodel", "flavors:"), ("data/weights", "1234"), ("copy", "1234")] {
        add(&larder, &id, path, content).unwrap();
    }
    let at_once = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    for _ in 0..2 {
        larder.maintenance().gc(&at_once).unwrap();
    }
    // The manifest, and the content of two of the files once.
    let count = || larder.store().blobs().count();
    assert_eq!(count(), 3);
    let tree = files(&larder, &id).to_tree(&larder, "a test").unwrap();
    larder.apply("house/price", &tree).unwrap();
    assert_eq!(count(), 3, "the manifest is the same");
    assert!(larder.drafts().remove(&id).unwrap());
    assert!(!larder.drafts().remove(&id).unwrap());
    for _ in 0..2 {
        larder.maintenance().gc(&at_once).unwrap();
    }
    assert_eq!(count(), 3, "the version keeps them");
    assert_eq!(larder.load::<Tree>("house/price").unwrap().files().len(), 3);
}

#[test]
fn what_a_draft_cannot_hold_is_refused() {
    let larder = larder::open("memory:").unwrap();
    let id = draft(&larder, "m-1");
    let again = larder.drafts().create(&id, &Draft::new(DraftKind::Run, "x", "y", now()));
    assert!(matches!(again, Err(larder::Error::Conflict { .. })));
    assert!(!add(&larder, &DraftId::new("none").unwrap(), "a", "b").unwrap());
    add(&larder, &id, "a/b", "content").unwrap();
    assert!(matches!(add(&larder, &id, "a/b/c", "x"), Err(larder::Error::InvalidName { .. })));
    assert!(matches!(add(&larder, &id, "a", "x"), Err(larder::Error::InvalidName { .. })));
    let gone = DraftContent::Stored(Digest::of(b"nowhere"), 7);
    let added = larder.drafts().add_file(&id, &TreePath::new("gone").unwrap(), &gone);
    assert!(matches!(added, Err(larder::Error::Conflict { .. })), "{added:?}");
    let change = |change: &dyn Fn(&mut Draft)| {
        let changed = larder.drafts().change(&id, |draft| {
            change(draft);
            Ok(())
        });
        assert!(matches!(changed, Err(larder::Error::InvalidName { .. })), "{changed:?}");
    };
    change(&|draft| draft.name = "n".repeat(251));
    change(&|draft| drop(draft.labels.insert(String::new(), "x".into())));
    change(&|draft| drop(draft.parameters.insert("x".into(), "x".repeat(8_001))));
    change(&|draft| {
        let metric = DraftMetric { value: 1.0, step: 0, at: now() };
        draft.metrics = (0..1_001).map(|n| (n.to_string(), metric)).collect();
    });
    change(&|draft| {
        draft.labels = (0..100).map(|n| (n.to_string(), "x".repeat(7_000))).collect();
    });
    for bad in ["", "-a", "A", "a/b", "a.b", "ä", &"a".repeat(65)] {
        assert!(DraftId::new(bad).is_err(), "{bad}");
    }
    assert_eq!(files(&larder, &id).files.len(), 1);
}

#[test]
fn what_is_said_of_a_name_goes_with_its_versions() {
    let (from, to) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    let name = Identifier::new("house/price").unwrap();
    for content in ["1", "2", "3"] {
        from.apply(&name, &Tree::file("x", content).unwrap()).unwrap();
    }
    let say = |larder: &Larder, text: &str| {
        larder.drafts().describe(&name, |about| about.description = Some(text.into())).unwrap()
    };
    let said = say(&from, "by area");
    draft(&from, "m-1");
    from.maintenance().copy(Selection::All, &to, &CopyOptions::new()).unwrap();
    assert_eq!(to.drafts().about(&name).unwrap(), Some(said));
    assert_eq!(to.drafts().list().count(), 0, "a draft is no version");
    // A copy changes nothing that is there.
    say(&to, "another");
    from.maintenance().copy(Selection::All, &to, &CopyOptions::new()).unwrap();
    let there = to.drafts().about(&name).unwrap().unwrap();
    assert_eq!(there.description.as_deref(), Some("another"));
    assert!(to.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}
