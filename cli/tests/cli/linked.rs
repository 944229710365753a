//! `types` and `serializers`: what is linked in.

mod plain;
mod serializers;

use insta::assert_snapshot;

use crate::test_dir::TestDir;

fn dir() -> TestDir {
    TestDir::new("fs:data_dir")
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn types_lists_what_is_linked_in() {
    assert_snapshot!(dir().linked(&["types"]), @"
    exit 0
    --- stdout
    TYPE                    MODEL  RUST TYPE                                         CRATE
    example/cellar          no     linked::components::Cellar                        larder-cli [version]
    example/half            yes    linked::components::half                          larder-cli [version]
    example/label           no     linked::components::Label                         larder-cli [version]
    example/price           yes    linked::components::Price                         larder-cli [version]
    example/thermometer     no     linked::components::Thermometer                   larder-cli [version]
    example/years           yes    linked::components::Years                         larder-cli [version]
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
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn types_prints_one_json_document_with_signatures() {
    assert_snapshot!(dir().linked(&["types", "--format", "json"]), @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "types": [
        {
          "type": "example/cellar",
          "rust_type": "linked::components::Cellar",
          "crate": "larder-cli [version]",
          "signature": null
        },
        {
          "type": "example/half",
          "rust_type": "linked::components::half",
          "crate": "larder-cli [version]",
          "signature": {
            "input": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "half",
              "description": "Half of a number.",
              "type": "object",
              "properties": {
                "x": {
                  "type": "number",
                  "format": "double"
                }
              },
              "additionalProperties": false,
              "required": [
                "x"
              ]
            },
            "output": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "double",
              "type": "number",
              "format": "double"
            }
          }
        },
        {
          "type": "example/label",
          "rust_type": "linked::components::Label",
          "crate": "larder-cli [version]",
          "signature": null
        },
        {
          "type": "example/price",
          "rust_type": "linked::components::Price",
          "crate": "larder-cli [version]",
          "signature": {
            "input": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Bottle",
              "description": "The input of a price model.",
              "type": "object",
              "properties": {
                "age": {
                  "description": "Years since it was filled.",
                  "type": "integer",
                  "format": "uint32",
                  "minimum": 0
                },
                "points": {
                  "description": "Up to 100.",
                  "type": "number",
                  "format": "double"
                }
              },
              "required": [
                "age",
                "points"
              ]
            },
            "output": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Quote",
              "description": "The price.",
              "type": "object",
              "properties": {
                "currency": {
                  "type": "string"
                },
                "price": {
                  "type": "number",
                  "format": "double"
                }
              },
              "required": [
                "currency",
                "price"
              ]
            }
          }
        },
        {
          "type": "example/thermometer",
          "rust_type": "linked::components::Thermometer",
          "crate": "larder-cli [version]",
          "signature": null
        },
        {
          "type": "example/years",
          "rust_type": "linked::components::Years",
          "crate": "larder-cli [version]",
          "signature": {
            "input": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "string",
              "type": "string"
            },
            "output": {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "uint16",
              "type": "integer",
              "format": "uint16",
              "minimum": 0,
              "maximum": 65535
            }
          }
        },
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
