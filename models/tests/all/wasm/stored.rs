//! Stored models.

use std::time::Duration;

use larder_core::store::StoreExt;
use larder_core::{Error, Larder, Model, Registry};
use larder_models::wasm::Limits;
use larder_models::{WasmError, WasmModel};

use super::guests::{LINEAR, TREE, flowers, predicts};

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

#[test]
fn round_trips_model() {
    let larder = larder();
    let model = WasmModel::from_bytes(TREE).unwrap();
    assert!(larder.apply("flower/tree", &model).unwrap().is_created());
    assert!(!larder.apply("flower/tree", &model).unwrap().is_created());
    let again = WasmModel::from_bytes(TREE).unwrap();
    assert!(!larder.apply("flower/tree", &again).unwrap().is_created());

    let loaded = larder.load_model("flower/tree").unwrap();
    for flower in flowers() {
        let input = serde_json::to_string(&flower).unwrap();
        let expected = (&model as &dyn Model).predict_json(&input).unwrap();
        assert_eq!(loaded.predict_json(&input).unwrap(), expected);
    }
}

#[test]
fn manifest_matches_the_format() {
    let larder = larder();
    larder.apply("tree", &WasmModel::from_bytes(TREE).unwrap()).unwrap();
    let shown = larder.show("tree").unwrap();
    let digest = blake3(TREE);
    assert_eq!(
        shown.manifest.fields(),
        format!(
            r#"{{"module":{{"$artifact":"{digest}","serializer":"file"}},"abi":"core-1","format":"json"}}"#
        )
    );
    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    let model = WasmModel::from_bytes(LINEAR).unwrap().with_limits(limits).unwrap();
    larder.apply("linear", &model).unwrap();
    let fields = larder.show("linear").unwrap().manifest.fields().to_owned();
    let end = r#""abi":"core-1","format":"msgpack","limits":{"time_ms":2000,"memory":268435456,"table":100000,"output":67108864,"stack":524288}}"#;
    assert!(fields.ends_with(end), "{fields}");
    assert_eq!(larder.load::<WasmModel>("linear").unwrap().limits(), limits);
}

fn blake3(bytes: &[u8]) -> String {
    larder_core::store::Digest::of(bytes).to_string()
}

#[test]
fn limits_are_stored_and_overridable() {
    let larder = larder();
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let endless = WasmModel::from_bytes(predicts("(loop $l (br $l)) (i64.const 0)")).unwrap();
    larder.apply("endless", &endless.with_limits(limits).unwrap()).unwrap();
    let model: WasmModel = larder.load("endless").unwrap();
    let stopped = |error: Error| match error {
        Error::Predict { source, .. } => match source.downcast_ref() {
            Some(WasmError::Time { limit }) => *limit,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let error = (&model as &dyn Model).predict_json("1").unwrap_err();
    assert_eq!(stopped(error), limits.time);
    let more = Limits { time: Duration::from_millis(120), ..limits };
    assert_eq!(stopped(model.limited(more).predict_json_erased("1").unwrap_err()), more.time);
}

#[test]
fn rejects_stored_limits_above_max() {
    let over = [
        Limits { time: Duration::from_secs(61), ..Limits::MAX },
        Limits { memory: Limits::MAX.memory + 1, ..Limits::MAX },
        Limits { table: Limits::MAX.table + 1, ..Limits::MAX },
        Limits { output: Limits::MAX.output + 1, ..Limits::MAX },
        Limits { stack: Limits::MAX.stack + 1, ..Limits::MAX },
    ];
    for limits in over {
        let refused = WasmModel::from_bytes(TREE).unwrap().with_limits(limits).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        // A handwritten manifest.
        let fields = serde_json::to_value(WasmModel::from_bytes(TREE).unwrap()).unwrap();
        let mut fields = fields.as_object().unwrap().clone();
        fields.insert("limits".into(), serde_json::to_value(limits).unwrap());
        let read = serde_json::from_value::<WasmModel>(fields.into());
        assert!(read.unwrap_err().to_string().contains("Limits::MAX"));
    }
    let most = WasmModel::from_bytes(TREE).unwrap().with_limits(Limits::MAX).unwrap();
    assert_eq!(most.limits(), Limits::MAX);
}

#[test]
fn rejects_module_that_differs_from_manifest() {
    let mut fields = serde_json::to_value(WasmModel::from_bytes(TREE).unwrap()).unwrap();
    fields["format"] = "msgpack".into();
    let model: WasmModel = serde_json::from_value(fields).unwrap();
    match (&model as &dyn Model).predict_json("1").unwrap_err() {
        Error::Predict { source, .. } => {
            assert!(matches!(source.downcast_ref(), Some(WasmError::Mismatch { .. })));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn reapplied_model_has_the_same_bytes() {
    let larder = larder();
    let model = WasmModel::from_bytes(TREE).unwrap();
    larder.apply("tree", &model).unwrap();
    let loaded = larder.load_component("tree").unwrap();
    larder.apply("copy", &*loaded).unwrap();
    let digest = |name: &str| larder.show(name).unwrap().version.digest;
    assert_eq!(digest("tree"), digest("copy"));
    assert_eq!(larder.store().records("versions/").count(), 2);
}
