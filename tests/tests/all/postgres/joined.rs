//! Records in one store, blobs in another.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::path::Path;
use std::sync::Arc;

use larder::maintenance::CopyOptions;
use larder::store::Composite;
use larder::store::{
    BucketStore, FsStore, MemoryStore, PostgresStore, SqliteStore, Store, StoreExt,
};
use larder::{Artifact, Error, Larder, Registry, StoreUrl};
use larder_testkit::all_store_laws;
use larder_tests::errors::{invalid, message, refused};
use larder_tests::postgres::{SECRET, Server};
use larder_tests::{Doubler, Parcel, s3};

use super::{assert_whole, noise, parcel};

fn joined(records: impl Store, blobs: impl Store) -> Arc<dyn Store> {
    Arc::new(Composite::new(Arc::new(records), Arc::new(blobs)).unwrap())
}

fn s3_server() -> s3::Server {
    s3::Server::start(Path::new(env!("CARGO_TARGET_TMPDIR")), &[])
}

/// Returns what is refused, and why.
#[track_caller]
fn refusal(url: &str) -> (String, String) {
    let error = larder::open(url).unwrap_err();
    let (action, reason) = refused(&error);
    (action.to_owned(), reason.to_owned())
}

#[test]
fn postgres_with_a_folder_keeps_every_law() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let url = server.url("laws").parse().unwrap();
    all_store_laws(&|| {
        joined(PostgresStore::open(&url).unwrap(), FsStore::open(folder.path()).unwrap())
    });
}

#[test]
fn postgres_with_a_bucket_keeps_every_law() {
    let (server, bucket) = (Server::start(), s3_server());
    let url = server.url("laws").parse().unwrap();
    let blobs = bucket.url("laws").parse().unwrap();
    all_store_laws(&|| {
        joined(PostgresStore::open(&url).unwrap(), BucketStore::open(&blobs).unwrap())
    });
}

#[test]
fn sqlite_with_a_folder_keeps_every_law() {
    let folder = tempfile::tempdir().unwrap();
    let (file, blobs) = (folder.path().join("larder.db"), folder.path().join("blobs"));
    all_store_laws(&|| joined(SqliteStore::open(&file).unwrap(), FsStore::open(&blobs).unwrap()));
}

#[test]
fn a_folder_with_memory_keeps_every_law() {
    let (folder, blobs) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    all_store_laws(&|| joined(FsStore::open(folder.path()).unwrap(), blobs.clone()));
}

/// The URL of records in Postgres and blobs in a bucket.
fn with_bucket(server: &Server, bucket: &s3::Server, name: &str) -> String {
    format!("{}&blobs={}", server.url(name), bucket.url(name).replace('&', "%26"))
}

#[test]
fn a_url_says_where_the_blobs_are_and_shows_no_secret() {
    let (server, bucket) = (Server::start(), s3_server());
    let url = with_bucket(&server, &bucket, "team");
    let larder = larder::open(&url).unwrap();
    larder.apply("large", &parcel(1, noise(3 << 20))).unwrap();
    larder.apply("small", &Doubler { factor: 2.0 }).unwrap();
    assert_eq!(server.sql("select count(*) from team.blobs"), "0");
    assert_eq!(larder.store().blobs().count(), 3);

    // It is read by another handle, and its own URL with the secrets leads there.
    let other = larder::open(&url).unwrap();
    let read: Parcel = other.load("large").unwrap();
    assert!(*read.content.get().unwrap() == noise(3 << 20));
    assert_whole(&other);
    let shown = other.store().url();
    assert!(shown.starts_with("postgres://127.0.0.1:"), "{shown}");
    assert!(shown.contains("&blobs=s3://larder/team?endpoint=http://127.0.0.1:"), "{shown}");
    for text in [shown, format!("{:?}", other.store()), format!("{other:?}")] {
        assert!(!text.contains(SECRET) && !text.contains("access_key"), "{text}");
    }
    for secret in ["select * from team.records", "select * from team.larder"] {
        assert!(!server.sql(secret).contains(SECRET), "a secret is stored");
    }
    let records = BucketStore::open(&bucket.url("team").parse().unwrap()).unwrap();
    for found in records.records("") {
        let text = String::from_utf8(found.unwrap().1.value.to_vec()).unwrap();
        assert!(!text.contains(SECRET), "{text}");
    }
    let wrong = larder::open(&url.replace("region%3D", "regoin%3D").replace("region=", "regoin="));
    let error = wrong.unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::InvalidName { what: "store URL", .. }), "{said}");
    assert!(said.contains("`regoin`") && !said.contains(SECRET), "{said}");
}

#[test]
fn half_a_larder_is_refused_and_says_where_the_other_half_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let records = format!("sqlite:{}", place("larder.db"));
    let blobs = format!("fs:{}", place("blobs"));
    let url = format!("{records}?blobs={blobs}");
    larder::open(&url).unwrap().apply("doubler", &Doubler { factor: 2.0 }).unwrap();
    larder::open(&url).unwrap();

    let (action, reason) = refusal(&records);
    assert!(action.contains(&records), "{action}");
    assert!(reason.contains(&blobs) && reason.contains("`blobs`"), "{reason}");
    let (action, reason) = refusal(&blobs);
    assert!(action.contains(&blobs) && reason.contains(&records), "{action}: {reason}");
    let other = format!("fs:{}", place("other"));
    let (_, reason) = refusal(&format!("{records}?blobs={other}"));
    assert!(reason.contains(&blobs) && reason.contains(&other), "{reason}");
    // Blobs that belong to one larder are none of another's: its collector would take them.
    let (_, reason) = refusal(&format!("sqlite:{}?blobs={blobs}", place("second.db")));
    assert_eq!(reason.matches(&*blobs).count(), 2, "{reason}");
    let (action, reason) = refusal(&format!("{blobs}?blobs={other}"));
    assert!(action.contains(&blobs) && reason.contains(&records), "{action}: {reason}");

    // Blobs that are gone are not replaced by none.
    std::fs::remove_dir_all(place("blobs")).unwrap();
    let (_, reason) = refusal(&url);
    assert!(reason.contains(&blobs), "{reason}");
}

#[test]
fn a_larder_that_keeps_its_blobs_itself_is_not_joined_and_full_stores_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let whole = format!("sqlite:{}", place("whole.db"));
    larder::open(&whole).unwrap().apply("doubler", &Doubler { factor: 2.0 }).unwrap();
    let (action, reason) = refusal(&format!("{whole}?blobs=fs:{}", place("blobs")));
    assert!(action.contains(&whole) && reason.contains("own blobs"), "{action}: {reason}");
    larder::open(&whole).unwrap();
    let (action, reason) = refusal(&format!("sqlite:{}?blobs={whole}", place("new.db")));
    assert!(action.contains(&whole) && reason.contains("not empty"), "{action}: {reason}");

    // What is copied to a new one is there.
    let joined = format!("sqlite:{}?blobs=fs:{}", place("next.db"), place("next"));
    let target = larder::open(&joined).unwrap();
    let source = larder::open(&whole).unwrap();
    source.maintenance().copy(Selection::All, &target, &CopyOptions::new()).unwrap();
    assert_eq!(target.load::<Doubler>("doubler").unwrap().factor, 2.0);
    assert_whole(&target);
}

/// A process that ends after any of the three steps of joining leaves what the next one goes on with.
#[test]
fn joining_goes_on_where_another_ended() {
    let (records, blobs) = (MemoryStore::new(), MemoryStore::new());
    Composite::new(Arc::new(records.clone()), Arc::new(blobs.clone())).unwrap();
    let all = |store: &MemoryStore| -> Vec<_> {
        store.records("").map(|found| found.unwrap().1.value).collect()
    };
    let (whole, half) = (all(&records), all(&blobs));
    let key = larder::store::RecordKey::new("joined/blobs").unwrap();
    let begun = String::from_utf8(whole[0].to_vec()).unwrap().replace(",\"joined\":true", "");
    assert_ne!(begun.as_bytes(), &whole[0][..]);
    for steps in [1, 2] {
        let (again, others) = (MemoryStore::new(), MemoryStore::new());
        let put = larder::store::Change::PutRecord {
            key: key.clone(),
            value: begun.clone().into(),
            expected: larder::store::Expected::Absent,
        };
        assert_eq!(again.commit(&[put]).unwrap(), larder::store::Committed::All);
        let others = if steps == 2 { blobs.clone() } else { others };
        Composite::new(Arc::new(again.clone()), Arc::new(others.clone())).unwrap();
        assert_eq!((all(&again), all(&others)), (whole.clone(), half.clone()), "after {steps}");
    }
}

#[test]
fn a_joined_larder_is_opened_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let url = format!("sqlite:{}?blobs=fs:{}", place("larder.db"), place("blobs"));
    std::thread::scope(|scope| {
        for n in 0..6 {
            let url = &url;
            scope.spawn(move || {
                let larder = larder::open(url).unwrap();
                let content = Artifact::new(noise(200_000).into());
                larder.apply(format!("parcel/{n}"), &Parcel { round: n, content }).unwrap();
            });
        }
    });
    let larder: Larder = larder::open(&url).unwrap();
    assert_eq!(larder.list().count(), 6);
    assert_whole(&larder);
}

#[test]
fn the_option_is_decoded_and_unknown_ones_are_still_refused() {
    let registry = Registry::linked().unwrap();
    let open = |url: &str| registry.open_store(&url.parse::<StoreUrl>().unwrap());
    assert_eq!(open("memory:?blobs=memory:").unwrap().url(), "memory:?blobs=memory:");
    for (url, fact) in [
        ("memory:?blobs=memory:%3Fx=1", "`x`"),
        ("memory:?blobs=memory:&x=1", "`x`"),
        ("memory:?blobs=", "empty"),
        ("memory:?blobs=a%2", "hex digits"),
        ("memory:?blobs=memory:%3Fblobs=memory:", "`blobs`"),
    ] {
        let error = open(url).unwrap_err();
        assert!(invalid(&error).contains(fact), "{url}: {error}");
    }
}
