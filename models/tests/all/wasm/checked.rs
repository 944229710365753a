//! Validation of guests, which runs no code.

use larder_core::Error;
use larder_models::wasm::{Abi, GuestFormat};
use larder_models::{WasmError, WasmModel};

use super::guests::{COLUMN, TREE, assert_good_model_predicts, echo, guest, predicts, wat};

fn refused(wasm: impl Into<larder_core::bytes::Bytes>) -> WasmError {
    let error = WasmModel::from_bytes(wasm).expect_err("the guest is accepted");
    assert_good_model_predicts();
    error
}

#[test]
fn opens_file_and_detects_abi() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("tree.wasm");
    std::fs::write(&path, TREE).unwrap();
    let model = WasmModel::open(&path).unwrap();
    assert_eq!((model.abi(), model.format()), (Abi::Core1, GuestFormat::Json));

    std::fs::write(&path, b"no wasm").unwrap();
    let error = WasmModel::open(&path).unwrap_err();
    let Error::Refused { action, reason } = &error else { panic!("{error:?}") };
    assert!(action.contains(&path.display().to_string()), "{action}");
    assert!(reason.contains("text"), "{reason}");
    assert!(matches!(WasmModel::open(here.path().join("none")), Err(Error::Store { .. })));
}

#[test]
fn rejects_noise() {
    let mut noise = vec![0_u8; 10 << 20];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    assert!(matches!(refused(noise.clone()), WasmError::Invalid { .. }));
    for header in [&b"\0asm\x01\0\0\0"[..], b"\0asm\x0d\0\x01\0"] {
        noise[..8].copy_from_slice(header);
        assert!(matches!(refused(noise.clone()), WasmError::Invalid { .. }));
    }
}

#[test]
fn rejects_module_with_wrong_last_byte() {
    let predict = r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))"#;
    let whole = guest(predict); // without a name section, which would come last
    let short = whole[..whole.len() - 1].to_vec();
    assert!(matches!(refused(short), WasmError::Invalid { .. }));
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 0xff; // the `end` of the last function
    assert!(matches!(refused(wrong), WasmError::Invalid { .. }));
    let mut long = whole;
    long.push(0);
    assert!(matches!(refused(long), WasmError::Invalid { .. }));
}

#[test]
fn survives_damage_of_any_byte() {
    let whole = echo();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // Damage may give another valid module, which runs within its limits.
        if let Ok(model) = WasmModel::from_bytes(damaged) {
            let _ = (&model as &dyn larder_core::Model).predict_json("[1]");
        }
    }
    assert_good_model_predicts();
}

#[test]
fn rejects_too_large_module() {
    let error = refused(vec![0; (64 << 20) + 1]);
    assert!(matches!(error, WasmError::TooLarge { size: 67_108_865, limit: 67_108_864 }));
}

#[test]
fn rejects_import() {
    let importing = |import: &str| {
        wat(&format!(
            r#"(module {import} (memory (export "memory") 1)
                (func (export "larder_abi_1_json"))
                (func (export "larder_alloc") (param i32) (result i32) (i32.const 8))
                (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0)))"#
        ))
    };
    let cases = [
        (
            r#"(import "wasi_snapshot_preview1" "fd_write"
                (func (param i32 i32 i32 i32) (result i32)))"#,
            "wasi_snapshot_preview1.fd_write",
        ),
        (r#"(import "env" "table" (table 1 funcref))"#, "env.table"),
        (r#"(import "env" "heap" (global i32))"#, "env.heap"),
    ];
    for (import, expected) in cases {
        match refused(importing(import)) {
            WasmError::Import { name } => assert_eq!(name, expected),
            other => panic!("{other:?}"),
        }
    }
    let component = wat(
        r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64))))))"#,
    );
    match refused(component) {
        WasmError::Import { name } => assert_eq!(name, "wasi:clocks/wall-clock@0.2.0"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_missing_export() {
    let missing = |wasm: Vec<u8>| match refused(wasm) {
        WasmError::MissingExport { name } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(guest("")), "`larder_predict`");
    assert_eq!(missing(COLUMN.to_vec()), "`larder_predict`");
    let marker = r#"(func (export "larder_abi_1_json"))"#;
    assert_eq!(missing(wat(&format!("(module {marker})"))), "`memory`");
    let memory = r#"(memory (export "memory") 1)"#;
    assert_eq!(missing(wat(&format!("(module {marker} {memory})"))), "`larder_alloc`");
    let markers = "one of `larder_abi_1_json` and `larder_abi_1_msgpack`";
    assert_eq!(missing(wat("(module)")), markers);
    let both = format!(r#"(module {marker} {memory} (func (export "larder_abi_1_msgpack")))"#);
    assert_eq!(missing(wat(&both)), markers);
    assert_eq!(
        missing(wat("(component)")),
        "an interface of `larder:guest@1.0.0`, such as `larder:guest/json-model@1.0.0`"
    );
}

#[test]
fn rejects_export_of_wrong_type() {
    let cases = [
        (
            guest(r#"(func (export "larder_predict") (param i32) (result i64) (i64.const 0))"#),
            ("larder_predict", "a function (i32) -> (i64)"),
        ),
        (
            guest(r#"(global (export "larder_predict") i32 (i32.const 0))"#),
            ("larder_predict", "a global"),
        ),
        (
            guest(
                r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))
                (func (export "larder_predict_batch") (param i32 i32) (result i32) (i32.const 0))"#,
            ),
            ("larder_predict_batch", "a function (i32, i32) -> (i32)"),
        ),
        (
            wat(r#"(module (func (export "larder_abi_1_json") (result f64) (f64.const 0)))"#),
            ("larder_abi_1_json", "a function () -> (f64)"),
        ),
        (
            wat(r#"(module (func (export "larder_abi_1_json"))
                    (table (export "memory") 1 funcref))"#),
            ("memory", "a table"),
        ),
        (
            wat(r#"(component
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    (func $f (canon lift (core func $i "f")))
                    (instance $model (export "predict" (func $f)))
                    (export "larder:guest/json-model@1.0.0" (instance $model)))"#),
            ("larder:guest/json-model@1.0.0#predict", "a function of another type"),
        ),
    ];
    for (wasm, expected) in cases {
        match refused(wasm) {
            WasmError::ExportType { name, found, .. } => {
                assert_eq!((&*name, &*found), expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn validation_runs_no_code() {
    // Start functions that trap and that never return.
    for start in ["unreachable", "(loop $l (br $l))"] {
        let wasm = guest(&format!(
            r#"(func $start {start}) (start $start)
            (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))"#
        ));
        WasmModel::from_bytes(wasm).unwrap();
    }
    WasmModel::from_bytes(predicts("unreachable")).unwrap();
}

#[test]
fn rejects_shared_and_64_bit_memory() {
    for memory in ["(memory (export \"memory\") 1 2 shared)", "(memory (export \"memory\") i64 1)"]
    {
        let wasm = wat(&format!(r#"(module (func (export "larder_abi_1_json")) {memory})"#));
        assert!(matches!(refused(wasm), WasmError::Invalid { .. }));
    }
}
