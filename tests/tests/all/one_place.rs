//! A larder in SQLite is a file and a folder: however its path is written, wherever the file goes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder::bytes::Bytes;
use larder::maintenance::LarderMaintenance;
use larder::store::{Corruption, Digest, SqliteStore, Store, StoreExt};
use larder::{Error, Larder, Registry};
use larder_testkit::all_store_laws;
use larder_tests::errors::{invalid, message};

/// Too large for a row.
const LARGE: usize = 200_000;

fn open(path: &Path) -> Larder {
    larder::open(path.to_str().unwrap()).unwrap()
}

fn blob(byte: u8, size: usize) -> (Digest, Bytes) {
    let bytes = Bytes::from(vec![byte; size]);
    (Digest::of(&bytes), bytes)
}

fn put(larder: &Larder, byte: u8, size: usize) -> larder::Result<Digest> {
    let (digest, bytes) = blob(byte, size);
    larder.store().put_blob(&digest, bytes)?;
    Ok(digest)
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_way_to_write_a_path_leads_to_the_same_files() {
    for is_there_before in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("real/deep")).unwrap();
        fs::create_dir(path("links")).unwrap();
        let real = path("real/deep/s.db");
        symlink(&real, path("absolute.db")).unwrap();
        symlink("../real/deep/s.db", path("links/relative.db")).unwrap();
        symlink("links/relative.db", path("twice.db")).unwrap();
        symlink("real/deep", path("folder")).unwrap();
        symlink("folder/../deep/s.db", path("real.db")).unwrap();
        let ways: Vec<PathBuf> = vec![
            path("absolute.db"),
            path("links/relative.db"),
            path("twice.db"),
            path("folder/s.db"),
            path("folder/../deep/s.db"),
            path("real/./deep/s.db"),
            path("real.db"),
        ];
        if is_there_before {
            open(&real);
        }
        for (byte, way) in ways.iter().enumerate() {
            let first = put(&open(way), byte as u8, LARGE).unwrap();
            for other in ways.iter().chain([&real]) {
                let found = open(other).store().get_blob(&first).unwrap();
                assert_eq!(found.map(|bytes| bytes.len()), Some(LARGE), "{way:?} {other:?}");
            }
        }
        assert_eq!(names(&path("real/deep")), ["s.db", "s.db.blobs"]);
        assert_eq!(
            names(folder.path()),
            ["absolute.db", "folder", "links", "real", "real.db", "twice.db"]
        );
        assert_eq!(names(&path("links")), ["relative.db"]);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    symlink("none/s.db", path("lost.db")).unwrap();
    symlink("b.db", path("a.db")).unwrap();
    symlink("a.db", path("b.db")).unwrap();
    for name in ["lost.db", "a.db", "none/s.db"] {
        let error = larder::open(path(name).to_str().unwrap()).unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{name}: {error:?}");
    }
    assert_eq!(names(folder.path()), ["a.db", "b.db", "lost.db"]);
}

/// Asserts that a larder misses its folder, which it names, and that nothing is written in its place.
fn misses_its_folder(larder: &Larder, lost: &Digest, folder: &Path, former: &str) {
    let named = folder.display().to_string();
    let left_behind = |error: Error| {
        assert!(
            matches!(&error, Error::Corrupt { fault: Corruption::LeftBehind(_), .. }),
            "{error:?}"
        );
        let said = message(&error);
        assert!(said.contains(&named) && said.contains(&format!("`{former}`")), "{said}");
    };
    let store = larder.store();
    left_behind(store.get_blob(lost).unwrap_err());
    left_behind(store.stat_blobs(&[*lost]).unwrap_err());
    left_behind(store.list_blobs(None, 10).unwrap_err());
    left_behind(put(larder, 77, LARGE).unwrap_err());
    assert!(!folder.exists());
    let damaged = larder.maintenance().health().unwrap().damaged;
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].fault.contains(&named), "{damaged:?}");
    let found = larder.maintenance().verify(larder::Selection::All).unwrap().findings;
    assert!(!found.is_empty() && found.iter().all(|it| it.fault.contains(&named)), "{found:?}");
    // Operations without large blobs work.
    let small = put_small(larder);
    assert_eq!(store.get_blob(&small).unwrap().unwrap().len(), 9);
}

fn put_small(larder: &Larder) -> Digest {
    let (digest, bytes) = blob(9, 9);
    let change = larder::store::Change::PutBlob { digest, bytes };
    assert_eq!(larder.store().commit(&[change]).unwrap(), larder::store::Committed::All);
    digest
}

#[test]
fn a_file_that_was_copied_or_moved_without_its_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("else")).unwrap();
    let digest = put(&open(&path("larder.db")), 1, LARGE).unwrap();

    fs::copy(path("larder.db"), path("else/larder.db")).unwrap();
    let copied = open(&path("else/larder.db"));
    misses_its_folder(&copied, &digest, &path("else/larder.db.blobs"), "larder.db.blobs");
    let done = std::process::Command::new("cp")
        .args(["-r", "larder.db.blobs", "else/"])
        .current_dir(folder.path())
        .status();
    assert!(done.unwrap().success());
    assert_eq!(copied.store().get_blob(&digest).unwrap().unwrap().len(), LARGE);
    assert_eq!(copied.maintenance().health().unwrap().damaged, []);
    put(&copied, 2, LARGE).unwrap();
    drop(copied);

    fs::rename(path("larder.db"), path("models.db")).unwrap();
    let moved = open(&path("models.db"));
    misses_its_folder(&moved, &digest, &path("models.db.blobs"), "larder.db.blobs");
    fs::rename(path("larder.db.blobs"), path("models.db.blobs")).unwrap();
    assert_eq!(moved.store().get_blob(&digest).unwrap().unwrap().len(), LARGE);

    // Lost blobs do not keep new versions out.
    fs::remove_dir_all(path("models.db.blobs")).unwrap();
    fs::create_dir(path("models.db.blobs")).unwrap();
    assert_eq!(moved.store().get_blob(&digest).unwrap(), None);
    put(&moved, 3, LARGE).unwrap();
}

#[test]
fn a_larder_without_the_record_of_its_folder_is_judged_by_its_manifests() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    fs::copy(fixture.join("sqlite.db"), &path).unwrap();
    let blobs = fixture.join("sqlite.db.blobs");
    let file = fs::read_dir(&blobs).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap();
    let digest = Digest::from_hex(&names(&file.path())[0]).unwrap();
    misses_its_folder(&open(&path), &digest, &folder.path().join("old.db.blobs"), "old.db.blobs");
}

#[test]
fn a_larder_that_never_had_a_folder_does_not_miss_one() {
    let folder = tempfile::tempdir().unwrap();
    let larder = open(&folder.path().join("larder.db"));
    put_small(&larder);
    let (absent, _) = blob(5, 5);
    assert_eq!(larder.store().get_blob(&absent).unwrap(), None);
    assert_eq!(larder.store().stat_blobs(&[absent]).unwrap(), [None]);
    assert_eq!(larder.maintenance().health().unwrap().damaged, []);
    assert_eq!(names(folder.path()).iter().filter(|name| name.contains("blobs")).count(), 0);
}

#[test]
fn a_file_with_two_names_is_read_but_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let small = put_small(&open(&path("larder.db")));
    fs::hard_link(path("larder.db"), path("second.db")).unwrap();
    for name in ["larder.db", "second.db"] {
        let larder = open(&path(name));
        assert_eq!(larder.store().get_blob(&small).unwrap().unwrap().len(), 9);
        let change = larder::store::Change::PutBlob { digest: small, bytes: blob(9, 9).1 };
        let error = larder.store().commit(&[change]).unwrap_err();
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.contains("2 names"), "{said}");
        assert!(put(&larder, 1, LARGE).is_err());
    }
    assert_eq!(names(folder.path()), ["larder.db", "second.db"]);
    fs::remove_file(path("second.db")).unwrap();
    put(&open(&path("larder.db")), 1, LARGE).unwrap();
}

#[test]
fn blobs_up_to_a_stated_size_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.db");
    let url = format!("sqlite:{}?inline=1MB", path.display());
    let larder = larder::open(&url).unwrap();
    let sizes = [70_000, 1_000_000, 999_999];
    let digests: Vec<_> =
        sizes.iter().zip(1..).map(|(size, byte)| put(&larder, byte, *size).unwrap()).collect();
    assert_eq!(names(folder.path()).iter().filter(|name| name.contains("blobs")).count(), 0);
    assert_eq!(put(&larder, 1, 70_000).unwrap(), digests[0], "again");
    let again = larder.store().url();
    assert!(again.ends_with("larder.db?inline=1000000"), "{again}");
    larder::open(&again).unwrap();
    drop(larder);

    // A copy of the file is a copy of the larder, for a reader without the option too.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let copy = open(&copy);
    for ((digest, size), byte) in digests.iter().zip(sizes).zip(1..) {
        assert_eq!(copy.store().get_blob(digest).unwrap().unwrap(), vec![byte; size]);
        let blob = copy.store().read_blob(digest).unwrap().unwrap();
        let (mut found, mut pieces) = (Vec::new(), 0);
        blob.for_each_piece(|piece| {
            pieces += 1;
            found.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert!(found == vec![byte; size] && pieces >= 1);
        let stopped = blob.for_each_piece(|_| Err(Error::internal("enough")));
        let is_own = |error: &Error| matches!(error, Error::Internal { what } if what == "enough");
        assert!(stopped.is_err_and(|error| is_own(&error)));
    }
    copy.store().remove_blobs(&digests[..1]).unwrap();
    assert_eq!(copy.store().get_blob(&digests[0]).unwrap(), None);

    // A larger blob is in the folder, complete.
    let larder = larder::open(&url).unwrap();
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|at| (at % 251) as u8).collect();
    let digest = Digest::of(&bytes);
    let mut writer = larder.store().write_blob().unwrap();
    for piece in bytes.chunks(70_001) {
        std::io::Write::write_all(&mut writer, piece).unwrap();
    }
    writer.finish(&digest).unwrap();
    assert_eq!(larder.store().get_blob(&digest).unwrap().unwrap(), bytes);
    assert!(larder.store().read_blob(&digest).unwrap().unwrap().path().is_some());
    assert!(folder.path().join("larder.db.blobs").is_dir());
}

#[test]
fn a_size_that_cannot_be_kept_inline_is_refused_before_a_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for size in ["", "much", "0", "65535", "1GB", "-1"] {
        let url = format!("sqlite:{}?inline={size}", folder.path().join("larder.db").display());
        let error = larder::open(&url).unwrap_err();
        let reason = invalid(&error);
        assert!(reason.contains("64KiB") && reason.contains("999MB"), "{size}: {reason}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_store_with_large_rows_keeps_every_law() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?inline=300kB", folder.path().join("larder.db").display());
    let registry = Registry::linked().unwrap();
    all_store_laws(&|| registry.open_store(&url.parse().unwrap()).unwrap());
}

#[test]
fn many_handles_of_one_process_meet_in_one_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.db");
    let start = std::sync::Barrier::new(8);
    let stores: Vec<Arc<dyn Store>> = std::thread::scope(|scope| {
        let open = || {
            start.wait();
            Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Store>
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (byte, store) in stores.iter().enumerate() {
        let (digest, bytes) = blob(byte as u8, LARGE);
        store.put_blob(&digest, bytes).unwrap();
        assert!(stores.iter().all(|store| store.has_blob(&digest).unwrap()));
    }
}
