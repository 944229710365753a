//! `tag` and `untag`.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn a_tag_moves_and_goes_and_its_version_stays() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["tag", "wine/price@2", "prod"])
            + &dir.plain(&["tag", "wine/price:prod", "staging", "--format", "json"])
            + &dir.plain(&["untag", "wine/price:prod"])
            + &dir.plain(&["versions", "wine/price"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    wine/price:prod is wine/price@2 (b3:7e6cc7296b5e)
    exit 0
    --- stdout
    {
      "schema": 1,
      "outcome": "changed",
      "tag": "staging",
      "name": "wine/price",
      "version": 2,
      "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
      "type": "example/price",
      "size": 330,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]"
    }
    exit 0
    --- stderr
    removed the tag wine/price:prod
    exit 0
    --- stdout
    VERSION  TAGS     TYPE           SIZE   CREATED               DIGEST
    v1                example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    v2       staging  example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    "#);
}

#[test]
fn a_tag_that_is_reserved_or_not_there_or_not_said_is_an_error() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["tag", "wine/price", "Latest"])
            + &dir.plain(&["untag", "wine/price:gone"])
            + &dir.plain(&["untag", "wine/price@1"])
            + &dir.plain(&["tag", "wine/prise", "prod"])
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: invalid value 'Latest' for '<TAG>': cannot use "Latest" as a tag: `latest` is reserved: it always means the newest version

    For more information, try '--help'.
    exit 3
    --- stderr
    error: cannot find wine/price:gone in this larder; did you mean wine/price:prod or wine/price@2?
    exit 2
    --- stderr
    error: cannot use `wine/price@1`: it does not name a tag
    hint: use `wine/price:TAG`
    exit 3
    --- stderr
    error: cannot find wine/prise in this larder; did you mean wine/price?
    "#);
}
