//! WebAssembly models in the published program: it has never seen the code that made them.

use insta::assert_snapshot;
use larder::models::WasmModel;

use crate::test_dir::{TestDir, everywhere};

const TREE: &[u8] = include_bytes!("../../../models/tests/guests/tree.wasm");

/// A guest that never ends, with a tenth of a second to do so.
fn endless() -> WasmModel {
    let limits = larder::models::wasm::Limits {
        time: std::time::Duration::from_millis(100),
        ..Default::default()
    };
    let wasm = include_bytes!("../../../models/tests/guests/endless.wasm");
    WasmModel::from_bytes(&wasm[..]).unwrap().with_limits(limits).unwrap()
}

fn filled(dir: &TestDir) -> &TestDir {
    dir.apply("flower/tree", &WasmModel::from_bytes(TREE).unwrap());
    dir.apply("endless", &endless());
    dir
}

#[test]
fn the_published_program_predicts_by_the_code_that_a_model_carries() {
    let printed = everywhere(|dir| {
        let lines = "[5.1, 3.5, 1.4, 0.2]\n[6.0, 2.7, 5.1, 1.6]\n";
        let predict = ["predict", "flower/tree", "--lines"];
        let printed =
            dir.run(filled(dir).command(crate::test_dir::PLAIN, &predict), lines.as_bytes());
        assert!(dir.path("cache/larder/wasm").is_dir(), "it is compiled into the user's cache");
        printed
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {"species":"setosa","area":0.27999999999999999}
    {"species":"versicolor","area":8.16}
    "#);
}

#[test]
fn what_a_guest_says_and_how_it_ends_are_told() {
    let printed = everywhere(|dir| {
        let plain = |name: &str| {
            let command = dir.command(crate::test_dir::PLAIN, &["predict", name]);
            dir.run(command, b"[1, 2]")
        };
        filled(dir);
        plain("flower/tree") + &plain("endless")
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot predict: the model failed
      caused by: expected four numbers
    exit 1
    --- stderr
    error: cannot predict: the model failed
      caused by: timed out after 100ms
    ");
}

#[test]
fn show_says_what_a_guest_is() {
    let printed = everywhere(|dir| filled(dir).plain(&["show", "endless"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     endless
    version  v1
    tags     none
    type     larder/wasm (linked in as larder_models::wasm::WasmModel)
    crate    larder-models [version]
    created  2027-01-15T08:00:00Z
    size     685 B
    digest   b3:d59b0b652616e8a804ac140a1dcb46a2911b95f80e41f9246d8c356e08121c44

    fields:
    {
      "module": {
        "$artifact": "b3:20184b54e69c102a1be8aff269198e579c4c8b58d540ece728fb1eecae7e423f",
        "serializer": "file"
      },
      "abi": "core-1",
      "format": "json",
      "limits": {
        "time_ms": 100,
        "memory": 268435456,
        "table": 100000,
        "output": 67108864,
        "stack": 524288
      }
    }

    artifacts:
    b3:20184b54e69c102a1be8aff269198e579c4c8b58d540ece728fb1eecae7e423f  279 B  file
    "#);
}
