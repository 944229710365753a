//! `doctor`.

use std::fs;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use larder::store::{Change, Committed, Expected, RecordKey};

use crate::components::Label;
use crate::test_dir::{TestDir, everywhere};

/// Returns the output without the parts that depend on the machine and the store.
fn steady(printed: &str) -> String {
    let line = |line: &str| {
        let (key, rest) = line.split_once(':').unwrap_or((line, ""));
        match key.trim() {
            "\"free\"" => format!("{key}: [free],\n"),
            "\"newest\"" | "\"since\"" => {
                format!("{key}: [time]{}\n", if rest.ends_with(',') { "," } else { "" })
            }
            "\"atomic_commit\"" => format!("{key}: [atomic],\n"),
            _ if line.starts_with("free  ") => "free       [free]\n".into(),
            _ => match line.split_once(", since ") {
                Some((before, _)) if line.starts_with("note:") => {
                    format!("{before}, since [time]\n")
                }
                _ => format!("{line}\n"),
            },
        }
    };
    let printed: String = printed.lines().map(line).collect();
    printed.replace("atomic commits", "[commits]").replace("ordered commits", "[commits]")
}

fn with_a_file(dir: &TestDir) -> &TestDir {
    dir.write("notes.txt", "dry");
    dir.plain(&["put", "notes", "notes.txt", "--tag", "prod"]);
    dir
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_healthy_larder_has_no_findings() {
    let printed = everywhere(|dir| {
        let dir = with_a_file(dir);
        steady(&(dir.plain(&["doctor"]) + &dir.plain(&["doctor", "--format", "json"])))
            + &dir.plain(&["doctor", "--quiet"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    larder     [store], format 1, [commits]
    holds      1 name, 1 version, 1 tag, 2 blobs (354 B)
    free       [free]
    --- stderr
    no problems found
    exit 0
    --- stdout
    {
      "schema": 1,
      "program": {
        "version": "[version]",
        "rustc": "[rustc]",
        "target": "[target]"
      },
      "linked": {
        "types": [
          "larder/checkpoint",
          "larder/collection",
          "larder/files",
          "larder/imputer",
          "larder/listener",
          "larder/neighbours",
          "larder/onnx",
          "larder/outputs",
          "larder/projection",
          "larder/script",
          "larder/serializer",
          "larder/wasm",
          "larder/wasm-serializer",
          "larder/watch"
        ],
        "serializers": [
          "arrow-ipc",
          "bincode2-standard",
          "bytes",
          "file",
          "json",
          "msgpack-named",
          "positions-u32",
          "postcard1",
          "safetensors"
        ],
        "stores": [
          "az",
          "file",
          "fs",
          "gs",
          "http",
          "https",
          "memory",
          "postgres",
          "postgresql",
          "s3",
          "sqlite"
        ]
      },
      "larder": {
        "url": "[store]",
        "format": 1,
        "atomic_commit": [atomic],
        "free": [free],
        "names": 1,
        "versions": 1,
        "removed": 0,
        "tags": 1,
        "blobs": {
          "count": 2,
          "bytes": 354
        },
        "condemned": 0,
        "newest": [time],
        "unready": [],
        "locked": [],
        "damaged": []
      },
      "findings": []
    }
    exit 0
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn where_no_larder_is_it_says_so_and_makes_none() {
    let printed = everywhere(|dir| {
        let printed = dir.plain(&["doctor"]) + &dir.plain(&["doctor", "--format", "json"]);
        assert!(!dir.path(dir.store.split_once(':').unwrap().1).exists());
        printed
    });
    assert_snapshot!(steady(&printed), @r#"
    exit 0
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    note: there is no larder at [store]
      create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 0
    --- stdout
    {
      "schema": 1,
      "program": {
        "version": "[version]",
        "rustc": "[rustc]",
        "target": "[target]"
      },
      "linked": {
        "types": [
          "larder/checkpoint",
          "larder/collection",
          "larder/files",
          "larder/imputer",
          "larder/listener",
          "larder/neighbours",
          "larder/onnx",
          "larder/outputs",
          "larder/projection",
          "larder/script",
          "larder/serializer",
          "larder/wasm",
          "larder/wasm-serializer",
          "larder/watch"
        ],
        "serializers": [
          "arrow-ipc",
          "bincode2-standard",
          "bytes",
          "file",
          "json",
          "msgpack-named",
          "positions-u32",
          "postcard1",
          "safetensors"
        ],
        "stores": [
          "az",
          "file",
          "fs",
          "gs",
          "http",
          "https",
          "memory",
          "postgres",
          "postgresql",
          "s3",
          "sqlite"
        ]
      },
      "larder": null,
      "findings": [
        {
          "level": "note",
          "what": "there is no larder at [store]",
          "advice": "create one with `larder put NAME FILE`, or name another one with `--store URL`"
        }
      ]
    }
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn what_is_missing_locked_removed_or_garbage_is_noted_with_advice() {
    let printed = everywhere(|dir| {
        let dir = with_a_file(dir);
        let clock = || SystemTime::now() - Duration::from_secs(60);
        let larder = dir.larder().with_clock(clock);
        larder.apply("wine/price", &crate::test_dir::price([5.0, 1.5, 0.25])).unwrap();
        for years in [vec![2019], vec![2021]] {
            larder.apply("label", &Label { title: "Riesling".into(), years }).unwrap();
        }
        larder.locks().lock_version("wine/price").unwrap();
        larder.locks().lock_name("notes").unwrap();
        larder.remove("label@1").unwrap();
        dir.plain(&["gc", "--grace", "0s", "--exclusive"]);
        let printed = dir.plain(&["doctor"]);
        assert!(dir.linked(&["doctor"]).matches("not linked in").count() == 0, "{printed}");
        steady(&printed)
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    larder     [store], format 1, [commits]
    holds      3 names, 3 versions, 1 tag, 6 blobs (874 B)
    free       [free]
    note: notes is locked, since [time]
      unlock it with `larder unlock notes`
    note: wine/price@1 is locked, since [time]
      unlock it with `larder unlock wine/price@1`
    note: 1 blob is garbage
      `larder gc` removes blobs after their grace period
    note: 1 version is removed
      `larder restore NAME@N` restores one, until `larder gc` removes its blobs
    note: the type `example/label` of larder-cli [version], used by label@2, is not linked in
      to load it, link the type into your own command line: https://docs.rs/larder-cli
    note: the type `example/price` of larder-cli [version], used by wine/price@1, is not linked in
      to load it, link the type into your own command line: https://docs.rs/larder-cli
    note: the serializer `f64-le`, used by wine/price@1, is not linked in
      to load it, link it in: unknown: the larder has no record of it
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn damaged_records_and_a_clock_in_the_future_are_warnings() {
    let printed = everywhere(|dir| {
        let dir = with_a_file(dir);
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(7_000_000_000);
        let larder = dir.larder().with_clock(clock);
        larder.apply("early", &Label { title: "Merlot".into(), years: vec![] }).unwrap();
        let damaged = [("names/notes", "{"), ("tags/notes/@prod", r#"{"larder":7}"#)];
        for (key, value) in damaged {
            let key = RecordKey::new(key).unwrap();
            let change =
                Change::PutRecord { key, value: value.into(), expected: Expected::Anything };
            assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        }
        steady(&(dir.plain(&["doctor"]) + &dir.plain(&["doctor", "--quiet"])))
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    larder     [store], format 1, [commits]
    holds      1 name, 2 versions, 0 tags, 3 blobs (443 B)
    free       [free]
    warning: the record names/notes: EOF while parsing an object at line 1 column 1
      restore it from a copy of the larder; `larder verify` lists all damage
    warning: the record tags/notes/@prod: it has format 7, and this version of Larder reads up to 1
      restore it from a copy of the larder; `larder verify` lists all damage
    warning: the newest version has a time in the future: 2191-10-27T12:26:40Z
      set the clock, here or where it was stored; the grace period of `larder gc` depends on it
    note: the type `example/label` of larder-cli [version], used by early@1, is not linked in
      to load it, link the type into your own command line: https://docs.rs/larder-cli
    --- stderr
    error: found 3 warnings
    exit 1
    --- stdout
    warning: the record names/notes: EOF while parsing an object at line 1 column 1
      restore it from a copy of the larder; `larder verify` lists all damage
    warning: the record tags/notes/@prod: it has format 7, and this version of Larder reads up to 1
      restore it from a copy of the larder; `larder verify` lists all damage
    warning: the newest version has a time in the future: 2191-10-27T12:26:40Z
      set the clock, here or where it was stored; the grace period of `larder gc` depends on it
    note: the type `example/label` of larder-cli [version], used by early@1, is not linked in
      to load it, link the type into your own command line: https://docs.rs/larder-cli
    --- stderr
    error: found 3 warnings
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_damaged_manifest_is_found_on_the_way() {
    let printed = everywhere(|dir| {
        let dir = with_a_file(dir);
        let larder = dir.larder();
        let digest = larder.show("notes").unwrap().version.digest;
        larder.store().remove_blobs(&[digest]).unwrap();
        steady(&dir.plain(&["doctor"]))
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    larder     [store], format 1, [commits]
    holds      1 name, 1 version, 1 tag, 1 blob (3 B)
    free       [free]
    warning: cannot read the manifest of notes@1: it is corrupt (its bytes are missing); restore it from a copy
      `larder verify` lists all damage
    --- stderr
    error: found 1 warning
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn what_is_no_larder_is_a_finding_and_stays_as_it_is() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.write("larder.db", "no database, but long enough to be taken for one\n".repeat(40));
    let before = fs::read(dir.path("larder.db")).unwrap();
    assert_snapshot!(dir.plain(&["doctor"]), @"
    exit 1
    --- stdout
    program    larder [version], rustc [rustc], [target]
    linked in  14 types, 9 serializers, 11 stores
    warning: cannot use [place] as a larder: it is a `.db` file of text, and no SQLite database; name another file, or, if it was a larder, restore it from a copy
      name another larder with `--store URL`
    --- stderr
    error: found 1 warning
    ");
    assert_eq!(fs::read(dir.path("larder.db")).unwrap(), before);
}
