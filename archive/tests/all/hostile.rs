//! Archives that were made to harm. Each is refused with its own error, and nothing is left of it.

mod folders;
mod mutations;
mod workshop;

use std::collections::BTreeSet;

use self::workshop::{
    Entry, good, open_tar, packed, refused, refused_within, replaced, tar, with, with_last,
    with_second,
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
        fn every_attack_has_an_error_of_its_own() {
            let reasons = [$($why),*];
            let different: BTreeSet<_> = reasons.into_iter().collect();
            assert_eq!(reasons.len(), different.len());
            assert!(reasons.len() >= 30, "{}", reasons.len());
        }
    };
}

attacks! {
    a_symbolic_link: "`records/names/net.json` is a symbolic link",
        |all| with(all, "records/names/net", |it| it.kind(b'2').leading_to("/etc/passwd"));
    a_hard_link: "`records/names/net.json` is a hard link",
        |all| with(all, "records/names/net", |it| it.kind(b'1').leading_to("larder.json"));
    a_character_device: "is a character device",
        |all| with(all, "records/names/net", |it| it.kind(b'3').holding(""));
    a_block_device: "is a block device",
        |all| with(all, "records/names/net", |it| it.kind(b'4').holding(""));
    a_pipe: "is a pipe", |all| with(all, "records/names/net", |it| it.kind(b'6').holding(""));
    a_folder: "`blobs` is a folder of its own",
        |all| with_second(all, Entry::file("blobs", "").kind(b'5'));
    a_sparse_file: "is a sparse file", |all| with(all, "blobs/", |it| it.kind(b'S'));
    a_contiguous_file: "is of an unknown kind", |all| with(all, "blobs/", |it| it.kind(b'7'));
    a_long_name_in_gnus_way: "is a long name in GNU's way",
        |all| with_second(all, Entry::file("././@LongLink", "../../evil\0").kind(b'L'));
    a_long_link_in_gnus_way: "is a long link in GNU's way",
        |all| with_second(all, Entry::file("././@LongLink", "/etc/passwd\0").kind(b'K'));
    an_extended_header_for_all: "is an extended header for all that follows",
        |all| with_second(all, Entry::file("pax", "12 path=evil\n").kind(b'g'));
    an_extended_header_with_a_size: "gives more than a path",
        |all| with_second(all, Entry::file("pax", "12 size=9999\n").kind(b'x'));
    an_extended_header_that_nobody_needs: "the header of `larder.json` is not as an export has it",
        |mut all| {
            all.insert(0, Entry::file("pax", "20 path=larder.json\n").kind(b'x'));
            tar(&all)
        };
    an_extended_header_after_another: "is an extended header after another",
        |all| {
            let at = all.iter().position(|it| it.path() == "pax").unwrap();
            let (mut all, again) = (all.clone(), all[at].clone());
            all.insert(at, again);
            tar(&all)
        };
    an_enormous_extended_header: "longer than any path",
        |all| with_second(all, Entry::file("pax", vec![b'1'; 5_000]).kind(b'x'));
    an_absolute_path: "`/tmp/larder-evil` is an absolute path",
        |all| with_second(all, Entry::file("/tmp/larder-evil", "x"));
    a_path_that_leads_out: "leads out of the folder",
        |all| with_second(all, Entry::file("blobs/../../evil", "x"));
    a_path_that_is_not_plain: "is not in its plain form",
        |all| with(all, "larder.json", |it| it.named(b"./larder.json"));
    a_path_with_a_backslash: "has a `\\`",
        |all| with_second(all, Entry::file("blobs\\..\\..\\evil", "x"));
    a_path_in_capitals: "has capital letters",
        |all| with(all, "records/names/net", |it| it.named(b"records/names/Net.json"));
    a_stranger: "`blobs/evil.sh` is no file of a larder",
        |all| with_second(all, Entry::file("blobs/evil.sh", "rm -rf /"));
    a_name_that_is_not_utf8: "is not UTF-8",
        |all| with_second(all, Entry::file("x", "").named(b"blobs/\xff\xfe"));
    a_file_that_is_there_twice: "is in it twice",
        |all| { let first = all[0].clone(); with_second(all, first) };
    a_file_out_of_order: "is in it twice or out of order",
        |all| { let blob = all[1].clone(); with_last(all, blob) };
    a_start_that_is_missing: "not with larder.json", |all| tar(&all[1..]);
    an_archive_of_nothing: "nothing is in it", |_| tar(&[]);
    an_end_that_is_missing: "it is cut short", |all| open_tar(&all);
    half_an_end: "its end is only half there",
        |all| {
            let mut bytes = tar(&all);
            let last = bytes.len() - 1;
            bytes[last] = 1;
            bytes
        };
    garbage_after_the_end: "something follows its end",
        |all| [tar(&all), b"garbage".to_vec()].concat();
    an_archive_after_the_end_in_one_frame: "something packed follows its end",
        |all| packed(&[tar(&all), tar(&all)].concat());
    something_between_the_files: "something follows `larder.json`",
        |all| {
            let mut bytes = tar(&all);
            bytes[1023] = 1;
            bytes
        };
    a_wrong_checksum: "the checksum of a header is wrong",
        |all| {
            let mut all = all.clone();
            all[2].header.as_mut_bytes()[148] ^= 1;
            tar(&all)
        };
    another_blob_under_a_digest: "its digest is b3:",
        |all| with(all, "blobs/", |it| { let size = it.content.len(); it.holding(vec![1; size]) });
    a_record_of_a_newer_format: "records/names/net.json in [archive]: it has format 2",
        |all| with(all, "records/names/net", |it| replaced(it, "\"larder\":1", "\"larder\":2"));
    a_layout_of_a_newer_format: "larder.json in [archive]: it has format 7",
        |all| with(all, "larder.json", |it| it.holding(r#"{"larder":7,"store":"fs"}"#));
    a_layout_of_another_store: "it is not that of a larder in a folder",
        |all| with(all, "larder.json", |it| it.holding(r#"{"larder":1,"store":"sqlite"}"#));
    a_record_that_is_no_json: "expected value",
        |all| with(all, "records/names/net", |it| it.holding("#!/bin/sh"));
    a_record_that_states_its_format_twice: "duplicate field",
        |all| with(all, "records/names/net", |it| replaced(it, "{", "{\"larder\":1,"));
    a_record_without_a_format: "states no format",
        |all| with(all, "records/names/net", |it| replaced(it, "\"larder\":1", "\"larder\":0"));
    an_enormous_record: "a record has 1048576 at most",
        |all| with(all, "records/names/net", |it| it.holding(vec![b' '; 2 << 20]));
    an_enormous_file: "holds more than 68719476736 bytes",
        |all| with(all, "blobs/", |mut it| { it.header.set_size(1 << 50); it.summed() });
    no_archive_at_all: "neither a `.tar` nor a `.tar.zst`", |_| vec![b'?'; 5_000];
    a_flipped_bit_under_the_packing: "doesn't match checksum",
        |all| {
            let mut bytes = packed(&tar(&all));
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            bytes
        };
    a_decoder_that_is_to_use_all_memory: "requires too much memory",
        |all| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(27).unwrap();
            std::io::Write::write_all(&mut encoder, &tar(&all)).unwrap();
            encoder.finish().unwrap()
        };
    a_version_under_the_number_of_another: "it is not the record of that version",
        |all| with(all, "records/versions/net/@0000000001",
            |it| replaced(it, "\"version\":1", "\"version\":3"));
    a_version_whose_manifest_lies_about_it: "its record and its manifest disagree",
        |all| with(all, "records/versions/net/@0000000001",
            |it| replaced(it, "\"size\":", "\"size\":1"));
    a_version_without_its_blobs: "its bytes are missing",
        |all| {
            let mut all = all.clone();
            let own = |it: &Entry| it.path().starts_with("blobs/") && it.content.len() < 200;
            all.remove(all.iter().position(own).unwrap());
            tar(&all)
        };
    a_manifest_of_a_newer_format: "net@1: it has format 2",
        |all| {
            // The record leads to another manifest, whose digest is right.
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

/// These end in an error that another attack has too.
#[test]
fn what_only_looks_different_is_refused_as_well() {
    let not_ours = "is not as an export has it";
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
    refused(&pax("23 linkpath=/etc/passwd\n"), "gives more than a path");
    refused(&pax("12 path=evil"), "gives more than a path");
    refused(&pax("24 path=../../../../evil\n"), "gives more than a path");
    let climbs =
        [Entry::file("pax", "22 path=../../../evil\n").kind(b'x'), Entry::file("pax", "x")];
    refused(&tar(&[&good()[..1], &climbs].concat()), "leads out of the folder");
}

#[test]
fn what_is_cut_short_is_refused_wherever_the_cut_is() {
    let whole = tar(&good());
    let zipped = packed(&whole);
    for bytes in [&whole, &zipped] {
        for cut in [700, bytes.len() / 2, bytes.len() - 513, bytes.len() - 1] {
            refused(&bytes[..cut], "it is cut short");
        }
    }
    refused(&[], "it is cut short");
    refused(&zipped[..3], "it is cut short");
}

#[test]
fn what_follows_the_only_frame_is_refused() {
    let zipped = packed(&tar(&good()));
    let skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00evil".to_vec();
    for more in [b"x".to_vec(), zipped.clone(), skippable.clone()] {
        refused(&[zipped.clone(), more].concat(), "something follows its end");
    }
    refused(&[skippable, zipped].concat(), "is no export");
}

#[test]
fn what_is_beyond_the_limits_is_refused() {
    let limits = Limits::default();
    let bytes = tar(&good());
    refused_within(&bytes, &Limits { files: 5, ..limits }, "holds more than 5 files");
    refused_within(&bytes, &Limits { total: 50_000, ..limits }, "holds more than 50000 bytes");
    refused_within(&bytes, &Limits { record: 100, ..limits }, "a record has 100 at most");
}

#[test]
fn what_unpacks_to_far_more_than_it_is_is_refused() {
    let bomb = Entry::blob(vec![0; 300 << 20]);
    let zipped = packed(&tar(&[good()[0].clone(), bomb]));
    assert!(zipped.len() < 100_000);
    refused(&zipped, "it unpacks to more than 1000 times its size");
}
