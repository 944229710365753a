//! `remove`.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn remove_takes_out_one_version() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["remove", "wine/price@2"]) + &dir.plain(&["versions", "wine/price"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    removed wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    "#);
}

#[test]
fn rm_of_latest_takes_out_the_newest() {
    let printed =
        everywhere(|dir| dir.filled().plain(&["rm", "wine/price:latest", "--format", "json"]));
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
          "crate": "larder-cli [version]"
        }
      ]
    }
    "#);
}

#[test]
fn a_bare_name_is_not_enough_to_remove() {
    let printed =
        everywhere(|dir| dir.filled().plain(&["rm", "wine/price"]) + &dir.plain(&["list"]));
    assert_snapshot!(printed, @"
    exit 2
    --- stderr
    error: cannot remove `wine/price`: it does not name a version
    hint: use `wine/price@N` or `wine/price:latest`, or `--all wine/price` for all versions
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    ");
}

#[test]
fn all_versions_of_a_name_are_removed_at_once() {
    let printed = everywhere(|dir| {
        dir.filled().larder().untag("wine/price", "prod").unwrap();
        dir.plain(&["rm", "--all", "wine/price"])
            + &dir.plain(&["list"])
            + &dir.plain(&["rm", "--all", "wine/price"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    removed wine/price@1 (b3:d9836dc820fe, 330 B)
    removed wine/price@2 (b3:7e6cc7296b5e, 330 B)
    exit 0
    --- stdout
    NAME   VERSION  TYPE           SIZE   CREATED               DIGEST
    label  v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    exit 3
    --- stderr
    error: cannot find wine/price in this larder
    hint: `larder list` lists the names
    ");
}

#[test]
fn a_version_that_is_tagged_is_not_removed() {
    let printed = everywhere(|dir| {
        dir.filled();
        let refused = ["wine/price@1", "wine/price:prod"].map(|one| dir.plain(&["rm", one]));
        let all = dir.plain(&["rm", "--all", "wine/price"]);
        assert_eq!(dir.larder().versions("wine/price").unwrap().len(), 2);
        refused.concat() + &all
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot remove wine/price@1: it has tags: wine/price:prod (v1); remove them first
    hint: `larder untag NAME:TAG` removes a tag
    exit 5
    --- stderr
    error: cannot remove wine/price@1: it has tags: wine/price:prod (v1); remove them first
    hint: `larder untag NAME:TAG` removes a tag
    exit 5
    --- stderr
    error: cannot remove wine/price: it has tags: wine/price:prod (v1); remove them first
    hint: `larder untag NAME:TAG` removes a tag
    ");
}

#[test]
fn all_wants_a_name_and_no_reference() {
    let printed = everywhere(|dir| dir.filled().plain(&["rm", "--all", "wine/price@2"]));
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: cannot use "wine/price@2" as an identifier: only a-z 0-9 . _ - are allowed, with `/` between parts
    "#);
}
