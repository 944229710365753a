//! Guests in other languages give the same results as native code.

use std::path::Path;
use std::thread;

use larder_core::{Error, Model};
use larder_models::wasm::{Abi, GuestFormat};
use larder_models::{WasmError, WasmModel};
use serde::Deserialize;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::guests::{self, LINEAR, LINEAR_CORE, TREE, echo, flowers, guest};

#[derive(Debug, Deserialize, PartialEq)]
struct Prediction {
    species: String,
    area: f64,
}

fn prediction(x: [f64; 4]) -> Prediction {
    let (species, area) = guests::tree(x);
    Prediction { species: species.into(), area }
}

fn model(wasm: impl Into<larder_core::bytes::Bytes>) -> Box<dyn Model> {
    Box::new(WasmModel::from_bytes(wasm).unwrap())
}

/// Predicts for one input in MessagePack.
fn msgpack<T: for<'de> Deserialize<'de>>(model: &dyn Model, input: &impl serde::Serialize) -> T {
    let input = rmp_serde::to_vec(input).unwrap();
    let mut output = Vec::new();
    let mut source = rmp_serde::Deserializer::from_read_ref(&input);
    model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output)).unwrap();
    rmp_serde::from_slice(&output).unwrap()
}

/// `linear.c` as a component, built with `wit-component` from the published interface.
fn linear_component() -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) =
        resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("msgpack-guest")).unwrap();
    let mut module = LINEAR_CORE.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

#[test]
fn assemblyscript_tree_matches_native() {
    let model = model(TREE);
    for flower in flowers() {
        let output = model.predict_json(&serde_json::to_string(&flower).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Prediction>(&output).unwrap(), prediction(flower));
        assert_eq!(
            msgpack::<Prediction>(&*model, &flower),
            prediction(flower),
            "through MessagePack"
        );
    }
}

#[test]
fn c_linear_model_matches_native() {
    let model = model(LINEAR);
    for flower in flowers() {
        assert_eq!(msgpack::<[f64; 3]>(&*model, &flower), guests::linear(flower));
        let output = model.predict_json(&serde_json::to_string(&flower).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<[f64; 3]>(&output).unwrap(), guests::linear(flower));
    }
}

#[test]
fn component_matches_native() {
    let component = WasmModel::from_bytes(linear_component()).unwrap();
    assert_eq!((component.abi(), component.format()), (Abi::Component1, GuestFormat::MsgPack));
    for flower in flowers() {
        assert_eq!(msgpack::<[f64; 3]>(&component, &flower), guests::linear(flower));
    }
}

#[test]
fn component_returns_its_error() {
    let model = model(linear_component());
    let error = model.predict_json("[1, 2, 3]").unwrap_err();
    assert_eq!(guest_error(&error), "expected four numbers");
}

#[test]
fn batch_is_equal_with_and_without_batch_export() {
    let inputs = serde_json::to_string(&flowers()).unwrap();
    let (linear, component, tree) = (model(LINEAR), model(linear_component()), model(TREE));
    let scores: Vec<_> = flowers().into_iter().map(guests::linear).collect();
    for model in [&linear, &component] {
        let output = model.predict_batch_json(&inputs).unwrap();
        assert_eq!(serde_json::from_str::<Vec<[f64; 3]>>(&output).unwrap(), scores);
    }
    let judges: Vec<_> = flowers().into_iter().map(prediction).collect();
    let output = tree.predict_batch_json(&inputs).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Prediction>>(&output).unwrap(), judges);

    let mut output = Vec::new();
    let mut to = rmp_serde::Serializer::new(&mut output);
    let mut from = serde_json::Deserializer::from_str(&inputs);
    tree.predict_batch_with(&mut from, &mut to).unwrap();
    assert_eq!(rmp_serde::from_slice::<Vec<Prediction>>(&output).unwrap(), judges);
}

#[test]
fn batch_error_has_the_row() {
    for wasm in [TREE, LINEAR] {
        let model = model(wasm);
        let error = model.predict_batch_json("[[1, 2, 3, 4], [1, 2]]").unwrap_err();
        match (&error, wasm == TREE) {
            (Error::Predict { row: Some(1), .. }, true) => {
                assert_eq!(guest_error(&error), "expected four numbers");
            }
            (Error::Predict { row: None, .. }, false) => {
                assert_eq!(guest_error(&error), "expected rows of four numbers");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn empty_batch_returns_empty_array() {
    for wasm in [TREE, LINEAR] {
        assert_eq!(model(wasm).predict_batch_json("[]").unwrap(), "[]");
    }
}

#[test]
fn threads_share_a_model() {
    let model = model(TREE);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for flower in flowers() {
                    let output = model.predict_json(&serde_json::to_string(&flower).unwrap());
                    assert_eq!(
                        serde_json::from_str::<Prediction>(&output.unwrap()).unwrap(),
                        prediction(flower)
                    );
                }
            });
        }
    });
}

#[test]
fn calls_share_no_state() {
    // Counts calls in its memory; returns the count as a digit.
    let counting = guest(
        r#"(func (export "larder_predict") (param i32 i32) (result i64)
            (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (i32.const 1)))
            (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 8)) (i32.const 48)))
            (i64.const 0x1000000001))"#,
    );
    let model = model(counting);
    assert_eq!(model.predict_json("0").unwrap(), "1");
    assert_eq!(model.predict_json("0").unwrap(), "1");
    assert_eq!(model.predict_batch_json("[0, 0]").unwrap(), "[1,1]");
}

#[test]
fn json_is_passed_unchanged() {
    let model = model(echo());
    for text in ["1e2", "[1,  2.50]", r#"{"b": 1, "a": "\u00e9"}"#, "null", "\"\""] {
        assert_eq!(model.predict_json(text).unwrap(), text);
    }
    assert_eq!(model.predict_batch_json("[1.0,  {\"a\" : 2}]").unwrap(), "[1.0,{\"a\" : 2}]");
}

#[test]
fn rejects_invalid_input_before_the_call() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for wasm in [echo(), LINEAR.to_vec()] {
        let model = model(wasm);
        for text in ["", "[1", "[1] 2", "nul", "{\"a\"}", "\"open", &deep] {
            let refused = model.predict_json(text).unwrap_err();
            assert!(matches!(refused, Error::Input { .. }), "{text}: {refused:?}");
            let refused = model.predict_batch_json(&format!("[{text}, 1]")).unwrap_err();
            assert!(matches!(refused, Error::Input { .. }), "{text}: {refused:?}");
        }
        assert!(matches!(model.predict_batch_json("{}"), Err(Error::Input { .. })));
    }
}

#[test]
fn rejects_nan_with_its_path() {
    let model = model(echo());
    let input = rmp_serde::to_vec(&[[1.0, 2.0], [3.0, f64::NAN]]).unwrap();
    let mut output = Vec::new();
    let mut to = rmp_serde::Serializer::new(&mut output);
    let refused = model
        .predict_batch_with(&mut rmp_serde::Deserializer::from_read_ref(&input), &mut to)
        .unwrap_err();
    match refused {
        Error::Input { path, source } => {
            assert_eq!(path, "[1][1]");
            assert!(source.to_string().contains("NaN"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn signature_is_read_from_the_guest() {
    let signed = |text: &str| {
        let json = text.replace('"', "\\\"");
        guest(&format!(
            r#"(func (export "larder_predict") (param i32 i32) (result i64) (i64.const 0))
               (@custom "larder.signature" "{json}")"#
        ))
    };
    let model = WasmModel::from_bytes(signed(r#"{"input": {"type": "number"}, "output": true}"#));
    let signature = serde_json::to_string(&model.unwrap().signature()).unwrap();
    assert_eq!(signature, r#"{"input":{"type":"number"},"output":true}"#);
    assert_eq!(WasmModel::from_bytes(echo()).unwrap().signature(), Default::default());
    let refused = WasmModel::from_bytes(signed("{}")).unwrap_err();
    assert!(matches!(refused, WasmError::Invalid { .. }), "{refused:?}");
}

/// The message of the guest.
fn guest_error(error: &Error) -> String {
    let Error::Predict { source, .. } = error else { panic!("{error:?}") };
    match source.downcast_ref() {
        Some(WasmError::Guest { message }) => message.clone(),
        other => panic!("{other:?}"),
    }
}
