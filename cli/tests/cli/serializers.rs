//! `serializers` where a larder is: what is linked in, what is missing, and who needs it.

use std::fs;

use insta::assert_snapshot;
use larder::serializers::FnSerializer;
use larder::{Artifact, Component, Item, Registry};

use crate::test_dir::{TestDir, everywhere, price};

/// A note in a serializer that neither program has.
#[derive(larder::prelude::Serialize, larder::prelude::Deserialize, Component)]
#[component(tag = "example/note")]
struct Note {
    text: Artifact<String, larder::serializers::ByName>,
}

fn rot13() -> FnSerializer<String> {
    let turn = |b: u8| match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        other => other,
    };
    FnSerializer::new(
        "rot13",
        move |text: &String, out| Ok(out.write_all(&text.bytes().map(turn).collect::<Vec<_>>())?),
        move |bytes| Ok(String::from_utf8(bytes.iter().copied().map(turn).collect())?),
    )
    .with_note("the crate `caesar`")
    .with_sample(|| "larder".to_owned())
}

/// A model by a serializer that the example links in, and notes by two that it does not.
fn dir(store: &'static str) -> TestDir {
    let dir = TestDir::new(store);
    dir.apply("wine/price", &price([5.0, 1.5, 0.25]));
    let mut registry = Registry::linked().unwrap();
    registry.register(Item::pair(rot13())).unwrap();
    let plain = FnSerializer::<String>::new(
        "plain",
        |text, out| Ok(write!(out, "{text}")?),
        |bytes| Ok(String::from_utf8(bytes.to_vec())?),
    );
    registry.register(Item::pair(plain)).unwrap();
    let larder = larder::Larder::new(dir.larder().store().clone(), registry);
    larder.serializers().apply("rot13").unwrap();
    for number in 1..=5 {
        let text = Artifact::named("rot13", format!("note {number}"));
        larder.apply(format!("note/{number}"), &Note { text }).unwrap();
    }
    let text = Artifact::named("plain", "plain".to_owned());
    larder.apply("note/plain", &Note { text }).unwrap();
    dir
}

#[test]
fn serializers_says_what_is_missing_and_where_to_get_it() {
    let printed = everywhere(|empty| dir(empty.store).linked(&["serializers"]));
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    NAME               SERVES                                              TRAITS                                                      CRATE                     USED BY
    arrow-ipc          larder_collections::fragment::file::ArrowFile       -                                                           larder-collections [version]  -
    bincode2-standard  every serde type                                    stable specification                                        larder-serializers [version]  -
    bytes              alloc::vec::Vec<u8>, bytes::bytes::Bytes            -                                                           larder-serializers [version]  -
    f64-le             alloc::vec::Vec<f64>                                -                                                           larder-cli [version]          wine/price@1
    file               larder_files::tree::content::FileContent            -                                                           larder-files [version]        -
    json               every serde type                                    self-describing, fields may be added, stable specification  larder-serializers [version]  -
    msgpack-named      every serde type                                    self-describing, fields may be added, stable specification  larder-serializers [version]  -
    positions-u32      larder_collections::fragment::positions::Positions  -                                                           larder-collections [version]  -
    postcard1          every serde type                                    stable specification                                        larder-serializers [version]  -
    safetensors        larder_serializers::tensors::Tensors                -                                                           larder-serializers [version]  -

    not linked in:
    NAME   USED BY                                  WHERE TO GET IT
    plain  note/plain@1                             unknown: the larder has no record of it
    rot13  note/1@1, note/2@1, note/3@1 and 2 more  the crate `caesar`
    ");
}

#[test]
fn serializers_prints_what_is_missing_as_json_too() {
    let printed = everywhere(|empty| dir(empty.store).plain(&["serializers", "--format", "json"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "serializers": [
        {
          "name": "arrow-ipc",
          "linked": true,
          "crate": "larder-collections [version]",
          "types": [
            "larder_collections::fragment::file::ArrowFile"
          ],
          "traits": null,
          "record": null,
          "used_by": []
        },
        {
          "name": "bincode2-standard",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": null,
          "traits": {
            "self_describing": false,
            "fields_may_be_added": false,
            "stable_specification": true
          },
          "record": null,
          "used_by": []
        },
        {
          "name": "bytes",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": [
            "alloc::vec::Vec<u8>",
            "bytes::bytes::Bytes"
          ],
          "traits": null,
          "record": null,
          "used_by": []
        },
        {
          "name": "f64-le",
          "linked": false,
          "crate": null,
          "types": null,
          "traits": null,
          "record": null,
          "used_by": [
            "wine/price@1"
          ]
        },
        {
          "name": "file",
          "linked": true,
          "crate": "larder-files [version]",
          "types": [
            "larder_files::tree::content::FileContent"
          ],
          "traits": null,
          "record": null,
          "used_by": []
        },
        {
          "name": "json",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": null,
          "traits": {
            "self_describing": true,
            "fields_may_be_added": true,
            "stable_specification": true
          },
          "record": null,
          "used_by": []
        },
        {
          "name": "msgpack-named",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": null,
          "traits": {
            "self_describing": true,
            "fields_may_be_added": true,
            "stable_specification": true
          },
          "record": null,
          "used_by": []
        },
        {
          "name": "plain",
          "linked": false,
          "crate": null,
          "types": null,
          "traits": null,
          "record": null,
          "used_by": [
            "note/plain@1"
          ]
        },
        {
          "name": "positions-u32",
          "linked": true,
          "crate": "larder-collections [version]",
          "types": [
            "larder_collections::fragment::positions::Positions"
          ],
          "traits": null,
          "record": null,
          "used_by": []
        },
        {
          "name": "postcard1",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": null,
          "traits": {
            "self_describing": false,
            "fields_may_be_added": false,
            "stable_specification": true
          },
          "record": null,
          "used_by": []
        },
        {
          "name": "rot13",
          "linked": false,
          "crate": null,
          "types": null,
          "traits": null,
          "record": {
            "reference": "serializers/rot13@1",
            "crate": null,
            "note": "the crate `caesar`",
            "types": [
              {
                "rust_type": "alloc::string::String",
                "fingerprint": "b3:48fe758705b6bb7fe2dcee327ffb9838f25db796c56db51996f61eb639de99ef"
              }
            ]
          },
          "used_by": [
            "note/1@1",
            "note/2@1",
            "note/3@1",
            "note/4@1",
            "note/5@1"
          ]
        },
        {
          "name": "safetensors",
          "linked": true,
          "crate": "larder-serializers [version]",
          "types": [
            "larder_serializers::tensors::Tensors"
          ],
          "traits": null,
          "record": null,
          "used_by": []
        }
      ]
    }
    "#);
}

#[test]
fn a_damaged_version_does_not_hide_what_the_others_need() {
    let dir = dir("fs:data_dir");
    let digest = dir.larder().show("note/1").unwrap().version.digest.to_hex();
    fs::remove_file(dir.path(&format!("data_dir/blobs/{}/{digest}", &digest[..2]))).unwrap();
    let printed = dir.plain(&["serializers"]);
    assert!(printed.starts_with("exit 4\n"), "{printed}");
    assert!(printed.contains("note/2@1, note/3@1, note/4@1 and 1 more"), "{printed}");
    assert!(printed.contains("cannot read the manifest of note/1@1: it is corrupt"), "{printed}");
}
