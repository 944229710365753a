//! `diff`, and `put --dry-run`, which prints the same.

use std::fs;

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn diff_prints_what_differs_and_ends_with_1() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["diff", "wine/price@1", "wine/price"])
            + &dir.plain(&["diff", "label", "wine/price:prod"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stdout
    changed  weights  b3:f188dcc52279 (f64-le, 24 B) -> b3:50dd04420efa (f64-le, 24 B)
    --- stderr
    1 changed, 1 the same; artifacts: 0 B in both, 24 B only in old, 24 B only in new
    exit 1
    --- stdout
    type  example/label -> example/price
    added    currency  "EUR"
    added    weights   b3:f188dcc52279 (f64-le, 24 B)
    removed  title     "Riesling"
    removed  years     [2019,2021]
    --- stderr
    2 added, 2 removed; artifacts: 0 B in both, 0 B only in old, 24 B only in new
    "#);
}

#[test]
fn diff_of_what_is_the_same_ends_with_0() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["diff", "wine/price@1", "wine/price:prod"])
            + &dir.plain(&["diff", "--quiet", "wine/price@1", "wine/price:prod"])
            + &dir.plain(&["diff", "--quiet", "wine/price@1", "wine/price"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    wine/price@1 and wine/price@1 are the same
    exit 0
    exit 1
    ");
}

#[test]
fn diff_compares_versions_of_two_larders() {
    let printed = everywhere(|dir| {
        dir.filled();
        let copied = dir.plain(&["copy", "wine/price", "fs:other"]);
        assert!(copied.starts_with("exit 0"), "{copied}");
        dir.plain(&["diff", "wine/price@2", "fs:other#wine/price"])
            + &dir.plain(&["diff", "fs:other#wine/price", "wine/price@1"])
            + &dir.plain(&["diff", "label", "fs:nowhere#label"])
            + &dir.plain(&["diff", "fs:nowhere#label", "label"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    wine/price@2 and wine/price@2 are the same
    exit 1
    --- stdout
    changed  weights  b3:50dd04420efa (f64-le, 24 B) -> b3:f188dcc52279 (f64-le, 24 B)
    --- stderr
    1 changed, 1 the same; artifacts: 0 B in both, 24 B only in old, 24 B only in new
    exit 3
    --- stderr
    error: cannot open fs:nowhere: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 3
    --- stderr
    error: cannot open fs:nowhere: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn diff_prints_one_json_document() {
    let printed = everywhere(|dir| {
        let stocked = dir.filled();
        stocked.plain(&["diff", "wine/price@1", "wine/price", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stdout
    {
      "schema": 1,
      "same": false,
      "old": {
        "name": "wine/price",
        "version": 1,
        "digest": "b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6",
        "type": "example/price",
        "type_version": 1,
        "size": 330
      },
      "new": {
        "name": "wine/price",
        "version": 2,
        "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
        "type": "example/price",
        "type_version": 1,
        "size": 330
      },
      "fields": [
        {
          "path": "currency",
          "state": "same",
          "new": {
            "json": "\"EUR\""
          }
        },
        {
          "path": "weights",
          "state": "changed",
          "old": {
            "artifact": {
              "digest": "b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090",
              "size": 24,
              "serializer": "f64-le"
            }
          },
          "new": {
            "artifact": {
              "digest": "b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7",
              "size": 24,
              "serializer": "f64-le"
            }
          }
        }
      ],
      "counts": {
        "same": 1,
        "changed": 1,
        "added": 0,
        "removed": 0
      },
      "bytes": {
        "both": 0,
        "old": 24,
        "new": 24
      }
    }
    "#);
}

#[test]
fn what_keeps_diff_from_an_answer_never_ends_with_1() {
    let printed = everywhere(|dir| {
        let missing = dir.plain(&["diff", "a", "b"]);
        dir.filled();
        missing + &dir.plain(&["diff", "label", "labels"]) + &dir.plain(&["diff", "label"])
    });
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 3
    --- stderr
    error: cannot find labels in this larder; did you mean label?
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <NEW>

    Usage: larder diff --store <URL> <OLD> <NEW>

    For more information, try '--help'.
    ");
    let printed = everywhere(|dir| {
        let mut command = dir.command(crate::test_dir::PLAIN, &["diff", "a", "b"]);
        command.env("LARDER_STORE", "sqlite:notes.txt/larder.db");
        dir.write("notes.txt", "no folder");
        let printed = dir.run(command, b"");
        assert!(printed.contains("error: "), "{printed}");
        printed.lines().next().unwrap().to_owned()
    });
    assert_snapshot!(printed, @"exit 2");
}

#[test]
fn put_dry_run_prints_the_plan_and_makes_no_larder() {
    let printed = everywhere(|dir| {
        fs::create_dir_all(dir.path("notes/old")).unwrap();
        dir.write("notes/a.txt", "apples");
        dir.write("notes/old/b.txt", "pears");
        let first = dir.plain(&["put", "notes", "notes", "--dry-run", "--tag", "prod"]);
        let place = dir.store.split_once(':').unwrap().1;
        assert!(!dir.path(place).exists(), "a dry run made a larder");
        let put = dir.plain(&["put", "notes", "notes"]);
        let same = dir.plain(&["put", "notes", "notes", "--dry-run"]);
        dir.write("notes/a.txt", "apples and \u{1b}[31mplums");
        fs::remove_file(dir.path("notes/old/b.txt")).unwrap();
        let second = dir.plain(&["put", "notes", "notes", "--dry-run"]);
        let quiet = dir.plain(&["put", "notes", "notes", "--dry-run", "--quiet"]);
        let list = dir.plain(&["list", "--quiet"]);
        [first, put, same, second, quiet, list].concat()
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    would put notes@1 (b3:a41485b70007, 617 B), 617 B new
    added  a.txt      b3:15de7c8f426e (6 B)
    added  old/b.txt  b3:860fc96df6b0 (5 B)
    notes:prod would be notes@1
    --- stderr
    2 added
    exit 0
    --- stdout
    put notes@1 (b3:a41485b70007, 617 B)
    exit 0
    --- stdout
    unchanged: notes@1 (b3:a41485b70007, 617 B), 0 B new
    exit 0
    --- stdout
    would put notes@2 (b3:8d547054aaee, 376 B), 376 B new
    changed  a.txt      b3:15de7c8f426e (6 B) -> b3:cca17ba85631 (21 B)
    removed  old/b.txt  b3:860fc96df6b0 (5 B)
    added    old/       an empty folder
    --- stderr
    1 changed, 1 added, 1 removed; artifacts: 0 B in both, 11 B only in old, 21 B only in new
    exit 0
    --- stdout
    notes@2
    exit 0
    --- stdout
    notes@1
    ");
}

#[test]
fn put_dry_run_of_a_model_prints_one_json_document() {
    let printed = everywhere(|dir| {
        dir.write("half.rhai", "fn predict(x) { x / 2.0 }");
        dir.plain(&["put", "half", "half.rhai", "--dry-run", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "dry_run": true,
      "outcome": "created",
      "tags": [],
      "stored": 271,
      "jobs": [],
      "old": null,
      "new": {
        "name": "half",
        "version": 1,
        "digest": "b3:eef6c2a5620d7417a1a759b812f43a453452ea7e51546810428c045acceac3db",
        "type": "larder/script",
        "type_version": 1,
        "size": 271
      },
      "fields": [
        {
          "path": "source",
          "state": "added",
          "new": {
            "json": "{\"$source\":\"rhai\",\"file\":\"half.rhai\",\"text\":\"fn predict(x) {…"
          }
        },
        {
          "path": "limits",
          "state": "added",
          "new": {
            "json": "{\"operations\":100000000,\"call_depth\":32,\"variables\":64,\"text…"
          }
        }
      ],
      "counts": {
        "same": 0,
        "changed": 0,
        "added": 2,
        "removed": 0
      },
      "bytes": {
        "both": 0,
        "old": 0,
        "new": 0
      }
    }
    "#);
}
