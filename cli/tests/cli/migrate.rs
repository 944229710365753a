//! `migrate`.

use insta::assert_snapshot;
use larder::Component;
use serde::Serialize;

use crate::test_dir::everywhere;

/// A `Cellar` as a program of earlier had it, under its old tag.
#[derive(Serialize)]
struct Rack {
    dozens: u32,
}

// By hand, because a derived one would be linked into this program too.
impl Component for Rack {
    fn typetag_name(&self) -> &'static str {
        "example/rack"
    }

    fn typetag_deserialize(&self) {}
}

#[test]
fn what_an_older_version_of_a_type_wrote_is_written_anew_on_request() {
    let printed = everywhere(|dir| {
        dir.filled().apply("cellar", &Rack { dozens: 3 });
        let printed = dir.linked(&["show", "cellar"])
            + &dir.linked(&["migrate", "--all"])
            + &dir.linked(&["migrate", "cellar"])
            + &dir.linked(&["migrate", "--all", "--format", "json"]);
        let shown = dir.larder().show("cellar").unwrap();
        assert_eq!(shown.manifest.fields(), r#"{"bottles":36}"#);
        assert_eq!((shown.version.version.get(), shown.manifest.type_version()), (2, 2));
        printed
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     cellar
    version  v1
    tags     none
    type     example/rack (linked in as linked::components::Cellar)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     71 B
    digest   b3:15873e956504c9125b1289f98cb5040c072af79f8ef35014096c61eec39947ac

    fields:
    {
      "dozens": 3
    }
    exit 0
    --- stdout
    migrated cellar@2 (`example/cellar`)
    exit 0
    --- stderr
    nothing to migrate
    exit 0
    --- stdout
    {
      "schema": 1,
      "migrated": [],
      "unchanged": 3,
      "not_linked": []
    }
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_type_that_is_not_linked_in_cannot_be_migrated() {
    let printed = everywhere(|dir| {
        dir.filled().apply("cellar", &Rack { dozens: 3 });
        dir.plain(&["migrate", "cellar"])
            + &dir.plain(&["migrate", "--all"])
            + &dir.plain(&["migrate"])
    });
    assert_snapshot!(printed, @"
    exit 6
    --- stderr
    error: cannot use cellar@1: the component type `example/rack` is not linked in (linked in: larder/checkpoint, larder/collection, larder/files, larder/imputer, larder/listener, larder/neighbours, larder/onnx, larder/outputs, larder/projection, larder/script, larder/serializer, larder/wasm, larder/wasm-serializer, larder/watch); it was applied from the crate larder-cli [version]; link that crate in (`use … as _;`)
    hint: to use it, link it into your own command line: https://docs.rs/larder-cli
    exit 0
    --- stderr
    nothing to migrate
    skipped cellar: its type is not linked in
    skipped label: its type is not linked in
    skipped wine/price: its type is not linked in
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <NAME>...

    Usage: larder migrate --store <URL> <NAME>...

    For more information, try '--help'.
    ");
}
