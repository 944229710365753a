//! Script models.

use std::time::{Duration, Instant};

use larder_core::{Error, Larder, Model, Registry};
use larder_models::script::Limits;
use larder_models::{ModelKind, Script, ScriptError};

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

fn script(text: &str) -> Script {
    Script::new("test.rhai", text).unwrap()
}

fn predict(text: &str, input: &str) -> String {
    script(text).predict_json_erased(input).unwrap()
}

/// The error of a script within small limits.
fn stopped(text: &str) -> ScriptError {
    let mut limits = Limits::default();
    limits.operations = 1_000_000;
    limits.map = 1000;
    stopped_within(&limits, text)
}

fn stopped_within(limits: &Limits, text: &str) -> ScriptError {
    match script(text).predict_limited(limits, "null") {
        Err(Error::Predict { source, .. }) => *source.downcast::<ScriptError>().unwrap(),
        other => panic!("{text} returns {other:?}"),
    }
}

#[test]
fn round_trips_any_json() {
    let input = r#"{"array":[1,2.5,-3],"empty":[],"map":{"a":null,"b":true},"text":"é"}"#;
    assert_eq!(predict("fn predict(input) { input }", input), input);
    assert_eq!(predict("fn predict(x) { x * x }", "3"), "9");
    assert_eq!(predict("fn predict(x) { x / 2 }", "7"), "3");
    assert_eq!(predict("fn predict(x) { x / 2 }", "7.0"), "3.5");
}

#[test]
fn uses_global_constants() {
    let text = "const W = [0.5, 2.0]; fn predict(x) { let s = 0.0; for (v, i) in x { s += v * global::W[i]; } s }";
    assert_eq!(predict(text, "[2, 3]"), "7.0");
}

#[test]
fn round_trips_script() {
    let larder = larder();
    let text = "fn predict(x) { x + 1 }";
    assert!(larder.apply("next", &script(text)).unwrap().is_created());
    assert!(!larder.apply("next", &script(text)).unwrap().is_created());
    assert_eq!(larder.load_model("next").unwrap().predict_json("41").unwrap(), "42");
    let shown = larder.show("next").unwrap();
    let source = shown.manifest.source().unwrap();
    assert_eq!((&*source.language, &*source.file, &*source.text), ("rhai", "test.rhai", text));
}

#[test]
fn batch_is_ordered_and_errors_have_the_row() {
    let script = script("fn predict(x) { if x < 0 { throw \"negative\" } x * 2 }");
    assert_eq!(script.predict_batch_json_erased("[1, 2, 3]").unwrap(), "[2,4,6]");
    let error = script.predict_batch_json_erased("[1, -2, 3]");
    assert!(matches!(error, Err(Error::Predict { row: Some(1), .. })), "{error:?}");
    let error = script.predict_batch_json_erased("[1, 18446744073709551615]");
    let Err(Error::Input { path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(path, "[1]");
}

#[test]
fn calls_share_no_state() {
    let script = script("let n = 0; fn predict(x) { let n = x; n += 1; n }");
    for _ in 0..3 {
        assert_eq!(script.predict_json_erased("1").unwrap(), "2");
    }
}

#[test]
fn rejects_syntax_error_with_position() {
    let error = Script::new("bad.rhai", "fn predict(x) {\n    x +* 2\n}").unwrap_err();
    let Error::Refused { action, reason } = &error else { panic!("{error}") };
    assert_eq!(action, "read the script bad.rhai");
    assert!(reason.starts_with("line 2, column "), "{reason}");
}

#[test]
fn rejects_script_without_predict() {
    for text in ["", "fn other(x) { x }", "fn predict() { 1 }", "fn predict(a, b) { 1 }"] {
        let error = Script::new("bad.rhai", text).unwrap_err();
        let Error::Refused { reason, .. } = &error else { panic!("{text}: {error:?}") };
        assert!(reason.contains("`fn predict(input)`"), "{text}: {reason}");
    }
}

#[test]
fn failure_has_position() {
    let error = stopped("fn predict(x) {\n  let list = [1];\n  list[5]\n}");
    let ScriptError::Failed { line: 3, column, .. } = error else { panic!("{error}") };
    assert!(column > 0);
    let error = stopped("fn inner() {\n  throw \"corked\"\n}\nfn predict(x) { inner() }");
    let ScriptError::Failed { line: 2, message, .. } = error else { panic!("{error}") };
    assert!(message.contains("corked"), "{message}");
}

#[test]
fn limits_operations() {
    let error = stopped("fn predict(x) {\n  let n = 0; loop { n += 1; }\n}");
    assert!(matches!(error, ScriptError::Operations { limit: 1_000_000, .. }), "{error}");
}

#[test]
fn limits_time() {
    let mut limits = Limits::default();
    limits.operations = u64::MAX;
    limits.milliseconds = 50;
    let begun = Instant::now();
    let error = stopped_within(&limits, "fn predict(x) { loop { } }");
    assert!(matches!(error, ScriptError::Time { milliseconds: 50, .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn limits_call_depth() {
    let error = stopped("fn down(n) { down(n + 1) } fn predict(x) { down(0) }");
    assert!(matches!(error, ScriptError::CallDepth { .. }), "{error}");
}

#[test]
fn limits_sizes() {
    for text in [
        "fn predict(x) { let s = \"a\"; loop { s += s; } }",
        "fn predict(x) { let a = [1]; loop { a += a; } }",
        "fn predict(x) { let a = []; a.pad(1000000000, 0); a }",
        "fn predict(x) { let s = \"\"; s.pad(1000000000, \"x\"); s }",
        "fn predict(x) { let m = #{}; let i = 0; loop { m.set(`${i}`, i); i += 1; } }",
        "fn predict(x) { let a = []; loop { a = [a, a, a, a]; } }",
    ] {
        let error = stopped(text);
        assert!(matches!(error, ScriptError::TooLarge { .. }), "{text}: {error}");
    }
}

#[test]
fn rejects_deeply_nested_expressions() {
    let text = format!("fn predict(x) {{ {}1{} }}", "(".repeat(5000), ")".repeat(5000));
    let error = Script::new("deep.rhai", &text).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[test]
fn cannot_access_the_outside() {
    for text in [
        "import \"other\" as other; fn predict(x) { 1 }",
        "fn predict(x) { eval(\"1\") }",
        "fn predict(x) { print(x) }",
        "fn predict(x) { debug(x) }",
        "fn predict(x) { timestamp() }",
        "fn predict(x) { sleep(1) }",
        "fn predict(x) { sleep(0.001) }",
        "fn predict(x) { open_file(\"/etc/passwd\") }",
        "fn predict(x) { rand() }",
    ] {
        match Script::new("bad.rhai", text) {
            Err(Error::Refused { .. }) => {}
            Ok(script) => {
                let error = script.predict_json_erased("0");
                assert!(matches!(error, Err(Error::Predict { .. })), "{text}: {error:?}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn hostile_script_does_not_affect_others() {
    stopped("fn predict(x) { loop { } }");
    assert_eq!(predict("fn predict(x) { x }", "1"), "1");
}

#[test]
fn rejects_too_large_inputs_with_path() {
    let mut limits = Limits::default();
    limits.array = 3;
    limits.text = 3;
    let script = script("fn predict(x) { 0 }");
    assert_eq!(script.predict_limited(&limits, "[1, 2, 3]").unwrap(), "0");
    for input in [r#"{"x": [1, 2, 3, 4]}"#, r#"{"x": "abcd"}"#, r#"{"x": 18446744073709551615}"#] {
        let error = script.predict_limited(&limits, input);
        let Err(Error::Input { path, .. }) = error else { panic!("{error:?}") };
        assert_eq!(path.split('[').next(), Some("x"));
    }
}

#[test]
fn rejects_output_that_is_not_json() {
    for text in ["fn predict(x) { 0.0 / 0.0 }", "fn predict(x) { |y| y }", "fn predict(x) { 1..5 }"]
    {
        let error = script(text).predict_json_erased("0");
        assert!(matches!(error, Err(Error::Encode { .. })), "{text}: {error:?}");
    }
}

#[test]
fn limits_are_stored_and_capped() {
    let larder = larder();
    let mut limits = Limits::default();
    limits.operations = 1000;
    let endless = script("fn predict(x) { loop { } }");
    larder.apply("endless", &endless.with_limits(limits.clone())).unwrap();
    let loaded: Script = larder.load("endless").unwrap();
    assert_eq!(*loaded.limits(), limits);
    assert!(loaded.predict_json_erased("0").is_err());

    let text = serde_json::to_string(&script("fn predict(x) { 0 }")).unwrap();
    let forged = text.replace("\"operations\":100000000", "\"operations\":18446744073709551615");
    assert_ne!(forged, text);
    let forged: Script = serde_json::from_str(&forged).unwrap();
    assert_eq!(forged.limits().operations, Limits::MAX.operations);
}

#[test]
fn rejects_invalid_stored_script() {
    let text = serde_json::to_string(&script("fn predict(x) { 0 }")).unwrap();
    let forged = text.replace("{ 0 }", "{ 0 ");
    assert!(serde_json::from_str::<Script>(&forged).is_err());
}

#[test]
fn detects_script() {
    assert_eq!(ModelKind::of(b"fn predict(x) { x }"), ModelKind::Script);
    assert_eq!(ModelKind::of(b"fn other(x) { x }"), ModelKind::File);
    assert_eq!(ModelKind::of(b"just a note"), ModelKind::File);
    assert_eq!(ModelKind::of(b""), ModelKind::File);
    assert_eq!(ModelKind::of(b"fn predict(x) { \xff }"), ModelKind::File);
}
