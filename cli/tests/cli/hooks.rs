//! Commands on components with hooks.

use insta::assert_snapshot;
use larder::Component;

use crate::components::Thermometer;
use crate::test_dir::{TestDir, everywhere};

fn thermometer(place: &str) -> Box<dyn Component> {
    Box::new(Thermometer { place: place.into() })
}

/// Two versions, of which the second failed.
fn hung(dir: &TestDir) {
    dir.apply("cellar/air", &*thermometer("the wall"));
    dir.larder().apply("cellar/air", &*thermometer("the moon")).unwrap_err();
}

#[test]
fn a_version_that_failed_is_listed_as_such_and_shown_with_the_reason() {
    let printed = everywhere(|dir| {
        hung(dir);
        dir.plain(&["list"])
            + &dir.plain(&["versions", "cellar/air"])
            + &dir.plain(&["list", "--all"])
            + &dir.plain(&["show", "cellar/air@2"])
            + &dir.plain(&["tag", "cellar/air@2", "prod"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    NAME        VERSION  TYPE                 SIZE  CREATED               DIGEST
    cellar/air  v1       example/thermometer  86 B  2027-01-15T08:00:00Z  b3:321388d3a5f5
    exit 0
    --- stdout
    VERSION      TAGS  TYPE                 SIZE  CREATED               DIGEST
    v1                 example/thermometer  86 B  2027-01-15T08:00:00Z  b3:321388d3a5f5
    v2 (failed)        example/thermometer  86 B  2027-01-15T08:00:00Z  b3:c1981dcfadc5
    exit 0
    --- stdout
    NAME        VERSION      TYPE                 SIZE  CREATED               DIGEST
    cellar/air  v1           example/thermometer  86 B  2027-01-15T08:00:00Z  b3:321388d3a5f5
    cellar/air  v2 (failed)  example/thermometer  86 B  2027-01-15T08:00:00Z  b3:c1981dcfadc5
    exit 0
    --- stdout
    name     cellar/air
    version  v2
    tags     none
    type     example/thermometer (not linked in)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     86 B
    digest   b3:c1981dcfadc5211413aa6159c4121c34a2aa4237a12aa12e6fe886554fa6b2b0
    status   failed: there is no air

    fields:
    {
      "place": "the moon"
    }
    exit 5
    --- stderr
    error: cannot move cellar/air:prod to version 2: its status is `failed`; wait until it is ready, or force the move
    hint: use `--force` to do it anyway
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_cleanup_that_fails_or_is_not_linked_in_keeps_a_version_unless_it_is_forced() {
    let printed = everywhere(|dir| {
        dir.apply("well/water", &*thermometer("the well"));
        dir.linked(&["remove", "well/water@1"])
            + &dir.plain(&["remove", "well/water@1"])
            + &dir.plain(&["remove", "well/water@1", "--force"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot complete the hook `cleanup` of well/water@1: the version was not removed; fix the hook, or force the removal
      caused by: it is too deep
    hint: use `--force` to remove it anyway
    exit 6
    --- stderr
    error: cannot use the `cleanup` of well/water@1: the component type `example/thermometer` is not linked in (linked in: larder/checkpoint, larder/collection, larder/files, larder/imputer, larder/listener, larder/neighbours, larder/onnx, larder/outputs, larder/projection, larder/script, larder/serializer, larder/wasm, larder/wasm-serializer, larder/watch); it was applied from the crate larder-cli [version]; link that crate in (`use … as _;`); or force the removal to skip it
    hint: to use it, link it into your own command line: https://docs.rs/larder-cli
    exit 0
    --- stdout
    removed well/water@1 (b3:a684daaace59, 86 B)
    ");
}

#[test]
fn versions_prints_the_status_as_json_where_it_is_not_ready() {
    let printed = everywhere(|dir| {
        hung(dir);
        dir.plain(&["versions", "cellar/air", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": [
        {
          "name": "cellar/air",
          "version": 1,
          "digest": "b3:321388d3a5f5b53e07934e572056fd8cd9be212fd799e19a2102d805fce3c408",
          "type": "example/thermometer",
          "size": 86,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "tags": []
        },
        {
          "name": "cellar/air",
          "version": 2,
          "digest": "b3:c1981dcfadc5211413aa6159c4121c34a2aa4237a12aa12e6fe886554fa6b2b0",
          "type": "example/thermometer",
          "size": 86,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "status": "failed",
          "failure": "there is no air",
          "tags": []
        }
      ]
    }
    "#);
}
