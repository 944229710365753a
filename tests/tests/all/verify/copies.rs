//! Facts that are stored twice: `verify` compares the copies.

use larder::jobs::JobContext;
use larder::maintenance::LarderMaintenance;
use larder::prelude::*;
use larder::store::{Change, Committed, Expected, RecordKey, StoreExt};
use larder::{Selection, triggers};

#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/copies")]
struct Counted(u64);

#[triggers]
impl Counted {
    #[trigger(apply)]
    fn look(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

fn stocked() -> Larder {
    let larder = larder::open("memory:").unwrap();
    for number in 1..=2 {
        larder.apply("a", &Counted(number)).unwrap();
        larder.tag("a", "prod").unwrap();
    }
    larder
}

fn faults(larder: &Larder) -> Vec<String> {
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    findings.into_iter().map(|it| format!("{}: {}", it.what, it.fault)).collect()
}

/// Edits the first record below a prefix.
fn edit(larder: &Larder, prefix: &str, edit: impl Fn(&str) -> String) {
    let (key, found): (RecordKey, _) =
        larder.store().list_records(prefix, None, 1).unwrap().remove(0);
    let edited = edit(std::str::from_utf8(&found.value).unwrap());
    assert_ne!(edited.as_bytes(), found.value);
    let change = Change::PutRecord { key, value: edited.into(), expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

#[test]
fn each_copy_that_differs_from_its_authority_is_found() {
    assert_eq!(faults(&stocked()), [""; 0]);
    type Damage = fn(&Larder);
    let cases: [(Damage, &str); 7] = [
        (
            |larder| edit(larder, "names/a", |json| json.replace("Z\"", "Z\",\"failure\":\"no\"")),
            "the record names/a: ",
        ),
        (
            |larder| {
                edit(larder, "versions/a/@0000000002", |json| {
                    json.replace("Z\"", "Z\",\"failure\":\"no\"")
                });
            },
            "the record versions/a/@0000000002",
        ),
        (
            |larder| {
                edit(larder, "tags/a/@prod", |json| json.replace("\"moves\":2", "\"moves\":1"))
            },
            "the record tags/a/@prod",
        ),
        (
            |larder| {
                edit(larder, "moves/a/@prod/@0000000002", |json| {
                    json.replace("\"version\":2", "\"version\":1")
                });
            },
            "the record moves/a/@prod/@0000000002",
        ),
        (
            |larder| {
                edit(larder, "tags/a/@prod", |json| json.replace("\"version\":2", "\"version\":1"))
            },
            "the record moves/a/@prod/@0000000002",
        ),
        (
            |larder| edit(larder, "jobs/a/@0000000001", |json| json.replace("tests/copies", "x")),
            "the record versions/a/@0000000001",
        ),
        (
            |larder| {
                edit(larder, "digests/a/", |json| json.replace("\"version\":", "\"version\":7"))
            },
            "its `version`",
        ),
    ];
    for (damage, expected) in cases {
        let larder = stocked();
        damage(&larder);
        let found = faults(&larder);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:?}");
    }
}

/// A load by name reads `latest` alone, and `verify` tells when it is stale.
#[test]
fn a_stale_latest_is_found_however_it_is_stale() {
    let larder = stocked();
    let stale = {
        let key = RecordKey::new("names/a").unwrap();
        let stale = larder.store().get_record(&key).unwrap().unwrap().value;
        larder.apply("a", &Counted(3)).unwrap();
        std::str::from_utf8(&stale).unwrap().to_owned()
    };
    edit(&larder, "names/a", |_| stale.clone());
    let found = faults(&larder);
    assert!(found.iter().any(|fault| fault.contains("the record names/a ")), "{found:?}");
}
