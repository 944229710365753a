//! `copy`.

use insta::assert_snapshot;

use crate::test_dir::{everywhere, price};

#[test]
fn copy_brings_versions_and_their_tags_to_another_larder_once() {
    let printed = everywhere(|dir| {
        dir.filled();
        ["first", "again"]
            .map(|_| dir.plain(&["copy", "wine/price:prod", "label", "fs:other"]))
            .concat()
            + &dir.plain(&["versions", "wine/price", "--store", "fs:other"])
            + &dir.plain(&["push", "wine/price", "fs:other", "--all-versions"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    copied label@1 (b3:7e39801b4cf9, 100 B)
    copied wine/price@1 (b3:d9836dc820fe, 330 B)
    copied wine/price:prod, which names wine/price@1
    --- stderr
    copied 2 versions, 3 blobs, 430 B
    exit 0
    --- stdout
    present: label@1
    present: wine/price@1
    --- stderr
    copied 0 versions, 0 blobs, 0 B
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    exit 0
    --- stdout
    present: wine/price@1
    copied wine/price@2 (b3:7e6cc7296b5e, 330 B)
    --- stderr
    copied 1 version, 2 blobs, 330 B
    ");
}

#[test]
fn a_dry_run_of_copy_says_what_it_would_do_and_makes_no_larder() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.plain(&["copy", "--all", "fs:other", "--dry-run"])
            + &dir.plain(&["list", "--store", "fs:other"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    would copy label@1 (b3:7e39801b4cf9, 100 B)
    would copy wine/price@1 (b3:d9836dc820fe, 330 B)
    would copy wine/price@2 (b3:7e6cc7296b5e, 330 B)
    would copy wine/price:prod, which names wine/price@1
    --- stderr
    would copy 3 versions, 5 blobs, 760 B
    exit 3
    --- stderr
    error: cannot open fs:other: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn copy_as_json_says_what_became_of_each_version_and_tag() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["copy", "wine/price@1", "fs:other", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "dry_run": false,
      "versions": [
        {
          "name": "wine/price",
          "version": 1,
          "digest": "b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "to": 1,
          "outcome": "copied"
        }
      ],
      "tags": [
        {
          "name": "wine/price",
          "tag": "prod",
          "version": 1,
          "moved_from": null,
          "present": false
        }
      ],
      "blobs": 2,
      "bytes": 330
    }
    "#);
}

#[test]
fn what_is_taken_there_is_renumbered_and_a_tag_moves_only_with_overwrite() {
    let printed = everywhere(|dir| {
        dir.apply("wine/price", &price([1.0, 1.0, 1.0]));
        dir.larder().tag("wine/price@1", "prod").unwrap();
        let first = dir.plain(&["copy", "--all", "fs:other"]);
        dir.larder().untag("wine/price", "prod").unwrap();
        dir.larder().remove("wine/price@1").unwrap();
        dir.apply("wine/price", &price([2.0, 1.0, 1.0]));
        dir.larder().tag("wine/price@2", "prod").unwrap();
        dir.write("list", "another");
        dir.plain(&["put", "wine/price", "list", "--as", "file", "--store", "fs:other"]);
        first
            + &dir.plain(&["copy", "--all", "fs:other"])
            + &dir.plain(&["copy", "--all", "fs:other", "--overwrite"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    copied wine/price@1 (b3:673b13973da5, 330 B)
    copied wine/price:prod, which names wine/price@1
    --- stderr
    copied 1 version, 2 blobs, 330 B
    exit 5
    --- stderr
    error: cannot copy tags: these would move in the target: wine/price:prod from v1 to v3; allow overwriting, or untag them there first
    hint: use `--overwrite` to move them
    exit 0
    --- stdout
    copied wine/price@2 as wine/price@3 (b3:e0e61b89cfd7, 330 B)
    copied wine/price:prod, which names wine/price@3 instead of wine/price@1
    --- stderr
    copied 1 version, 2 blobs, 330 B
    ");
}

#[test]
fn copy_says_what_is_missing_and_makes_no_larder_for_it() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.plain(&["copy", "wine/price@7", "fs:other"])
            + &dir.plain(&["list", "--store", "fs:other"])
            + &dir.plain(&["copy", "fs:other"])
    });
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot find wine/price@7 in this larder; did you mean wine/price:prod or wine/price@2?
    exit 3
    --- stderr
    error: cannot open fs:other: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 2
    --- stderr
    error: cannot copy: what to copy is missing
    hint: write `larder copy REF URL`, or `larder copy --all URL`
    ");
}
