//! References that say which larder they are of.

use insta::assert_snapshot;
use larder::bytes::Bytes;
use larder::store::BlobCache;
use larder::store::Digest;
use larder::store::files::BlobFolder;

use crate::test_dir::{PLAIN, TestDir, everywhere};

/// Runs a command with a larder at `HERE` and returns its output.
fn elsewhere(dir: &TestDir, words: &[&str]) -> String {
    let there = format!("{}#", dir.store);
    let words: Vec<_> = words.iter().map(|word| word.replacen("HERE#", &there, 1)).collect();
    let mut words: Vec<_> = words.iter().map(String::as_str).collect();
    words.extend(["--store", "fs:nowhere"]);
    dir.plain(&words)
}

#[test]
fn a_command_works_in_the_larder_that_its_reference_names() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.write("note.txt", "a text");
        let commands: [&[&str]; 14] = [
            &["versions", "HERE#wine/price"],
            &["show", "HERE#label@1", "--quiet"],
            &["tag", "HERE#wine/price@2", "best"],
            &["history", "HERE#wine/price:best"],
            &["untag", "HERE#wine/price:best"],
            &["note", "HERE#wine/price:prod", "--label", "team=wine"],
            &["lock", "HERE#label"],
            &["unlock", "HERE#label"],
            &["verify", "HERE#wine/price", "HERE#label"],
            &["remove", "HERE#wine/price@2"],
            &["remove", "HERE#label"],
            &["restore", "HERE#wine/price@2"],
            &["put", "HERE#text", "note.txt"],
            &["copy", "HERE#wine/price@1", "fs:other"],
        ];
        let printed = commands.map(|words| elsewhere(dir, words)).concat();
        assert!(!dir.path("nowhere").exists());
        // The time of a move differs from run to run.
        let lines = printed.lines().filter(|line| !line.ends_with("  ann"));
        lines.collect::<Vec<_>>().join("\n")
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    v2             example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    label@1
    exit 0
    --- stdout
    wine/price:best is wine/price@2 (b3:7e6cc7296b5e)
    exit 0
    --- stdout
    MOVE  VERSION  WHEN                  BY
    exit 0
    --- stderr
    removed the tag wine/price:best
    exit 0
    --- stdout
    labels  team=wine
    exit 0
    --- stdout
    locked the name label
    exit 0
    --- stdout
    unlocked the name label
    exit 0
    --- stderr
    verified 2 versions, 3 blobs, 430 B: no damage
    exit 0
    --- stdout
    removed wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 2
    --- stderr
    error: cannot remove `label`: it does not name a version
    hint: use `label@N` or `label:latest`, or `--all label` for all versions
    exit 0
    --- stdout
    restored wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 0
    --- stdout
    put text@1 (b3:80b29513bd19, 356 B)
    exit 0
    --- stdout
    copied wine/price@1 (b3:d9836dc820fe, 330 B)
    copied wine/price:prod, which names wine/price@1
    --- stderr
    copied 1 version, 2 blobs, 330 B
    ");
}

#[test]
fn all_that_a_command_names_is_in_one_larder() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    let commands: [&[&str]; 4] = [
        &["verify", "fs:data_dir#label", "fs:other#label"],
        &["verify", "fs:other#label", "label"],
        &["verify", "fs:data_dir#label", "label"],
        &["pull", "fs:data_dir#label", "fs:other#label"],
    ];
    let printed = commands.map(|words| dir.plain(words)).concat();
    assert_snapshot!(printed, @"
    exit 2
    --- stderr
    error: cannot use [store] and fs:other in one command
    hint: use the same larder before every `#`, or run the command once for each
    exit 2
    --- stderr
    error: cannot use fs:other and [store] in one command
    hint: use the same larder before every `#`, or run the command once for each
    exit 0
    --- stderr
    verified 2 versions, 1 blob, 100 B: no damage
    exit 2
    --- stderr
    error: cannot use [store] and fs:other in one command
    hint: use the same larder before every `#`, or run the command once for each
    ");
}

#[test]
fn pull_copies_from_the_larder_that_is_named_to_this_one() {
    let printed = everywhere(|dir| {
        dir.filled();
        let commands: [&[&str]; 5] = [
            &["pull", "HERE#wine/price:prod", "HERE#label", "--dry-run"],
            &["pull", "HERE#wine/price:prod", "HERE#label"],
            &["pull", "HERE#wine/price:prod", "HERE#label"],
            &["pull", "HERE#none"],
            &["versions", "wine/price"],
        ];
        commands.map(|words| elsewhere(dir, words)).concat()
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    would copy label@1 (b3:7e39801b4cf9, 100 B)
    would copy wine/price@1 (b3:d9836dc820fe, 330 B)
    would copy wine/price:prod, which names wine/price@1
    --- stderr
    would copy 2 versions, 3 blobs, 430 B
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
    exit 3
    --- stderr
    error: cannot find none in this larder
    hint: `larder list` lists the names
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn what_is_no_reference_to_a_larder_is_refused_and_secrets_are_not_repeated() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    let commands: [&[&str]; 9] = [
        &["show", "fs:data_dir#Label"],
        &["show", "#label"],
        &["show", "fs:nothing#label"],
        &["pull", "label"],
        &["show", "cellar://ann:S3CRET@host/db#label"],
        &["show", "cellar://ann:S3CRET@host/db"],
        &["show", "cellar://ann:S3C#RET@host/db?token=S3CRET"],
        &["pull", "cellar://host/db?token=S3CRET#label"],
        &["verify", "--repair-from", "cellar://ann:S3C?RET@host/db"],
    ];
    let printed = commands.map(|words| dir.plain(words)).concat();
    assert!(!printed.contains("S3C") && !printed.contains("RET"), "{printed}");
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: invalid value '…' for '<REF>': cannot use "Label" as an identifier: each part begins with one of a-z 0-9

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value '…' for '<REF>': cannot use "" as a store URL: empty; write a path or a URL such as `sqlite:larder.db`

    For more information, try '--help'.
    exit 3
    --- stderr
    error: cannot open fs:nothing: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 2
    --- stderr
    error: invalid value 'label' for '<URL#REF>...': cannot use "fs:label" as a reference to a larder: write the larder, `#` and the name: `larder.db#wine/quality:prod`

    For more information, try '--help'.
    exit 6
    --- stderr
    error: cannot use cellar://***@host/db: this program has no store scheme `cellar`; it has az:, file:, fs:, gs:, http:, https:, memory:, postgres:, postgresql:, s3:, sqlite:
    exit 2
    --- stderr
    error: invalid value '…' for '<REF>': cannot use "cellar://***@host/db" as a reference to a larder: write the larder, `#` and the name: `larder.db#wine/quality:prod`

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value '…' for '<REF>': cannot use "cellar://…#…" as a reference: after `@` comes a version number from 1, or `b3:` and a digest

    For more information, try '--help'.
    exit 6
    --- stderr
    error: cannot use cellar://host/db?token=***: this program has no store scheme `cellar`; it has az:, file:, fs:, gs:, http:, https:, memory:, postgres:, postgresql:, s3:, sqlite:
    exit 2
    --- stderr
    error: invalid value '…' for '--repair-from <URL>': cannot use "cellar:…" as a store URL: options after `?` are `name=value`, joined by `&`; in a user name or password write `%3F` for `?` and `%26` for `&`

    For more information, try '--help'.
    "#);
}

#[test]
fn the_size_of_the_cache_is_the_users_choice() {
    let dir = TestDir::new("fs:data_dir");
    let printed = ["1.5 MiB", "much"].map(|size| {
        let mut command = dir.command(PLAIN, &["cache", "info"]);
        command.env("LARDER_CACHE_SIZE", size);
        dir.run(command, b"")
    });
    assert_snapshot!(printed.concat(), @r#"
    exit 0
    --- stdout
    path   [folder]/cache/larder/blobs
    holds  0 blobs, 0 B
    limit  1.5 MiB
    exit 5
    --- stderr
    error: cannot read `LARDER_CACHE_SIZE`: "much" is not a size; write `64GiB` or `500MB`
    "#);
}

#[test]
fn the_cache_of_the_user_is_shown_and_emptied() {
    let dir = TestDir::new("fs:data_dir");
    let blobs = BlobFolder::open(&dir.path("cache/larder").join(BlobCache::FOLDER));
    for text in ["a blob", "another blob"] {
        let bytes = Bytes::from_static(text.as_bytes());
        blobs.put_all(&[(Digest::of(&bytes), bytes)]).unwrap();
    }
    let printed = ["info", "clear", "info"].map(|what| dir.plain(&["cache", what])).concat()
        + &dir.plain(&["cache", "info", "--format", "json"])
        + &dir.plain(&["cache", "clear", "--format", "json"]);
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    path   [folder]/cache/larder/blobs
    holds  2 blobs, 18 B
    limit  16.0 GiB
    exit 0
    --- stderr
    removed 2 blobs, 18 B
    exit 0
    --- stdout
    path   [folder]/cache/larder/blobs
    holds  0 blobs, 0 B
    limit  16.0 GiB
    exit 0
    --- stdout
    {
      "schema": 1,
      "path": "[folder]/cache/larder/blobs",
      "limit": 17179869184,
      "blobs": {
        "count": 0,
        "bytes": 0
      }
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "removed": {
        "count": 0,
        "bytes": 0
      }
    }
    "#);
}
