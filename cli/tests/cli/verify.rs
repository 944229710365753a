//! `verify`.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use larder::store::Digest;

use crate::test_dir::{TestDir, everywhere};

#[test]
fn verify_reads_everything_without_any_type() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["verify"]) + &dir.plain(&["verify", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stderr
    verified 3 versions, 5 blobs, 760 B: no damage
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": 3,
      "blobs": 5,
      "bytes": 760,
      "findings": [],
      "orphans": {
        "count": 0,
        "bytes": 0
      }
    }
    "#);
}

#[test]
fn verify_reads_only_what_it_is_told_to() {
    let printed = everywhere(|dir| dir.filled().plain(&["verify", "wine/price@1", "label"]));
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    verified 2 versions, 3 blobs, 430 B: no damage
    ");
}

#[test]
fn verify_lists_what_is_gone_and_ends_with_4() {
    let printed = everywhere(|dir| {
        dir.filled();
        let (weights, label) = (weights_of(dir, "wine/price@1"), manifest_of(dir, "label"));
        dir.larder().store().remove_blobs(&[weights, label]).unwrap();
        dir.plain(&["verify"])
            + &dir.plain(&["verify", "--format", "json"])
            + &dir.plain(&["verify", "wine/price@2"])
    });
    assert_snapshot!(printed, @r#"
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    label@1       b3:7e39801b4cf9  its bytes are missing
    wine/price@1  b3:f188dcc52279  its bytes are missing
    --- stderr
    verified 3 versions, 5 blobs, 636 B
    error: found 2 faults in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    exit 4
    --- stdout
    {
      "schema": 1,
      "versions": 3,
      "blobs": 5,
      "bytes": 636,
      "findings": [
        {
          "what": "label@1",
          "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
          "fault": "its bytes are missing"
        },
        {
          "what": "wine/price@1",
          "digest": "b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090",
          "fault": "its bytes are missing"
        }
      ],
      "orphans": null
    }
    --- stderr
    {
      "schema": 1,
      "error": {
        "message": "found 2 faults in [store]",
        "causes": [],
        "hint": "repair from another larder with `larder verify --repair-from URL`",
        "exit": 4
      }
    }
    exit 0
    --- stderr
    verified 1 version, 2 blobs, 330 B: no damage
    "#);
}

#[test]
fn a_flipped_bit_is_found() {
    let dir = TestDir::new("fs:data_dir");
    let weights = weights_of(dir.filled(), "wine/price@1");
    let blob = find(dir.path("data_dir/blobs"), &weights.to_hex()).expect("a file by its digest");
    let mut bytes = fs::read(&blob).unwrap();
    bytes[3] ^= 0x10;
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, bytes).unwrap();
    assert_snapshot!(dir.plain(&["verify"]), @"
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    wine/price@1  b3:f188dcc52279  its digest is b3:aef0a2b61ad9 instead of b3:f188dcc52279
    --- stderr
    verified 3 versions, 5 blobs, 760 B
    error: found 1 fault in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    ");
}

#[test]
fn a_damaged_record_does_not_hide_the_other_names() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    let record = find(dir.path("data_dir/records/names"), "label").expect("a file by its name");
    fs::write(record, "{\"larder\": 1, \u{1b}[31m").unwrap();
    let printed = ["list", "verify"].map(|command| dir.plain(&[command])).concat();
    assert_snapshot!(printed, @"
    exit 4
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    --- stderr
    error: cannot read the record names/label: it is corrupt (key must be a string at line 1 column 15); restore it from a copy
    exit 4
    --- stdout
    WHAT                    BLOB  FAULT
    the record names/label  -     key must be a string at line 1 column 15
    --- stderr
    verified 3 versions, 5 blobs, 760 B
    error: found 1 fault in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    ");
}

#[test]
fn verify_of_what_is_not_there_ends_with_3() {
    let printed = everywhere(|dir| dir.filled().plain(&["verify", "wine/price@7"]));
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot find wine/price@7 in this larder; did you mean wine/price:prod or wine/price@2?
    ");
}

fn weights_of(dir: &TestDir, reference: &str) -> Digest {
    dir.larder().show(reference).unwrap().manifest.artifacts()[0].digest
}

fn manifest_of(dir: &TestDir, reference: &str) -> Digest {
    dir.larder().show(reference).unwrap().version.digest
}

/// The file under `folder` whose name begins so.
fn find(folder: PathBuf, name: &str) -> Option<PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            return find(entry.path(), name);
        }
        entry.file_name().to_str()?.starts_with(name).then(|| entry.path())
    })
}
