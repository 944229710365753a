//! `list` with conditions, orders and pages.

use insta::assert_snapshot;
use larder::versions::AnnotationsChange;

use crate::test_dir::{TestDir, everywhere};

/// A stocked larder with notes.
fn noted(dir: &TestDir) -> &TestDir {
    let larder = dir.filled().larder();
    let change = AnnotationsChange::new;
    larder
        .annotate("wine/price@1", &change().label("team", "wine").metric("accuracy", 0.75))
        .unwrap();
    larder
        .annotate("wine/price@2", &change().label("team", "wine").metric("accuracy", 0.93))
        .unwrap();
    larder.annotate("label", &change().label("team", "print")).unwrap();
    dir
}

#[test]
fn list_finds_by_name_type_tag_label_and_filter() {
    let printed = everywhere(|dir| {
        let list = |args: &[&str]| dir.plain(&[&["list"], args].concat());
        noted(dir);
        list(&["wine/*"])
            + &list(&["--type", "example/label"])
            + &list(&["--tag", "prod"])
            + &list(&["--label", "team=wine", "--all"])
            + &list(&["--label", "team"])
            + &list(&[
                "--where",
                "metrics.accuracy > 0.9 and labels.team = \"wine\" and size < 10MB",
            ])
            + &list(&["--where", "metrics.accuracy > 0.99"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    NAME   VERSION  TYPE           SIZE   CREATED               DIGEST
    label  v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v1       example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v1       example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stderr
    no matches in [store]
    ");
}

#[test]
fn search_is_list_sorted_and_in_pages_and_with_notes() {
    let printed = everywhere(|dir| {
        let search = |args: &[&str]| dir.plain(&[&["search", "--all"], args].concat());
        noted(dir);
        search(&["--sort", "metrics.accuracy", "--reverse", "--notes"])
            + &search(&["--sort", "size", "--limit", "2"])
            + &search(&["--sort", "size", "--limit", "2", "--page", "2"])
            + &search(&["wine/*", "--notes", "--limit", "1", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST           LABELS      METRICS
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e  team=wine   accuracy=0.93
    wine/price  v1       example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe  team=wine   accuracy=0.75
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9  team=print
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    wine/price  v1       example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": [
        {
          "name": "wine/price",
          "version": 1,
          "digest": "b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "description": null,
          "labels": {
            "team": "wine"
          },
          "metrics": {
            "accuracy": 0.75
          },
          "locked": null
        }
      ]
    }
    "#);
}

#[test]
fn conditions_that_cannot_be_read_are_refused() {
    let printed = everywhere(|dir| {
        let list = |args: &[&str]| dir.plain(&[&["list"], args].concat());
        noted(dir);
        list(&["--where", "accuracy > 0.9"])
            + &list(&["--where", "size < 10MB and (age < soon)"])
            + &list(&["--sort", "colour"])
            + &list(&["--page", "2"])
            + &list(&["--limit", "2", "--page", "0"])
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: invalid value 'accuracy > 0.9' for '--where <FILTER>': cannot use "accuracy > 0.9" as a filter: at column 1, `accuracy`: expected a field: name, version, type, tag, size, age, created, description, labels.NAME, metrics.NAME, or `has locked`

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'size < 10MB and (age < soon)' for '--where <FILTER>': cannot use "size < 10MB and (age < soon)" as a filter: at column 24, `soon`: expected a duration, such as 7d or 1h30m

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'colour' for '--sort <FIELD>': cannot use "colour" as an order: there are: name, version, created, size, metrics.NAME

    For more information, try '--help'.
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --limit <NUMBER>

    Usage: larder list --limit <NUMBER> --page <NUMBER> --store <URL> [GLOB]

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value '0' for '--page <NUMBER>': page numbers start at 1

    For more information, try '--help'.
    "#);
}
