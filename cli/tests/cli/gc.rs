//! `gc` and `restore`.

use larder::maintenance::LarderMaintenance;
use std::fs;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use larder::maintenance::GcOptions;

use crate::test_dir::{TestDir, everywhere};

const AT_ONCE: [&str; 4] = ["gc", "--grace", "0s", "--exclusive"];

/// A dir whose second version of `wine/price` was removed long ago.
fn with_garbage(dir: &TestDir) -> &TestDir {
    dir.filled().larder().remove("wine/price@2").unwrap();
    dir
}

#[test]
fn gc_finds_garbage_first_and_removes_it_when_the_grace_period_is_over() {
    let printed = everywhere(|dir| {
        with_garbage(dir);
        let dry = ["gc", "--grace", "0s", "--exclusive", "--dry-run"];
        let printed = [&dry[..], &AT_ONCE, &dry, &AT_ONCE, &AT_ONCE].map(|args| dir.plain(args));
        printed.concat() + &dir.plain(&["verify"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    would mark  b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7  24 B
    would mark  b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a  306 B
    --- stderr
    would remove 0 blobs (0 B), would mark 2 blobs (330 B) as garbage
    kept 3 blobs (430 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stdout
    marked  b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7  24 B
    marked  b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a  306 B
    --- stderr
    removed 0 blobs (0 B), marked 2 blobs (330 B) as garbage
    kept 3 blobs (430 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stdout
    would remove  b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7  24 B
    would remove  b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a  306 B
    --- stderr
    would remove 2 blobs (330 B), would mark 0 blobs (0 B) as garbage
    kept 3 blobs (430 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stdout
    removed  b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7  24 B
    removed  b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a  306 B
    --- stderr
    removed 2 blobs (330 B), marked 0 blobs (0 B) as garbage
    kept 3 blobs (430 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stderr
    removed 0 blobs (0 B), marked 0 blobs (0 B) as garbage
    kept 3 blobs (430 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stderr
    verified 2 versions, 3 blobs, 430 B: no damage
    ");
}

#[test]
fn gc_prints_one_json_document() {
    let printed = everywhere(|dir| {
        with_garbage(dir).plain(&AT_ONCE);
        dir.plain(&["gc", "--grace", "0s", "--exclusive", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "dry_run": false,
      "kept": {
        "count": 3,
        "bytes": 430
      },
      "condemned": [],
      "waiting": [],
      "pardoned": [],
      "swept": [
        {
          "digest": "b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7",
          "size": 24
        },
        {
          "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
          "size": 306
        }
      ],
      "gone": [],
      "unfinished": {
        "count": 0,
        "bytes": 0
      }
    }
    "#);
}

#[test]
fn gc_leaves_garbage_alone_for_a_day_unless_told_otherwise() {
    let printed = everywhere(|dir| {
        dir.filled();
        let larder = dir.larder().with_clock(SystemTime::now);
        larder.remove("wine/price@2").unwrap();
        let printed = dir.plain(&["gc"]);
        larder.maintenance().gc(&GcOptions::new().grace(Duration::ZERO).exclusive(true)).unwrap();
        printed + &dir.plain(&["gc"]) + &dir.plain(&["gc", "--grace", "soon"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    removed 0 blobs (0 B), marked 0 blobs (0 B) as garbage
    kept 5 blobs (760 B), and 0 blobs (0 B) within the grace period
    exit 0
    --- stderr
    removed 0 blobs (0 B), marked 0 blobs (0 B) as garbage
    kept 5 blobs (760 B), and 0 blobs (0 B) within the grace period
    formerly marked, in use again: 2 blobs
    exit 2
    --- stderr
    error: invalid value 'soon' for '--grace <TIME>': write a time such as `90s`, `24h` or `7d`

    For more information, try '--help'.
    ");
}

#[test]
fn restore_takes_a_removal_back_until_the_bytes_are_collected() {
    let printed = everywhere(|dir| {
        with_garbage(dir);
        let printed = [
            dir.plain(&["restore", "--list", "wine/price"]),
            dir.plain(&["restore", "wine/price@2"]),
            dir.plain(&["versions", "wine/price"]),
            dir.plain(&["restore", "--list", "wine/price"]),
        ];
        dir.larder().remove("wine/price@2").unwrap();
        for _ in 0..2 {
            let collected = dir.plain(&AT_ONCE);
            assert!(collected.starts_with("exit 0"), "{collected}");
        }
        // When it was collected is the clock's to say.
        let late = dir.plain(&["restore", "wine/price@2"]);
        let (late, _) = late.split_once(" before ").unwrap();
        printed.concat() + late + "\n" + &dir.plain(&["restore", "--list", "wine/price"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    VERSION  TYPE           SIZE   REMOVED               BYTES    DIGEST
    v2       example/price  330 B  2027-01-15T08:00:00Z  present  b3:7e6cc7296b5e
    exit 0
    --- stdout
    restored wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    v2             example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stderr
    no removed versions
    exit 5
    --- stderr
    error: cannot restore wine/price@2: its bytes were collected as garbage
    exit 0
    --- stdout
    VERSION  TYPE           SIZE   REMOVED               BYTES      DIGEST
    v2       example/price  330 B  2027-01-15T08:00:00Z  collected  b3:7e6cc7296b5e
    ");
}

#[test]
fn restore_prints_one_json_document() {
    let printed = everywhere(|dir| {
        with_garbage(dir);
        dir.plain(&["restore", "--list", "wine/price", "--format", "json"])
            + &dir.plain(&["restore", "wine/price@2", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "removed": [
        {
          "name": "wine/price",
          "version": 2,
          "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "removed": "2027-01-15T08:00:00.123Z",
          "collected": null
        }
      ]
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "outcome": "restored",
      "name": "wine/price",
      "version": 2,
      "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
      "type": "example/price",
      "size": 330,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]"
    }
    "#);
}

#[test]
fn restore_says_what_it_cannot_do() {
    let printed = everywhere(|dir| {
        with_garbage(dir);
        let commands: [&[&str]; 5] = [
            &["restore", "wine/price"],
            &["restore", "wine/price@9"],
            &["restore", "wines@1"],
            &["restore"],
            &["restore", "wine/price@2", "--list", "wine/price"],
        ];
        commands.map(|args| dir.plain(args)).concat()
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot restore wine/price: removed versions are restored by number; write `wine/price@N`
    exit 3
    --- stderr
    error: cannot find wine/price@9 in this larder; did you mean wine/price:prod or wine/price@1?
    exit 3
    --- stderr
    error: cannot find wines@1 in this larder; did you mean wine/price?
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <REF>

    Usage: larder restore --store <URL> <REF>

    For more information, try '--help'.
    exit 2
    --- stderr
    error: the argument '[REF]' cannot be used with '--list <NAME>'

    Usage: larder restore --store <URL> <REF>

    For more information, try '--help'.
    ");
}

#[test]
fn gc_does_nothing_while_it_cannot_read_what_is_needed() {
    let printed = everywhere(|dir| {
        let larder = with_garbage(dir).larder();
        let manifest = larder.show("label").unwrap().version.digest;
        larder.store().remove_blobs(&[manifest]).unwrap();
        dir.plain(&AT_ONCE)
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot collect garbage: the blobs in use are not known, because the manifest of label@1 is corrupt (its bytes are missing); repair it, or remove the version
    ");
}

#[test]
fn gc_removes_what_writers_left_unfinished() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    for (place, age) in
        [("data_dir/tmp/.old", 60), ("data_dir/blobs/tmp/.old", 60), ("data_dir/tmp/.new", 0)]
    {
        fs::create_dir_all(dir.path(place).parent().unwrap()).unwrap();
        dir.write(place, [7; 1000]);
        let file = fs::File::options().write(true).open(dir.path(place)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    let held = dir.path("data_dir/tmp/.old");
    let held = fs::File::open(held).unwrap();
    held.lock().unwrap();
    let first = dir.plain(&["gc", "--grace", "30s"]);
    assert!(dir.path("data_dir/tmp/.old").exists(), "its writer lives");
    drop(held);
    let printed = first + &dir.plain(&["gc", "--grace", "30s"]);
    assert!(!dir.path("data_dir/tmp/.old").exists() && dir.path("data_dir/tmp/.new").exists());
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    removed 0 blobs (0 B), marked 0 blobs (0 B) as garbage
    kept 5 blobs (760 B), and 0 blobs (0 B) within the grace period
    removed 1 file (1000 B) of interrupted writes
    exit 0
    --- stderr
    removed 0 blobs (0 B), marked 0 blobs (0 B) as garbage
    kept 5 blobs (760 B), and 0 blobs (0 B) within the grace period
    removed 1 file (1000 B) of interrupted writes
    ");
}

#[test]
fn gc_refuses_a_grace_period_that_cannot_be_safe() {
    let printed = everywhere(|dir| {
        with_garbage(dir);
        [["--grace", "0s"], ["--grace", "999ms"]]
            .map(|grace| dir.plain(&[&["gc"], &grace[..]].concat()))
            .concat()
            + &dir.plain(&["gc", "--grace", "0s", "--dry-run"])
    });
    assert_snapshot!(printed, @"
    exit 2
    --- stderr
    error: cannot collect garbage with a grace period of 0s: a version that is being written would lose its bytes
    hint: use `--grace 1s` or more; while nobody writes, `--exclusive` locks the larder and allows less
    exit 2
    --- stderr
    error: cannot collect garbage with a grace period of 999ms: a version that is being written would lose its bytes
    hint: use `--grace 1s` or more; while nobody writes, `--exclusive` locks the larder and allows less
    exit 2
    --- stderr
    error: cannot collect garbage with a grace period of 0s: a version that is being written would lose its bytes
    hint: use `--grace 1s` or more; while nobody writes, `--exclusive` locks the larder and allows less
    ");
}
