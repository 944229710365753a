//! Larders that become what another is.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::maintenance::{CopyOutcome, MirrorOptions};
use larder::store::{Remedy, StoreExt};
use larder::versions::RemoveOptions;
use larder::versions::{AnnotationsChange, TagOptions};
use larder::{Error, Larder};

use super::{everywhere, place, records, stocked, weights};

const KEEP: MirrorOptions = MirrorOptions::new();
const DELETE: MirrorOptions = MirrorOptions::new().delete(true);
const PLAN: MirrorOptions = MirrorOptions::new().delete(true).dry_run(true);

/// Every version that is there, as `net@3 b3:…`, every tag and all notes.
fn told(larder: &Larder) -> Vec<String> {
    let mut told = Vec::new();
    let names: Vec<_> = larder.list().map(|found| found.unwrap().identifier).collect();
    for name in names {
        for version in larder.versions(&name).unwrap() {
            let pin = version.reference();
            let notes = larder.annotations(&pin).unwrap();
            told.push(format!("{pin} {} {} {notes:?}", version.digest, version.created));
        }
        told.extend(larder.tags().of(&name).unwrap().iter().map(|tag| format!("{name} {tag:?}")));
    }
    told
}

fn assert_mirrors(from: &Larder, to: &Larder) {
    assert_eq!(told(from), told(to));
    assert_eq!(to.maintenance().verify(Selection::All).unwrap().findings, []);
    let again = from.maintenance().mirror(to, &DELETE).unwrap();
    assert!(again.copied.versions.iter().all(|it| it.outcome == CopyOutcome::Present));
    assert!(again.copied.tags.iter().all(|tag| tag.present), "{:?}", again.copied.tags);
    assert_eq!((again.copied.blobs, again.removed.len(), again.untagged.len()), (0, 0, 0));
    assert_eq!(again.restored, []);
}

#[test]
fn a_mirror_follows_whatever_happens_to_the_larder() {
    everywhere(|from, to| {
        stocked(from);
        let mirrored = from.maintenance().mirror(to, &KEEP).unwrap();
        assert_eq!(mirrored.copied.versions.len(), 3);
        assert_mirrors(from, to);

        // Versions, notes that change, tags that move, are protected, and are not any more.
        from.apply("net", &weights(4)).unwrap();
        let noted = AnnotationsChange::new().description("the first");
        from.annotate("net@1", &noted).unwrap();
        from.tags().set("net@4", "prod", &TagOptions::new().protected(true)).unwrap();
        from.maintenance().mirror(to, &KEEP).unwrap();
        assert_mirrors(from, to);
        from.annotate("net@1", &AnnotationsChange::new().description("the very first")).unwrap();
        from.tags().set("net@3", "prod", &TagOptions::new().protected(false).force(true)).unwrap();
        from.maintenance().mirror(to, &KEEP).unwrap();
        assert_mirrors(from, to);

        // Removals, and what is taken back.
        from.untag("other/net", "new").unwrap();
        from.remove_all("other/net", &RemoveOptions::new()).unwrap();
        from.remove("net@4").unwrap();
        let kept = from.maintenance().mirror(to, &KEEP).unwrap();
        assert_eq!((kept.removed.len(), kept.untagged.len()), (0, 0));
        assert_eq!(to.versions("net").unwrap().len(), 3);
        let before = records(to);
        let planned = from.maintenance().mirror(to, &PLAN).unwrap();
        assert_eq!(records(to), before, "a plan writes nothing");
        let deleted = from.maintenance().mirror(to, &DELETE).unwrap();
        assert_eq!((&planned.removed, &planned.untagged), (&deleted.removed, &deleted.untagged));
        let removed: Vec<_> = deleted.removed.iter().map(|it| it.reference().to_string()).collect();
        assert_eq!(removed, ["net@4", "other/net@1"]);
        assert_mirrors(from, to);
        from.maintenance().restore("net@4").unwrap();
        let planned = from.maintenance().mirror(to, &PLAN).unwrap();
        let restored = from.maintenance().mirror(to, &DELETE).unwrap();
        assert_eq!((planned.restored.len(), &planned.restored), (1, &restored.restored));
        assert_mirrors(from, to);
    });
}

#[test]
fn a_plan_writes_nothing_and_says_what_will_be() {
    everywhere(|from, to| {
        stocked(from);
        let before = records(to);
        let planned = from.maintenance().mirror(to, &PLAN).unwrap();
        assert_eq!((records(to), to.store().blobs().count()), (before, 0));
        assert_eq!(planned, from.maintenance().mirror(to, &DELETE).unwrap());
    });
}

#[test]
fn a_version_that_is_another_there_is_refused_before_anything_is_written() {
    everywhere(|from, to| {
        stocked(from);
        to.apply("other/net", &weights(8)).unwrap();
        let before = records(to);
        let error = from.maintenance().mirror(to, &DELETE).unwrap_err();
        let Error::Refused { action, .. } = &error else { panic!("{error}") };
        assert_eq!(action, "mirror other/net@1");
        assert_eq!(records(to), before);
    });
}

#[test]
fn versions_keep_their_numbers_whatever_the_target_has() {
    everywhere(|from, to| {
        from.apply("net", &weights(1)).unwrap();
        from.apply("net", &weights(2)).unwrap();
        from.remove("net@1").unwrap();
        // The same content under another number does not stand for it.
        to.apply("net", &weights(2)).unwrap();
        from.maintenance().mirror(to, &DELETE).unwrap();
        assert_mirrors(from, to);
        let numbers: Vec<_> =
            to.versions("net").unwrap().iter().map(|it| it.version.get()).collect();
        assert_eq!(numbers, [2]);
        // And the next is the next of both.
        assert_eq!(to.apply("net", &weights(3)).unwrap().version().version.get(), 3);
    });
}

#[test]
fn what_is_locked_in_the_target_stays_and_is_told() {
    let (from, to) = (place("memory:"), place("memory:"));
    let (from, to) = (&from.larder, &to.larder);
    stocked(from);
    from.maintenance().mirror(to, &KEEP).unwrap();
    to.locks().lock_name("net").unwrap();
    from.apply("net", &weights(4)).unwrap();
    let error = from.maintenance().mirror(to, &KEEP).unwrap_err();
    assert!(matches!(error, Error::Blocked { remedy: Remedy::Unlock, .. }), "{error}");
    to.locks().unlock_name("net").unwrap();
    from.maintenance().mirror(to, &KEEP).unwrap();
    assert_mirrors(from, to);
}
