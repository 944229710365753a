//! The types of a program without types of its own.

use insta::assert_snapshot;

use super::dir;

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_program_without_types_of_ones_own_says_so() {
    let json = dir().plain(&["types", "--format", "json"]);
    let printed = dir().plain(&["types"]) + &json;
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    TYPE                    MODEL  RUST TYPE                                         CRATE
    larder/checkpoint       no     larder_training::checkpoint::Checkpoint           larder-training [version]
    larder/collection       no     larder_collections::snapshot::Snapshot            larder-collections [version]
    larder/files            no     larder_files::tree::Tree                          larder-files [version]
    larder/imputer          yes    larder_training::imputer::Imputer                 larder-training [version]
    larder/listener         no     larder_listeners::listeners::listener::Listener   larder-listeners [version]
    larder/neighbours       yes    larder_training::neighbours::Neighbours           larder-training [version]
    larder/onnx             yes    larder_onnx::OnnxModel                            larder-onnx [version]
    larder/outputs          no     larder_listeners::listeners::outputs::Outputs     larder-listeners [version]
    larder/projection       yes    larder_training::look_up::LookUp                  larder-training [version]
    larder/script           yes    larder_models::script::Script                     larder-models [version]
    larder/serializer       no     larder_core::serializer_record::SerializerRecord  larder-core [version]
    larder/wasm             yes    larder_models::wasm::WasmModel                    larder-models [version]
    larder/wasm-serializer  no     larder_models::wasm::serializer::WasmSerializer   larder-models [version]
    larder/watch            no     larder_listeners::watch::Watch                    larder-listeners [version]
    --- stderr
    only Larder's own component types are linked in; to link yours, see https://docs.rs/larder-cli
    exit 0
    --- stdout
    {
      "schema": 1,
      "types": [
        {
          "type": "larder/checkpoint",
          "rust_type": "larder_training::checkpoint::Checkpoint",
          "crate": "larder-training [version]",
          "signature": null
        },
        {
          "type": "larder/collection",
          "rust_type": "larder_collections::snapshot::Snapshot",
          "crate": "larder-collections [version]",
          "signature": null
        },
        {
          "type": "larder/files",
          "rust_type": "larder_files::tree::Tree",
          "crate": "larder-files [version]",
          "signature": null
        },
        {
          "type": "larder/imputer",
          "rust_type": "larder_training::imputer::Imputer",
          "crate": "larder-training [version]",
          "signature": null
        },
        {
          "type": "larder/listener",
          "rust_type": "larder_listeners::listeners::listener::Listener",
          "crate": "larder-listeners [version]",
          "signature": null
        },
        {
          "type": "larder/neighbours",
          "rust_type": "larder_training::neighbours::Neighbours",
          "crate": "larder-training [version]",
          "signature": {
            "input": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Fields",
              "description": "The fields of a row, as JSON.",
              "type": "object",
              "additionalProperties": true
            },
            "output": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "AnyValue"
            }
          }
        },
        {
          "type": "larder/onnx",
          "rust_type": "larder_onnx::OnnxModel",
          "crate": "larder-onnx [version]",
          "signature": null
        },
        {
          "type": "larder/outputs",
          "rust_type": "larder_listeners::listeners::outputs::Outputs",
          "crate": "larder-listeners [version]",
          "signature": null
        },
        {
          "type": "larder/projection",
          "rust_type": "larder_training::look_up::LookUp",
          "crate": "larder-training [version]",
          "signature": {
            "input": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Array_of_float",
              "type": "array",
              "items": {
                "type": "number",
                "format": "float"
              }
            },
            "output": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Array_of_float",
              "type": "array",
              "items": {
                "type": "number",
                "format": "float"
              }
            }
          }
        },
        {
          "type": "larder/script",
          "rust_type": "larder_models::script::Script",
          "crate": "larder-models [version]",
          "signature": null
        },
        {
          "type": "larder/serializer",
          "rust_type": "larder_core::serializer_record::SerializerRecord",
          "crate": "larder-core [version]",
          "signature": null
        },
        {
          "type": "larder/wasm",
          "rust_type": "larder_models::wasm::WasmModel",
          "crate": "larder-models [version]",
          "signature": null
        },
        {
          "type": "larder/wasm-serializer",
          "rust_type": "larder_models::wasm::serializer::WasmSerializer",
          "crate": "larder-models [version]",
          "signature": null
        },
        {
          "type": "larder/watch",
          "rust_type": "larder_listeners::watch::Watch",
          "crate": "larder-listeners [version]",
          "signature": null
        }
      ]
    }
    "#);
}
