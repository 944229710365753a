//! Laws of blobs.

use std::time::Duration;

use larder_core::Error;
use larder_core::bytes::Bytes;
use larder_core::store::{Digest, Store};

use super::{chain, commit, fresh_bytes, fresh_number, get_blob, ok, put_blob, write_blob};

/// The sizes at which stores change their ways: nothing, the limit of small blobs, large ones.
fn sizes(store: &dyn Store) -> Vec<usize> {
    let inline = store.capabilities().inline_blob.min(4 << 20);
    let mut sizes = vec![0, 1, inline.saturating_sub(1), inline, inline + 1, 4096, (1 << 20) + 17];
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[track_caller]
fn assert_holds(store: &dyn Store, bytes: &Bytes, how: &str) {
    let (digest, len) = (Digest::of(bytes), bytes.len());
    let found = get_blob(store, &digest);
    assert!(found.as_ref() == Some(bytes), "a blob of {len} bytes, {how}, came back as another");
    let size = ok(store.stat_blobs(&[digest]), "stat a blob");
    assert_eq!(size, [Some(len as u64)], "the size of a blob {how}");
}

/// What was written comes back to the byte, whatever its size, by a writer and by a commit.
pub fn a_blob_comes_back_as_it_was(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        write_blob(store, &bytes);
        assert_holds(store, &bytes, "written by a writer");
        let bytes = fresh_bytes(size);
        commit(store, &[put_blob(&bytes)]);
        assert_holds(store, &bytes, "put by a commit");
    }
}

/// The pieces in which a blob is written make no difference, empty ones included.
pub fn a_blob_may_be_written_in_pieces(store: &dyn Store) {
    let bytes = fresh_bytes(300_000);
    let mut writer = ok(store.write_blob(), "open a writer");
    let mut rest = &bytes[..];
    for piece in (0..).map(|n| [1, 0, 7, 4096, 65_537][n % 5]) {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        if let Err(error) = writer.write_all(now) {
            panic!("the store failed to write a piece: {error}");
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    ok(writer.finish(&Digest::of(&bytes)), "finish a blob");
    assert_holds(store, &bytes, "written in pieces");
}

/// Bytes that are all there already are kept as a writer keeps them; again, they change nothing.
pub fn bytes_may_be_kept_at_once(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        for how in ["kept at once", "kept at once a second time"] {
            ok(store.keep_blob(&Digest::of(&bytes), bytes.clone()), "keep bytes");
            assert_holds(store, &bytes, how);
        }
    }
}

/// Read piece by piece a blob is the same. One that is not there has no piece, and an error of who takes them ends it.
pub fn a_blob_may_be_read_in_pieces(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        let mut read = Vec::new();
        let mut take = |piece: &[u8]| {
            read.extend_from_slice(piece);
            Ok(())
        };
        assert!(ok(store.read_blob(&digest, &mut take), "read a blob"), "a blob is there");
        assert!(read == bytes, "a blob of {size} bytes, read in pieces, came back as another");

        let mut refuse = |_: &[u8]| Err(Error::store("take a piece", "enough"));
        if size > 0 {
            let error = store.read_blob(&digest, &mut refuse).err();
            let said = error.map(|error| chain(&error)).unwrap_or_default();
            assert!(said.contains("enough"), "the error of who takes is given back: {said:?}");
        }
    }
    let mut pieces = 0;
    let mut count = |_: &[u8]| {
        pieces += 1;
        Ok(())
    };
    let missing = Digest::of(&fresh_bytes(1000));
    assert!(!ok(store.read_blob(&missing, &mut count), "read no blob"), "it is not there");
    assert_eq!(pieces, 0, "pieces of what is not there");
}

/// A blob is not there before it is finished, and a writer that is dropped leaves nothing behind.
pub fn an_abandoned_blob_leaves_nothing(store: &dyn Store) {
    for size in [10, (1 << 20) + 5] {
        let bytes = fresh_bytes(size);
        let digest = Digest::of(&bytes);
        let absent = |when| {
            let size = ok(store.stat_blobs(&[digest]), "stat a blob");
            assert_eq!(size, [None], "{when}, the blob has no size");
            assert_eq!(get_blob(store, &digest), None, "{when}, the blob has no bytes");
            assert!(!listed(store, 100).contains(&digest), "{when}, the blob is not listed");
        };
        let mut writer = ok(store.write_blob(), "open a writer");
        if let Err(error) = writer.write_all(&bytes) {
            panic!("the store failed to write a blob: {error}");
        }
        absent("before it is finished");
        drop(writer);
        absent("after it was abandoned");
    }
}

/// A blob that is there already stays as it is, however often and in whatever way it is put again.
pub fn a_blob_put_twice_is_one_blob(store: &dyn Store) {
    for size in [20, 200_000] {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        write_blob(store, &bytes);
        commit(store, &[put_blob(&bytes)]);
        commit(store, &[put_blob(&bytes), put_blob(&fresh_bytes(size))]);
        assert_holds(store, &bytes, "put four times");
        let times = listed(store, 100).iter().filter(|listed| **listed == digest).count();
        assert_eq!(times, 1, "it is listed once");
    }
}

/// Answers stand in the order of the questions: missing blobs are `None`, and a question asked twice is
/// answered twice.
pub fn blobs_are_answered_in_the_order_asked(store: &dyn Store) {
    let (small, large) = (fresh_bytes(11), fresh_bytes(150_000));
    let (a, b) = (write_blob(store, &small), write_blob(store, &large));
    let missing = Digest::of(&fresh_number().to_le_bytes());
    let asked = [b, missing, a, b, missing, a];
    let (s, l) = (Some(small), Some(large));
    let found = ok(store.get_blobs(&asked), "get blobs");
    let expected = [l.clone(), None, s.clone(), l, None, s];
    assert!(found == expected, "the bytes of blobs are in the order asked");
    let sizes = ok(store.stat_blobs(&asked), "stat blobs");
    assert_eq!(
        sizes,
        [Some(150_000), None, Some(11), Some(150_000), None, Some(11)],
        "the sizes of blobs are in the order asked"
    );
    assert!(ok(store.get_blobs(&[]), "get no blobs").is_empty());
    assert!(ok(store.stat_blobs(&[]), "stat no blobs").is_empty());
}

/// A listing gives every blob once, in the order of the digests, with its size, whatever the pages.
pub fn blobs_are_listed_by_digest_each_once(store: &dyn Store) {
    let put: Vec<_> = (0..40).map(|n| fresh_bytes(100 + n * 5_000)).collect();
    for (n, bytes) in put.iter().enumerate() {
        match n % 2 {
            0 => drop(write_blob(store, bytes)),
            _ => commit(store, &[put_blob(bytes)]),
        }
    }
    let whole = listed(store, usize::MAX);
    for bytes in &put {
        assert!(whole.contains(&Digest::of(bytes)), "a blob is missing from the listing");
    }
    assert_eq!(listed(store, 7), whole, "pages of 7 give the same as one page");
    let found = ok(store.list_blobs(None, 0), "list no blobs");
    assert!(found.is_empty(), "at most 0 blobs were asked for");
    for (digest, size) in ok(store.list_blobs(None, 1_000), "list blobs") {
        let stat = ok(store.stat_blobs(&[digest]), "stat a blob");
        assert_eq!(stat, [Some(size)], "the listed size of {digest:?}");
    }
    // A digest that is not there is a place to go on from as well.
    let nowhere = Digest::of(&fresh_number().to_le_bytes());
    let after = ok(store.list_blobs(Some(&nowhere), 1), "list blobs");
    let first = after.first().map(|(digest, _)| *digest);
    assert_eq!(first, whole.into_iter().find(|digest| *digest > nowhere));
}

/// Every blob, page by page, checked to be in order.
#[track_caller]
fn listed(store: &dyn Store, page: usize) -> Vec<Digest> {
    let mut all: Vec<Digest> = Vec::new();
    loop {
        let found = ok(store.list_blobs(all.last(), page), "list blobs");
        assert!(found.len() <= page, "{} blobs in a page of at most {page}", found.len());
        if found.is_empty() {
            return all;
        }
        for (digest, _) in found {
            assert!(all.last().is_none_or(|last| *last < digest), "digests are listed in order");
            all.push(digest);
        }
    }
}

/// A removed blob is gone, may be removed again, and may be put again; others stay.
pub fn a_removed_blob_is_gone(store: &dyn Store) {
    for size in [30, 400_000] {
        let (bytes, other) = (fresh_bytes(size), fresh_bytes(size));
        let digest = write_blob(store, &bytes);
        write_blob(store, &other);
        let missing = Digest::of(&fresh_number().to_le_bytes());
        ok(store.remove_blobs(&[missing, digest, digest]), "remove blobs");
        ok(store.remove_blobs(&[digest]), "remove a blob that is gone");
        assert_eq!(get_blob(store, &digest), None, "a removed blob has no bytes");
        assert_eq!(ok(store.stat_blobs(&[digest]), "stat a blob"), [None]);
        assert!(!listed(store, 100).contains(&digest), "a removed blob is not listed");
        assert_holds(store, &other, "beside one that was removed");
        write_blob(store, &bytes);
        assert_holds(store, &bytes, "put again after its removal");
    }
}

/// Removing what dead writers left does not touch a blob that is being written.
pub fn what_a_living_writer_works_on_is_left_alone(store: &dyn Store) {
    let bytes = fresh_bytes(300_000);
    let mut writer = ok(store.write_blob(), "open a writer");
    for piece in bytes.chunks(100_000) {
        if let Err(error) = writer.write_all(piece) {
            panic!("the store failed to write a piece: {error}");
        }
        ok(store.remove_unfinished(Duration::ZERO), "remove what is unfinished");
    }
    ok(writer.finish(&Digest::of(&bytes)), "finish a blob");
    assert_holds(store, &bytes, "written while leavings were removed");
}

/// Bytes that were handed out stay as they are when their blob is removed.
pub fn bytes_handed_out_outlive_their_blob(store: &dyn Store) {
    for size in [40, 3 << 20] {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        let held = get_blob(store, &digest);
        ok(store.remove_blobs(&[digest]), "remove a blob");
        commit(store, &[put_blob(&fresh_bytes(size))]);
        assert!(held == Some(bytes), "bytes of {size} changed after their blob was removed");
    }
}
