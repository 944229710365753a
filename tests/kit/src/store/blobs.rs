//! Laws of blobs.

use std::fs;
use std::time::Duration;

use larder_core::Error;
use larder_core::bytes::Bytes;
use larder_core::store::{Blob, Corruption, Digest, Store, StoreExt, with_causes};

use super::{commit, fresh_bytes, fresh_number, get_blob, ok, put_blob, write_blob};

/// Returns sizes at which stores behave differently: empty, around the limit of small blobs, and large.
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

/// A blob of any size comes back byte for byte, written by a writer or by a commit.
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

/// A blob may be written in any pieces, including empty ones.
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

/// A blob passed to a writer as one `Bytes` is the same as one written in pieces. A second write changes nothing.
pub fn a_blob_may_be_written_as_bytes(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        for how in ["written as bytes", "written as bytes a second time"] {
            ok(store.put_blob(&Digest::of(&bytes), bytes.clone()), "write a blob as bytes");
            assert_holds(store, &bytes, how);
        }
    }
}

/// A writer joins bytes and pieces in the order of the calls.
pub fn bytes_and_pieces_are_joined_in_order(store: &dyn Store) {
    for [first, second, third] in [[10, 20, 30], [700_000, 1 << 20, 5], [3, 2 << 20, 600_000]] {
        let bytes = fresh_bytes(first + second + third);
        let (a, rest) = bytes.split_at(first);
        let (b, c) = rest.split_at(second);
        for bytes_at in 0..8 {
            let mut writer = ok(store.write_blob(), "open a writer");
            for (at, part) in [a, b, c].into_iter().enumerate() {
                let written = match bytes_at >> at & 1 {
                    0 => writer.write_all(part),
                    _ => writer.write_bytes(bytes.slice_ref(part)),
                };
                if let Err(error) = written {
                    panic!("the store failed to write a part of a blob: {error}");
                }
            }
            ok(writer.finish(&Digest::of(&bytes)), "finish a blob");
            assert_holds(store, &bytes, "written as bytes and pieces");
            ok(store.remove_blobs(&[Digest::of(&bytes)]), "remove a blob");
        }
    }
}

/// Reads a blob piece by piece.
#[track_caller]
fn in_pieces(blob: &Blob) -> Vec<u8> {
    let mut read = Vec::new();
    let taken = blob.for_each_piece(|piece| {
        read.extend_from_slice(piece);
        Ok(())
    });
    ok(taken, "read a blob in pieces");
    read
}

/// A blob read in pieces is the same, also when it is read again. A missing blob is not found, and an error of the
/// reader ends the reading and is returned.
pub fn a_blob_may_be_read_in_pieces(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        let Some(blob) = ok(store.read_blob(&digest), "read a blob") else {
            panic!("a blob of {size} bytes is missing");
        };
        for time in ["the first time", "the second time"] {
            assert!(in_pieces(&blob) == bytes, "a blob of {size} bytes, read in pieces {time}");
            assert!(ok(blob.bytes(), "read the bytes of a blob") == bytes, "as bytes {time}");
        }
        if size > 0 {
            let mut calls = 0;
            let refused = blob.for_each_piece(|_| {
                calls += 1;
                Err(Error::store("take a piece", "enough"))
            });
            let said = refused.err().map(|error| with_causes(&error)).unwrap_or_default();
            assert!(said.contains("enough"), "the error of the reader is returned: {said:?}");
            assert_eq!(calls, 1, "the error of the reader ends the reading");
        }
    }
    let missing = Digest::of(&fresh_bytes(1000));
    assert!(ok(store.read_blob(&missing), "read a missing blob").is_none(), "it is missing");
}

/// If a store names the file of a blob, the file holds the content and nothing else.
pub fn the_file_of_a_blob_holds_its_content(store: &dyn Store) {
    for size in sizes(store) {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        let Some(blob) = ok(store.read_blob(&digest), "read a blob") else {
            panic!("a blob of {size} bytes is missing");
        };
        if let Some(path) = blob.path() {
            match fs::read(path) {
                Ok(read) => assert!(read == bytes, "the file of a blob of {size} bytes"),
                Err(error) => panic!("cannot read the file of a blob of {size} bytes: {error}"),
            }
        }
    }
}

/// A blob is not visible before it is finished, and a dropped writer leaves nothing behind.
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

/// An existing blob stays as it is, however often and in whatever way it is put again.
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

/// Answers are in the order of the digests. A missing blob is `None`, and a digest given twice is answered twice.
pub fn blobs_are_answered_in_the_order_asked(store: &dyn Store) {
    let (small, large) = (fresh_bytes(11), fresh_bytes(150_000));
    let (a, b) = (write_blob(store, &small), write_blob(store, &large));
    let missing = Digest::of(&fresh_number().to_le_bytes());
    let asked = [b, missing, a, b, missing, a];
    let (s, l) = (Some(small), Some(large));
    let found = ok(store.read_blobs(&asked), "read blobs").into_iter();
    let bytes = |blob: Blob| ok(blob.bytes(), "read the bytes of a blob");
    let found: Vec<_> = found.map(|blob| blob.map(bytes)).collect();
    let expected = [l.clone(), None, s.clone(), l, None, s];
    assert!(found == expected, "the bytes of blobs are in the order asked");
    let sizes = ok(store.stat_blobs(&asked), "stat blobs");
    assert_eq!(
        sizes,
        [Some(150_000), None, Some(11), Some(150_000), None, Some(11)],
        "the sizes of blobs are in the order asked"
    );
    assert!(ok(store.read_blobs(&[]), "read no blobs").is_empty());
    assert!(ok(store.stat_blobs(&[]), "stat no blobs").is_empty());
}

/// A listing returns every blob once, ordered by digest, with its size, for any page size.
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
    // A listing may continue after a digest of no blob.
    let nowhere = Digest::of(&fresh_number().to_le_bytes());
    let after = ok(store.list_blobs(Some(&nowhere), 1), "list blobs");
    let first = after.first().map(|(digest, _)| *digest);
    assert_eq!(first, whole.into_iter().find(|digest| *digest > nowhere));
}

/// Lists every blob, page by page, and checks the order.
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

/// A removed blob is gone and may be removed or put again. Other blobs stay.
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

/// Removing unfinished files does not affect a blob that is being written.
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
    assert_holds(store, &bytes, "written while unfinished files were removed");
}

/// Bytes stay as they are when their blob is removed. A blob found before its removal and read afterwards gives
/// the old content, or says that it is missing.
pub fn bytes_outlive_their_blob(store: &dyn Store) {
    for size in [40, 3 << 20] {
        let bytes = fresh_bytes(size);
        let digest = write_blob(store, &bytes);
        let held = get_blob(store, &digest);
        let Some(unread) = ok(store.read_blob(&digest), "read a blob") else {
            panic!("a blob of {size} bytes is missing");
        };
        ok(store.remove_blobs(&[digest]), "remove a blob");
        commit(store, &[put_blob(&fresh_bytes(size))]);
        assert!(
            held.as_ref() == Some(&bytes),
            "bytes of {size} changed after their blob was removed"
        );
        let mut pieces = Vec::new();
        let read = unread.for_each_piece(|piece| {
            pieces.extend_from_slice(piece);
            Ok(())
        });
        for (read, how) in [(read.map(|()| pieces.into()), "pieces"), (unread.bytes(), "bytes")] {
            match read {
                Ok(read) => assert!(read == bytes, "{how} of a blob that was removed"),
                Err(Error::Corrupt { fault: Corruption::Missing, .. }) => {}
                Err(error) => panic!("{how} of a blob that was removed: {}", with_causes(&error)),
            }
        }
    }
}
