//! `note`, `lock`, `unlock`, `history`, and `tag` with its conditions.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn notes_are_written_shown_and_removed_entry_by_entry() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["note", "wine/price@1"])
            + &dir.plain(&[
                "note",
                "wine/price@1",
                "--description",
                "The first one",
                "--label",
                "team=wine",
                "--label",
                "stage=draft",
                "--metric",
                "accuracy=0.93",
                "--metric",
                "loss=1e-3",
            ])
            + &dir.plain(&[
                "note",
                "wine/price:prod",
                "--remove-label",
                "stage",
                "--remove-metric",
                "loss",
                "--format",
                "json",
            ])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stderr
    wine/price@1 has no notes
    exit 0
    --- stdout
    description  The first one
    labels       stage=draft, team=wine
    metrics      accuracy=0.93, loss=0.001
    exit 0
    --- stdout
    {
      "schema": 1,
      "reference": "wine/price:prod",
      "outcome": "changed",
      "description": "The first one",
      "labels": {
        "team": "wine"
      },
      "metrics": {
        "accuracy": 0.93
      },
      "locked": null
    }
    "#);
}

#[test]
fn notes_that_cannot_be_kept_are_refused() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["note", "label", "--metric", "loss=NaN"])
            + &dir.plain(&["note", "label", "--metric", "loss=high"])
            + &dir.plain(&["note", "label", "--label", "team"])
            + &dir.plain(&["note", "label", "--label", "my team=wine"])
            + &dir.plain(&["note", "labels", "--label", "team=wine"])
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: cannot use "NaN" as a metric: the metric `loss` is to be a finite number
    exit 2
    --- stderr
    error: invalid value 'loss=high' for '--metric <NAME=NUMBER>': `high` is not a number

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'team' for '--label <NAME=TEXT>': write NAME=TEXT

    For more information, try '--help'.
    exit 2
    --- stderr
    error: cannot use "my team" as a name of a label: it begins with a letter or a digit and goes on with those and . _ - /
    exit 3
    --- stderr
    error: cannot find labels in this larder; did you mean label?
    "#);
}

#[test]
fn what_is_put_may_have_notes_at_once() {
    let printed = everywhere(|dir| {
        dir.write("net.bin", "weights");
        let put = ["put", "net", "net.bin", "--tag", "prod"];
        dir.plain(&[&put[..], &["--metric", "a b=1"]].concat())
            + &dir.plain(&["list"])
            + &dir.plain(&[&put[..], &["--label", "team=wine", "--metric", "f1=0.5"]].concat())
            + &dir.plain(&["note", "net:prod"])
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: cannot use "a b" as a name of a metric: it begins with a letter or a digit and goes on with those and . _ - /
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 0
    --- stdout
    put net@1 (b3:e49c3ebe91d0, 356 B)
    net:prod is net@1
    exit 0
    --- stdout
    labels   team=wine
    metrics  f1=0.5
    "#);
}

#[test]
fn show_prints_notes_locks_and_protected_tags() {
    let printed = everywhere(|dir| {
        let larder = dir.filled().larder();
        let change = larder::versions::AnnotationsChange::new()
            .description("Sweet\u{1b}[31m")
            .label("team", "wine");
        larder.annotate("label", &change.metric("f1", 0.5)).unwrap();
        larder.locks().lock_version("label").unwrap();
        larder
            .tags()
            .set("label", "prod", &larder::versions::TagOptions::new().protected(true))
            .unwrap();
        larder.locks().lock_name("label").unwrap();
        dir.plain(&["show", "label"]) + &dir.plain(&["show", "label", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name         label
    version      v1
    tags         prod (protected)
    type         example/label (not linked in)
    crate        larder-cli [version]
    created      2027-01-15T08:00:00Z
    size         100 B
    digest       b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6
    description  Sweet\u{1b}[31m
    labels       team=wine
    metrics      f1=0.5
    locked       since 2027-01-15T08:00:00Z
    locked       with its name, since 2027-01-15T08:00:00Z

    fields:
    {
      "title": "Riesling",
      "years": [
        2019,
        2021
      ]
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "name": "label",
      "version": 1,
      "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
      "type": "example/label",
      "size": 100,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]",
      "type_version": 1,
      "linked": false,
      "rust_type": null,
      "tags": [
        {
          "tag": "prod",
          "version": 1,
          "moved": "2027-01-15T08:00:00.123Z",
          "by": null,
          "protected": true
        }
      ],
      "description": "Sweet\u001b[31m",
      "labels": {
        "team": "wine"
      },
      "metrics": {
        "f1": 0.5
      },
      "locked": "2027-01-15T08:00:00.123Z",
      "name_locked": "2027-01-15T08:00:00.123Z",
      "fields": {
        "title": "Riesling",
        "years": [
          2019,
          2021
        ]
      },
      "artifacts": [],
      "signature": null
    }
    "#);
}

#[test]
fn what_is_locked_stays_until_it_is_unlocked() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["lock", "wine/price@2"])
            + &dir.plain(&["remove", "wine/price@2"])
            + &dir.plain(&["note", "wine/price@2", "--label", "team=wine"])
            + &dir.plain(&["unlock", "wine/price@2"])
            + &dir.plain(&["lock", "wine/price", "--format", "json"])
            + &dir.plain(&["tag", "wine/price@2", "prod"])
            + &dir.plain(&["remove", "wine/price@2"])
            + &dir.plain(&["unlock", "wine/price"])
            + &dir.plain(&["remove", "wine/price@2"])
            + &dir.plain(&["lock", "wine/prize"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    locked wine/price@2
    exit 5
    --- stderr
    error: cannot remove wine/price: the version is locked; unlock wine/price@2 first
    hint: unlock it with `larder unlock REF|NAME`
    exit 5
    --- stderr
    error: cannot annotate wine/price@2: the version is locked; unlock wine/price@2 first
    hint: unlock it with `larder unlock REF|NAME`
    exit 0
    --- stdout
    unlocked wine/price@2
    exit 0
    --- stdout
    {
      "schema": 1,
      "outcome": "changed",
      "locked": true,
      "name": "wine/price",
      "version": null
    }
    exit 5
    --- stderr
    error: cannot move wine/price:prod: the name is locked; unlock wine/price first
    hint: unlock it with `larder unlock REF|NAME`
    exit 5
    --- stderr
    error: cannot remove wine/price: the name is locked; unlock wine/price first
    hint: unlock it with `larder unlock REF|NAME`
    exit 0
    --- stdout
    unlocked the name wine/price
    exit 0
    --- stdout
    removed wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 3
    --- stderr
    error: cannot find wine/prize in this larder; did you mean wine/price?
    "#);
}

#[test]
fn a_tag_moves_on_conditions_and_a_protected_one_by_force() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["tag", "wine/price@2", "prod", "--from", "wine/price@2"])
            + &dir.plain(&["tag", "wine/price@2", "prod", "--new"])
            + &dir.plain(&["tag", "wine/price@2", "prod", "--from", "wine/price@1", "--protect"])
            + &dir.plain(&["tag", "wine/price@1", "prod"])
            + &dir.plain(&["untag", "wine/price:prod"])
            + &dir.plain(&["tag", "wine/price@2", "prod", "--unprotect"])
            + &dir.plain(&["untag", "wine/price:prod", "--force"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot move wine/price:prod: it names v1, not v2; check its history
    exit 5
    --- stderr
    error: cannot move wine/price:prod: it names v1, not nothing; check its history
    exit 0
    --- stdout
    wine/price:prod is wine/price@2 (b3:7e6cc7296b5e)
    exit 5
    --- stderr
    error: cannot change wine/price:prod: the tag is protected; force the change to override
    hint: use `--force` to do it anyway
    exit 5
    --- stderr
    error: cannot change wine/price:prod: the tag is protected; force the change to override
    hint: use `--force` to do it anyway
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --force

    Usage: larder tag --force --unprotect --store <URL> <REF> <TAG>

    For more information, try '--help'.
    exit 0
    --- stderr
    removed the tag wine/price:prod
    ");
}

#[test]
fn the_history_of_a_tag_says_who_moved_it_where() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["tag", "label", "old"]);
        dir.larder().tag("wine/price@2", "prod").unwrap();
        let larder = dir.larder().with_author("bob");
        larder.untag("wine/price", "prod").unwrap();
        dir.plain(&["history", "wine/price:prod"])
            + &dir.plain(&["history", "wine/price"])
            + &dir.plain(&["history", "label:new"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    MOVE  VERSION  WHEN                  BY
    1     v1       2027-01-15T08:00:00Z
    2     v2       2027-01-15T08:00:00Z
    3     removed  2027-01-15T08:00:00Z  bob
    exit 2
    --- stderr
    error: cannot use `wine/price`: it does not name a tag
    hint: use `wine/price:TAG`
    exit 3
    --- stderr
    error: cannot find label:new in this larder; did you mean label:old or label@1?
    ");
}

#[test]
fn the_command_line_moves_tags_in_the_users_name() {
    let printed = everywhere(|dir| {
        let tag = |args: &[&str], author: Option<&str>, user: &str| {
            let mut command = dir.command(crate::test_dir::PLAIN, args);
            match author {
                Some(author) => command.env("LARDER_AUTHOR", author),
                None => command.env_remove("LARDER_AUTHOR"),
            };
            command.env("USER", user).env_remove("USERNAME");
            assert!(dir.run(command, b"").starts_with("exit 0"));
        };
        dir.filled();
        tag(&["tag", "wine/price@1", "new"], Some("ci/42"), "bob");
        tag(&["tag", "wine/price@2", "new"], None, "bob");
        tag(&["untag", "wine/price:new"], Some(""), "");
        let moves = dir.larder().tags().history("wine/price", "new").unwrap();
        moves.iter().map(|line| format!("{:?}\n", line.by)).collect()
    });
    assert_snapshot!(printed, @r#"
    Some("ci/42")
    Some("bob")
    None
    "#);
}
