//! Hostile archives: each is rejected with its own error and leaves no files.

mod builder;
mod folders;
mod mutations;

use std::collections::BTreeSet;

use builder::{
    Entry, accepted, assert_refused_within, good, packed, refused, replaced, tar, tar_without_end,
    with, with_last, with_second,
};
use larder::archive::Limits;

macro_rules! attacks {
    ($($name:ident: $why:literal, $make:expr;)*) => {
        $(#[test]
        fn $name() {
            let make: fn(Vec<Entry>) -> Vec<u8> = $make;
            refused(&make(good()), $why);
        })*

        #[test]
        fn each_attack_has_its_own_error() {
            let reasons = [$($why),*];
            let different: BTreeSet<_> = reasons.into_iter().collect();
            assert_eq!(reasons.len(), different.len());
            assert!(reasons.len() >= 30, "{}", reasons.len());
        }
    };
}

attacks! {
    rejects_symbolic_link: "`records/names/net.json` is a symbolic link",
        |all| with(all, "records/names/net", |it| it.kind(b'2').link_to("/etc/passwd"));
    rejects_hard_link: "`records/names/net.json` is a hard link",
        |all| with(all, "records/names/net", |it| it.kind(b'1').link_to("larder.json"));
    rejects_character_device: "character device",
        |all| with(all, "records/names/net", |it| it.kind(b'3').with_content(""));
    rejects_block_device: "block device",
        |all| with(all, "records/names/net", |it| it.kind(b'4').with_content(""));
    rejects_pipe: "pipe", |all| with(all, "records/names/net", |it| it.kind(b'6').with_content(""));
    rejects_folder_entry: "`blobs`",
        |all| with_second(all, Entry::file("blobs", "").kind(b'5'));
    rejects_sparse_file: "sparse", |all| with(all, "blobs/", |it| it.kind(b'S'));
    rejects_contiguous_file: "unknown type", |all| with(all, "blobs/", |it| it.kind(b'7'));
    rejects_gnu_long_name: "GNU long name",
        |all| with_second(all, Entry::file("././@LongLink", "../../evil\0").kind(b'L'));
    rejects_gnu_long_link: "GNU long link",
        |all| with_second(all, Entry::file("././@LongLink", "/etc/passwd\0").kind(b'K'));
    rejects_global_extended_header: "global extended header",
        |all| with_second(all, Entry::file("pax", "12 path=evil\n").kind(b'g'));
    rejects_extended_header_with_size: "more than a path",
        |all| with_second(all, Entry::file("pax", "12 size=9999\n").kind(b'x'));
    rejects_needless_extended_header: "header of `larder.json`",
        |mut all| {
            all.insert(0, Entry::file("pax", "20 path=larder.json\n").kind(b'x'));
            tar(&all)
        };
    rejects_second_extended_header: "second extended header",
        |all| {
            let at = all.iter().position(|it| it.path() == "././@PaxHeader").unwrap();
            let (mut all, again) = (all.clone(), all[at].clone());
            all.insert(at, again);
            tar(&all)
        };
    rejects_enormous_extended_header: "longer",
        |all| with_second(all, Entry::file("pax", vec![b'1'; 5_000]).kind(b'x'));
    rejects_absolute_path: "absolute path",
        |all| with_second(all, Entry::file("/tmp/larder-evil", "x"));
    rejects_path_traversal: "leaves",
        |all| with_second(all, Entry::file("blobs/../../evil", "x"));
    rejects_unnormalized_path: "normalized",
        |all| with(all, "larder.json", |it| it.named(b"./larder.json"));
    rejects_backslash_in_path: "`\\`",
        |all| with_second(all, Entry::file("blobs\\..\\..\\evil", "x"));
    rejects_capitals_in_path: "capital letters",
        |all| with(all, "records/names/net", |it| it.named(b"records/names/Net.json"));
    rejects_unknown_file: "`blobs/evil.sh`",
        |all| with_second(all, Entry::file("blobs/evil.sh", "rm -rf /"));
    rejects_non_utf8_name: "UTF-8",
        |all| with_second(all, Entry::file("x", "").named(b"blobs/\xff\xfe"));
    rejects_duplicate_file: "duplicate file",
        |all| { let first = all[0].clone(); with_second(all, first) };
    rejects_file_out_of_order: "out of order",
        |all| { let blob = all[1].clone(); with_last(all, blob) };
    rejects_missing_start: "not with larder.json", |all| tar(&all[1..]);
    rejects_empty_archive: "empty", |_| tar(&[]);
    rejects_missing_end: "truncated", |all| tar_without_end(&all);
    rejects_incomplete_end: "incomplete",
        |all| {
            let mut bytes = tar(&all);
            let last = bytes.len() - 1;
            bytes[last] = 1;
            bytes
        };
    rejects_trailing_data: "data follows",
        |all| [tar(&all), b"garbage".to_vec()].concat();
    rejects_trailing_archive_in_frame: "compressed data follows",
        |all| packed(&[tar(&all), tar(&all)].concat());
    rejects_nonzero_padding: "padding of `larder.json`",
        |all| {
            let mut bytes = tar(&all);
            bytes[1023] = 1;
            bytes
        };
    rejects_wrong_checksum: "checksum of a header",
        |all| {
            let mut all = all.clone();
            all[2].header.as_mut_bytes()[148] ^= 1;
            tar(&all)
        };
    rejects_wrong_digest: "digest is b3:",
        |all| with(all, "blobs/", |it| { let size = it.content.len(); it.with_content(vec![1; size]) });
    rejects_record_of_newer_format: "records/names/net.json in [archive]: it has format 2",
        |all| with(all, "records/names/net", |it| replaced(it, "\"larder\":1", "\"larder\":2"));
    rejects_layout_of_newer_format: "larder.json in [archive]: it has format 7",
        |all| with(all, "larder.json", |it| it.with_content(r#"{"larder":7,"store":"fs"}"#));
    rejects_layout_of_another_store: "not describe",
        |all| with(all, "larder.json", |it| it.with_content(r#"{"larder":1,"store":"sqlite"}"#));
    rejects_record_that_is_not_json: "expected value",
        |all| with(all, "records/names/net", |it| it.with_content("#!/bin/sh"));
    rejects_duplicate_format: "duplicate field",
        |all| with(all, "records/names/net", |it| replaced(it, "{", "{\"larder\":1,"));
    rejects_format_zero: "`larder` is 0",
        |all| with(all, "records/names/net", |it| replaced(it, "\"larder\":1", "\"larder\":0"));
    rejects_enormous_record: "1048576",
        |all| with(all, "records/names/net", |it| it.with_content(vec![b' '; 2 << 20]));
    rejects_enormous_file: "68719476736 bytes",
        |all| with(all, "blobs/", |mut it| { it.header.set_size(1 << 50); it.summed() });
    rejects_other_file: "`.tar.zst`", |_| vec![b'?'; 5_000];
    rejects_flipped_bit_in_frame: "match checksum",
        |all| {
            let mut bytes = packed(&tar(&all));
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            bytes
        };
    rejects_large_zstd_window: "memory",
        |all| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(27).unwrap();
            std::io::Write::write_all(&mut encoder, &tar(&all)).unwrap();
            encoder.finish().unwrap()
        };
    rejects_version_with_wrong_number: "`version`",
        |all| with(all, "records/versions/net/@0000000001",
            |it| replaced(it, "\"version\":1", "\"version\":3"));
    rejects_version_that_disagrees_with_manifest: "disagree",
        |all| with(all, "records/versions/net/@0000000001",
            |it| replaced(it, "\"size\":", "\"size\":1"));
    rejects_version_without_blobs: "missing",
        |all| {
            let mut all = all.clone();
            let own = |it: &Entry| it.path().starts_with("blobs/") && it.content.len() < 200;
            all.remove(all.iter().position(own).unwrap());
            tar(&all)
        };
    rejects_manifest_of_newer_format: "net@1: it has format 2",
        |all| {
            // The record refers to another manifest with a valid digest.
            let manifest = all.iter().find(|it| it.content.starts_with(b"{\"larder\":1,\"type\"")).unwrap();
            let newer = Entry::blob(replaced(manifest.clone(), "\"larder\":1", "\"larder\":2").content);
            let digest = larder::store::Digest::of(&newer.content).to_string();
            let mut all = all.clone();
            all.push(newer);
            all.sort_by_key(|it| (it.path() != "larder.json", !it.path().starts_with("blobs/")));
            let blobs = all.iter().filter(|it| it.path().starts_with("blobs/")).count();
            all[1..=blobs].sort_by_key(|it| it.path());
            with(all, "records/versions/net/@0000000001", |it| {
                let text = String::from_utf8(it.content.clone()).unwrap();
                let at = text.find("b3:").unwrap();
                let old = text[at..at + 67].to_owned();
                replaced(it, &old, &digest)
            })
        };
}

/// Variants that end in the same error as another attack.
#[test]
fn rejects_header_variants() {
    let not_ours = "differs";
    let change = |change: fn(Entry) -> Entry| with(good(), "records/names/net", change);
    refused(
        &change(|mut it| {
            it.header.set_mode(0o4755);
            it.summed()
        }),
        not_ours,
    );
    refused(
        &change(|mut it| {
            it.header.set_uid(1000);
            it.summed()
        }),
        not_ours,
    );
    refused(
        &change(|mut it| {
            it.header.set_mtime(1);
            it.summed()
        }),
        not_ours,
    );
    refused(
        &change(|mut it| {
            it.header.set_username("root").unwrap();
            it.summed()
        }),
        not_ours,
    );
    refused(&change(|it| it.kind(0)), not_ours);
    refused(&change(|it| it.named(b"records/names/net.json\0evil")), not_ours);
    let blank_size = change(|mut it| {
        it.header.as_ustar_mut().unwrap().size = *b"zzzzzzzzzzzz";
        it.summed()
    });
    refused(&blank_size, not_ours);
    let other_magic = change(|mut it| {
        it.header.as_ustar_mut().unwrap().magic = *b"ustar ";
        it.summed()
    });
    refused(&other_magic, "`records/names/net.json`");
    let pax = |content: &str| with_second(good(), Entry::file("pax", content).kind(b'x'));
    refused(&pax("23 linkpath=/etc/passwd\n"), "more than a path");
    refused(&pax("12 path=evil"), "more than a path");
    refused(&pax("24 path=../../../../evil\n"), "more than a path");
    let climbs =
        [Entry::file("pax", "22 path=../../../evil\n").kind(b'x'), Entry::file("pax", "x")];
    refused(&tar(&[&good()[..1], &climbs].concat()), "leaves");
}

#[test]
fn rejects_truncation_anywhere() {
    let whole = tar(&good());
    let zipped = packed(&whole);
    for bytes in [&whole, &zipped] {
        for cut in [700, bytes.len() / 2, bytes.len() - 513, bytes.len() - 1] {
            refused(&bytes[..cut], "truncated");
        }
    }
    refused(&[], "no archive");
    refused(&zipped[..3], "no archive");
}

#[test]
fn accepts_the_end_of_today_and_of_the_first_archives_and_no_other() {
    let first = tar(&good());
    let mut today = first.clone();
    today.resize(first.len().next_multiple_of(10_240), 0);
    assert!(today.len() > first.len() + 512);
    for whole in [&first, &today] {
        for bytes in [whole.clone(), packed(whole)] {
            assert_eq!(accepted(&bytes), 3);
        }
    }
    refused(&today[..first.len() + 512], "truncated");
    refused(&today[..today.len() - 1], "truncated");
    refused(&[today.clone(), vec![0; 512]].concat(), "data follows");
    let last = today.len() - 1;
    today[last] = 1;
    refused(&today, "data follows");
    refused(&packed(&today), "compressed data follows");
}

#[test]
fn rejects_data_after_the_frame() {
    let zipped = packed(&tar(&good()));
    let skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00evil".to_vec();
    for more in [b"x".to_vec(), zipped.clone(), skippable.clone()] {
        refused(&[zipped.clone(), more].concat(), "data follows");
    }
    refused(&[skippable, zipped].concat(), "no archive");
}

#[test]
fn rejects_archive_beyond_limits() {
    let limits = Limits::default();
    let bytes = tar(&good());
    assert_refused_within(&bytes, &Limits { files: 5, ..limits }, "5 files");
    assert_refused_within(&bytes, &Limits { total: 50_000, ..limits }, "50000 bytes");
    assert_refused_within(&bytes, &Limits { record: 100, ..limits }, " 100");
}

#[test]
fn rejects_decompression_bomb() {
    let bomb = Entry::blob(vec![0; 300 << 20]);
    let zipped = packed(&tar(&[good()[0].clone(), bomb]));
    assert!(zipped.len() < 100_000);
    refused(&zipped, "1000 times");
}
