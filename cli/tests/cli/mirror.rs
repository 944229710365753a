//! `mirror`.

use insta::assert_snapshot;

use crate::kitchen::{everywhere, price};

#[test]
fn mirror_brings_all_and_then_only_what_changed() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        let here = kitchen.store;
        let first = kitchen.plain(&["mirror", here, "fs:other"]);
        let again = kitchen.plain(&["mirror", here, "fs:other"]);
        kitchen.apply("wine/price", &price([5.0, 1.0, 1.0]));
        kitchen.larder().tag("wine/price@2", "prod").unwrap();
        first
            + &again
            + &kitchen.plain(&["mirror", here, "fs:other", "--dry-run"])
            + &kitchen.plain(&["mirror", here, "fs:other", "--quiet"])
            + &kitchen.plain(&["versions", "wine/price", "--store", "fs:other"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn mirror_deletes_only_if_it_is_told_to() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        let here = kitchen.store;
        let first = kitchen.plain(&["mirror", here, "fs:other", "--quiet"]);
        kitchen.larder().untag("wine/price", "prod").unwrap();
        kitchen.larder().remove("wine/price@1").unwrap();
        let kept = kitchen.plain(&["mirror", here, "fs:other"]);
        let planned = kitchen.plain(&["mirror", here, "fs:other", "--delete", "--dry-run"]);
        let deleted = kitchen.plain(&["mirror", here, "fs:other", "--delete"]);
        kitchen.larder().restore("wine/price@1").unwrap();
        first + &kept + &planned + &deleted + &kitchen.plain(&["mirror", here, "fs:other"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn mirror_refuses_another_version_under_a_number_and_a_larder_that_is_not_there() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        kitchen.write("list", "another");
        let here = kitchen.store;
        kitchen.plain(&["put", "wine/price", "list", "--store", "fs:other"])
            + &kitchen.plain(&["mirror", here, "fs:other"])
            + &kitchen.plain(&["mirror", "fs:nothing", "fs:other"])
    });
    assert_snapshot!(told, @"");
}
