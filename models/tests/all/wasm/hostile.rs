//! Hostile guests: each ends in its own error within its limits.

use std::thread;
use std::time::{Duration, Instant};

use larder_core::{Error, Model};
use larder_models::wasm::Limits;
use larder_models::{WasmError, WasmModel};

use super::guests::{assert_good_model_predicts, echo, guest, predicts, wat};

/// Small limits for tests.
fn tight() -> Limits {
    Limits {
        time: Duration::from_millis(200),
        memory: 4 << 20,
        table: 1_000,
        output: 10_000,
        ..Limits::default()
    }
}

/// The error of a guest; checks that a valid one still predicts.
fn ends(wasm: Vec<u8>) -> WasmError {
    let model = WasmModel::from_bytes(wasm).unwrap();
    let error = failure(model.limited(tight()).predict_json_erased("[1, 2]").unwrap_err());
    assert_good_model_predicts();
    error
}

fn failure(error: Error) -> WasmError {
    let Error::Predict { source, .. } = error else { panic!("{error:?}") };
    *source.downcast().unwrap()
}

/// An output of `len` bytes at `at`.
fn output(at: u32, len: u32) -> Vec<u8> {
    predicts(&format!("(i64.const {})", (u64::from(at) << 32 | u64::from(len)) as i64))
}

#[test]
fn interrupts_endless_loop() {
    let body = "(loop $l (br $l)) (i64.const 0)";
    let start = guest(
        r#"(func $start (loop $l (br $l))) (start $start)
        (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    // Each iteration makes the host write a megabyte.
    let busy = predicts(
        "(drop (memory.grow (i32.const 15)))
        (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000)) (br $l)) (i64.const 0)",
    );
    for wasm in [predicts(body), start, busy] {
        let begun = Instant::now();
        let error = ends(wasm);
        assert!(matches!(error, WasmError::Time { limit } if limit == tight().time), "{error:?}");
        let taken = begun.elapsed();
        assert!(taken >= tight().time && taken < Duration::from_secs(5), "{taken:?}");
    }
}

#[test]
fn interrupts_loops_on_many_threads() {
    let looping = WasmModel::from_bytes(predicts("(loop $l (br $l)) (i64.const 0)")).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let error = looping.limited(tight()).predict_json_erased("1").unwrap_err();
                assert!(matches!(failure(error), WasmError::Time { .. }));
            });
        }
        for _ in 0..20 {
            assert_good_model_predicts();
        }
    });
}

#[test]
fn limits_memory() {
    let growing = "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (i64.const 0)";
    let at_once = "(drop (memory.grow (i32.const 65535))) (i64.const 0)";
    let large = r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))
        (memory 60000)"#;
    let many = format!(
        r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0)) {}"#,
        "(memory 10)".repeat(10)
    );
    for wasm in [predicts(growing), predicts(at_once), guest(large), guest(&many)] {
        let error = ends(wasm);
        assert!(matches!(error, WasmError::Memory { limit: 4_194_304 }), "{error:?}");
    }
}

#[test]
fn modules_own_maximum_is_not_an_error() {
    let wasm = wat(r#"(module
            (memory (export "memory") 1 2)
            (func (export "larder_abi_1_json"))
            (func (export "larder_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "larder_predict") (param i32 i32) (result i64) (local $i i32)
                (loop $l
                    (drop (memory.grow (i32.const 3)))
                    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
                (i64.or
                    (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
                    (i64.extend_i32_u (local.get 1)))))"#);
    let model = WasmModel::from_bytes(wasm).unwrap();
    assert_eq!(model.limited(tight()).predict_json_erased("[1]").unwrap(), "[1]");
}

#[test]
fn limits_tables() {
    let growing = r#"(table $t 1 funcref)
        (func (export "larder_predict") (param i32 i32) (result i64)
            (loop $l (drop (table.grow $t (ref.null func) (i32.const 100))) (br $l)) (i64.const 0))"#;
    let large = r#"(table 2000 funcref)
        (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))"#;
    for rest in [growing, large] {
        let error = ends(guest(rest));
        assert!(matches!(error, WasmError::Table { limit: 1_000 }), "{error:?}");
    }
}

#[test]
fn limits_number_of_memories() {
    let many = format!(
        r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0)) {}"#,
        "(memory 0)".repeat(90)
    );
    let error = ends(guest(&many));
    assert!(matches!(error, WasmError::Host { .. }), "{error:?}");
}

#[test]
fn traps_on_data_segment_outside_memory() {
    let huge = format!(
        r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))
        (data (i32.const 60000) "{}")"#,
        "x".repeat(1 << 20)
    );
    let error = ends(guest(&huge));
    assert!(matches!(error, WasmError::Trap { .. }), "{error:?}");
}

#[test]
fn limits_recursion_on_any_stack() {
    let deep = guest(
        r#"(func $deep (param i32) (result i32)
            (i32.add (local.get 0) (call $deep (i32.add (local.get 0) (i32.const 1)))))
        (func (export "larder_predict") (param i32 i32) (result i64)
            (i64.extend_i32_u (call $deep (i32.const 0))))"#,
    );
    let error = ends(deep.clone());
    assert!(matches!(error, WasmError::Stack { limit: 524_288 }), "{error:?}");
    // On threads with less stack than the guest's limit, and with a larger limit.
    for (host, limit) in [(64 << 10, 512 << 10), (2 << 20, 16 << 20), (128 << 10, 64 << 10)] {
        let deep = deep.clone();
        let thread = thread::Builder::new().stack_size(host).spawn(move || {
            let model = WasmModel::from_bytes(deep).unwrap();
            let limits = Limits { stack: limit, ..Limits::default() };
            failure(model.limited(limits).predict_json_erased("1").unwrap_err())
        });
        let error = thread.unwrap().join().unwrap();
        assert!(matches!(error, WasmError::Stack { .. }), "{error:?}");
    }
    assert_good_model_predicts();
}

#[test]
fn limits_output() {
    let error = ends(output(1024, 10_001));
    assert!(matches!(error, WasmError::Output { size: 10_001, limit: 10_000 }), "{error:?}");
    let error = ends(output(0, 0x7fff_ffff));
    assert!(matches!(error, WasmError::Output { size: 0x7fff_ffff, .. }), "{error:?}");
    // An error message is an output too.
    let error = ends(output(0, 0xffff_ffff));
    assert!(matches!(error, WasmError::Output { size: 0x7fff_ffff, .. }), "{error:?}");
}

#[test]
fn rejects_pointers_outside_memory() {
    for (at, len) in [(65_536, 1), (65_530, 7), (u32::MAX, 1), (u32::MAX, 10_000), (0x8000_0000, 1)]
    {
        let error = ends(output(at, len));
        assert!(
            matches!(error, WasmError::Pointer { what: "the output", pointer, size: 65_536, .. } if pointer == at),
            "{error:?}"
        );
    }
    for at in ["0", "-1", "65536", "65533", "-2147483648"] {
        let wasm = wat(&format!(
            r#"(module (memory (export "memory") 1)
                (func (export "larder_abi_1_json"))
                (func (export "larder_alloc") (param i32) (result i32) (i32.const {at}))
                (func (export "larder_predict") (param i32 i32) (result i64) unreachable))"#
        ));
        let error = ends(wasm);
        assert!(
            matches!(error, WasmError::Pointer { what: "the input buffer", .. }),
            "{at}: {error:?}"
        );
    }
}

#[test]
fn trap_has_reason_and_function() {
    let cases = [
        ("unreachable", "wasm `unreachable` instruction executed, in `predict`"),
        ("(i64.div_s (i64.const 1) (i64.const 0))", "integer divide by zero, in `predict`"),
        ("(i64.load (i32.const -8))", "out of bounds memory access, in `predict`"),
    ];
    for (body, expected) in cases {
        match ends(predicts(body)) {
            WasmError::Trap { reason } => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
    }
    let start = guest(
        r#"(func $begin unreachable) (start $begin)
        (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    match ends(start) {
        WasmError::Trap { reason } => {
            assert!(reason.contains("`unreachable`") && reason.contains("`begin`"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_invalid_output() {
    let giving = |text: &str| {
        let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        guest(&format!(
            r#"(data (i32.const 2048) "{escaped}")
            (func (export "larder_predict") (param i32 i32) (result i64)
                (i64.const {}))"#,
            2048_u64 << 32 | text.len() as u64
        ))
    };
    let deep = "[".repeat(121) + &"]".repeat(121);
    for text in ["", "{", "[1] [2]", "NaN", "1,", &deep] {
        let model = WasmModel::from_bytes(giving(text)).unwrap();
        let result = model.limited(tight()).predict_json_erased("1").unwrap_err();
        assert!(matches!(failure(result), WasmError::Document { format: "json", .. }), "{text}");
        // The other methods reject it too, and write nothing.
        let mut written = Vec::new();
        let result = (&model as &dyn Model).predict_with(
            &mut serde_json::Deserializer::from_str("1"),
            &mut rmp_serde::Serializer::new(&mut written),
        );
        assert!(matches!(failure(result.unwrap_err()), WasmError::Document { .. }), "{text}");
        assert!(written.is_empty());
    }
    let not_text = guest(
        r#"(data (i32.const 2048) "\22\ff\22")
        (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0x80000000003))"#,
    );
    assert!(matches!(ends(not_text), WasmError::Document { .. }));
}

#[test]
fn rejects_batch_with_wrong_number_of_outputs() {
    for (text, outputs) in [("[1]", 1), ("[1,2,3]", 3), ("{\\22a\\22:1}", 0), ("7", 0)] {
        let wasm = guest(&format!(
            r#"(data (i32.const 2048) "{text}")
            (func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))
            (func (export "larder_predict_batch") (param i32 i32) (result i64) (i64.const {}))"#,
            2048_u64 << 32 | text.replace("\\22", "\"").len() as u64
        ));
        let model = WasmModel::from_bytes(wasm).unwrap();
        let error = failure(model.predict_batch_json_erased("[1, 2]").unwrap_err());
        assert!(
            matches!(error, WasmError::Rows { inputs: 2, outputs: found } if found == outputs),
            "{error:?}"
        );
    }
}

#[test]
fn rejects_input_larger_than_memory() {
    let model = WasmModel::from_bytes(echo()).unwrap();
    let long = format!("\"{}\"", "x".repeat(100_000));
    let error = failure((&model as &dyn Model).predict_json(&long).unwrap_err());
    assert!(matches!(error, WasmError::Pointer { len: 100_002, .. }), "{error:?}");
}

#[test]
fn truncates_messages_of_guests() {
    let wasm = predicts("(i64.const 0x8000ea60)"); // 60,000 bytes at 0, as an error
    let model = WasmModel::from_bytes(wasm).unwrap();
    match failure((&model as &dyn Model).predict_json("1").unwrap_err()) {
        WasmError::Guest { message } => assert_eq!(message.chars().count(), 4_097),
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_components_like_modules() {
    let component = |body: &str| {
        wat(&format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                    (func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
                    (func (export "predict") (param i32 i32) (result i32) {body}))
                (core instance $i (instantiate $m))
                (func $f (param "input" (list u8)) (result (result (list u8) (error string)))
                    (canon lift (core func $i "predict") (memory $i "memory") (realloc (func $i "realloc"))))
                (instance $model (export "predict" (func $f)))
                (export "larder:guest/json-model@1.0.0" (instance $model)))"#
        ))
    };
    let result = |at: i32, len: i32| {
        format!(
            "(i32.store (i32.const 4) (i32.const {at})) (i32.store (i32.const 8) (i32.const {len})) (i32.const 0)"
        )
    };
    let error = ends(component("(loop $l (br $l)) (i32.const 0)"));
    assert!(matches!(error, WasmError::Time { .. }), "{error:?}");
    let error = ends(component("(drop (memory.grow (i32.const 1000))) (i32.const 0)"));
    assert!(matches!(error, WasmError::Memory { .. }), "{error:?}");
    let error = ends(component("(call $deep (i32.const 0))"));
    assert!(matches!(error, WasmError::Stack { .. }), "{error:?}");
    let error = ends(component(&result(0, 20_000)));
    assert!(matches!(error, WasmError::Output { size: 20_000, .. }), "{error:?}");
    for (at, len) in [(65_536, 1), (-1, 2), (0, -1)] {
        let error = ends(component(&result(at, len)));
        assert!(matches!(error, WasmError::Host { .. } | WasmError::Trap { .. }), "{error:?}");
    }
    let error = ends(component("unreachable"));
    assert!(matches!(error, WasmError::Trap { .. }), "{error:?}");
    let error = ends(component("(i32.const -4)"));
    assert!(matches!(error, WasmError::Host { .. } | WasmError::Trap { .. }), "{error:?}");
}
