//! `mirror`.

use insta::assert_snapshot;
use larder::maintenance::LarderMaintenance;

use crate::test_dir::{everywhere, price};

#[test]
fn mirror_brings_all_and_then_only_what_changed() {
    let printed = everywhere(|dir| {
        dir.filled();
        let here = dir.store;
        let first = dir.plain(&["mirror", here, "fs:other"]);
        let again = dir.plain(&["mirror", here, "fs:other"]);
        dir.apply("wine/price", &price([5.0, 1.0, 1.0]));
        dir.larder().tag("wine/price@2", "prod").unwrap();
        first
            + &again
            + &dir.plain(&["mirror", here, "fs:other", "--dry-run"])
            + &dir.plain(&["mirror", here, "fs:other", "--quiet"])
            + &dir.plain(&["versions", "wine/price", "--store", "fs:other"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    copied label@1 (b3:7e39801b4cf9, 100 B)
    copied wine/price@1 (b3:d9836dc820fe, 330 B)
    copied wine/price@2 (b3:7e6cc7296b5e, 330 B)
    copied wine/price:prod, which names wine/price@1
    --- stderr
    copied 3 versions, 5 blobs, 760 B
    exit 0
    --- stderr
    copied 0 versions, 0 blobs, 0 B
    exit 0
    --- stdout
    would copy wine/price@3 (b3:b37e1ba45c99, 330 B)
    would copy wine/price:prod, which names wine/price@2 instead of wine/price@1
    --- stderr
    would copy 1 version, 2 blobs, 330 B
    exit 0
    --- stdout
    wine/price@3
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1             example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    v2       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    v3             example/price  330 B  2027-01-15T08:00:00Z  b3:b37e1ba45c99
    ");
}

#[test]
fn mirror_deletes_only_if_it_is_told_to() {
    let printed = everywhere(|dir| {
        dir.filled();
        let here = dir.store;
        let first = dir.plain(&["mirror", here, "fs:other", "--quiet"]);
        dir.larder().untag("wine/price", "prod").unwrap();
        dir.larder().remove("wine/price@1").unwrap();
        let kept = dir.plain(&["mirror", here, "fs:other"]);
        let planned = dir.plain(&["mirror", here, "fs:other", "--delete", "--dry-run"]);
        let deleted = dir.plain(&["mirror", here, "fs:other", "--delete"]);
        dir.larder().maintenance().restore("wine/price@1").unwrap();
        first + &kept + &planned + &deleted + &dir.plain(&["mirror", here, "fs:other"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    label@1
    wine/price@1
    wine/price@2
    exit 0
    --- stderr
    copied 0 versions, 0 blobs, 0 B
    exit 0
    --- stdout
    would remove wine/price:prod
    would remove wine/price@1
    --- stderr
    would copy 0 versions, 0 blobs, 0 B; would remove 1 version
    exit 0
    --- stdout
    removed wine/price:prod
    removed wine/price@1
    --- stderr
    copied 0 versions, 0 blobs, 0 B; removed 1 version
    exit 0
    --- stdout
    restored wine/price@1
    --- stderr
    copied 0 versions, 0 blobs, 0 B
    ");
}

#[test]
fn mirror_refuses_another_version_under_a_number_and_a_larder_that_is_not_there() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.write("list", "another");
        let here = dir.store;
        dir.plain(&["put", "wine/price", "list", "--store", "fs:other"])
            + &dir.plain(&["mirror", here, "fs:other"])
            + &dir.plain(&["mirror", "fs:nothing", "fs:other"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    put wine/price@1 (b3:1411bd916de7, 353 B)
    exit 5
    --- stderr
    error: cannot mirror wine/price@1: the target has another version under that number; mirror to a new larder, or copy
    exit 3
    --- stderr
    error: cannot open fs:nothing: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}
