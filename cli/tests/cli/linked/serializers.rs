//! `serializers`: what is linked in.

use insta::assert_snapshot;

use super::dir;

#[test]
fn serializers_lists_what_is_linked_in() {
    assert_snapshot!(dir().linked(&["serializers"]), @"
    exit 0
    --- stdout
    NAME               SERVES                                              TRAITS                                                      CRATE
    arrow-ipc          larder_collections::fragment::file::ArrowFile       -                                                           larder-collections [version]
    bincode2-standard  every serde type                                    stable specification                                        larder-serializers [version]
    bytes              alloc::vec::Vec<u8>, bytes::bytes::Bytes            -                                                           larder-serializers [version]
    f64-le             alloc::vec::Vec<f64>                                -                                                           larder-cli [version]
    file               larder_files::tree::content::FileContent            -                                                           larder-files [version]
    json               every serde type                                    self-describing, fields may be added, stable specification  larder-serializers [version]
    msgpack-named      every serde type                                    self-describing, fields may be added, stable specification  larder-serializers [version]
    positions-u32      larder_collections::fragment::positions::Positions  -                                                           larder-collections [version]
    postcard1          every serde type                                    stable specification                                        larder-serializers [version]
    safetensors        larder_serializers::tensors::Tensors                -                                                           larder-serializers [version]
    ");
}

#[test]
fn serializers_prints_one_json_document() {
    let printed = dir().linked(&["serializers", "--format", "json"]);
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
          "used_by": null
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
          "used_by": null
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
          "used_by": null
        },
        {
          "name": "f64-le",
          "linked": true,
          "crate": "larder-cli [version]",
          "types": [
            "alloc::vec::Vec<f64>"
          ],
          "traits": null,
          "record": null,
          "used_by": null
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
          "used_by": null
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
          "used_by": null
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
          "used_by": null
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
          "used_by": null
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
          "used_by": null
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
          "used_by": null
        }
      ]
    }
    "#);
}
