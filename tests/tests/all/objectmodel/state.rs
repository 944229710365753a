//! Types with state.

use larder::{ComponentType, objectmodel};
use larder_tests::errors::message;

use super::*;

#[derive(Debug, Serialize, Deserialize)]
struct MyClass {
    factor: f64,
    offsets: Artifact<Vec<f64>>,
}

#[objectmodel(tag = "test/my-class", num_workers = 2)]
impl MyClass {
    fn call(&self, x: f64, at: usize) -> larder::Result<f64> {
        let offsets = self.offsets.get()?;
        let offset = offsets.get(at).ok_or_else(|| Error::predict(format!("nothing at {at}")))?;
        Ok(self.factor * x + offset)
    }
}

fn my_class() -> MyClass {
    MyClass { factor: 2.0, offsets: vec![0.5, 1.5].into() }
}

#[test]
fn the_state_is_stored_with_the_model_and_predicts_the_same_after_loading() {
    let larder = larder_of(&my_class());
    let loaded: MyClass = larder.load("it").unwrap();
    assert_eq!((loaded.factor, loaded.offsets.get().unwrap()), (2.0, &vec![0.5, 1.5]));
    let model = larder.load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"x": 3, "at": 1}"#).unwrap(), "7.5");
    assert_eq!(loaded.call(3.0, 1).unwrap(), 7.5);
    assert_eq!(MyClass::TAG, "test/my-class");
}

#[test]
fn a_batch_on_workers_uses_one_state() {
    let model = larder_of(&my_class()).load_model("it").unwrap();
    let rows: Vec<_> = (0..100).map(|x| serde_json::json!({"x": x, "at": x % 2})).collect();
    let input = serde_json::to_string(&rows).unwrap();
    let outputs: Vec<f64> =
        serde_json::from_str(&model.predict_batch_json(&input).unwrap()).unwrap();
    let expected: Vec<_> =
        (0..100).map(|x| 2.0 * f64::from(x) + if x % 2 == 0 { 0.5 } else { 1.5 }).collect();
    assert_eq!(outputs, expected);
    let bad = model.predict_batch_json(r#"[{"x": 1, "at": 1}, {"x": 1, "at": 2}]"#).unwrap_err();
    assert!(matches!(bad, Error::Predict { row: Some(1), .. }), "{bad:?}");
    assert!(message(&bad).ends_with(": nothing at 2"), "{bad:?}");
}

#[derive(Serialize, Deserialize)]
struct Scaler {
    factor: f64,
}

#[objectmodel(tag = "test/scaler", method = "transform")]
impl Scaler {
    fn fit(largest: f64) -> Self {
        Self { factor: 1.0 / largest }
    }

    fn transform(&self, x: f64) -> f64 {
        self.factor * x
    }

    fn inverse(&self, x: f64) -> f64 {
        x / self.factor
    }
}

#[test]
fn one_of_several_methods_is_chosen() {
    let scaler = Scaler::fit(4.0);
    assert_eq!(scaler.inverse(0.5), 2.0);
    let model = larder_of(&scaler).load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"x": 2}"#).unwrap(), "0.5");
}

/// A private method on a type that is seen from elsewhere.
mod public {
    use larder::prelude::*;

    /// Counts.
    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(crate) struct Counter {
        start: u32,
    }

    #[larder::objectmodel(tag = "test/counter", method = "next")]
    impl Counter {
        fn next(&self, by: Option<u32>) -> Vec<u32> {
            vec![self.start + by.unwrap_or(1)]
        }
    }
}

#[test]
fn a_private_method_makes_a_type_that_is_seen_from_elsewhere_a_model() {
    let model = larder_of(&public::Counter::default()).load_model("it").unwrap();
    assert_eq!(model.predict_json("{}").unwrap(), "[1]");
}
