//! Inputs that do not fit are refused before the model sees them: the error says where, what was
//! expected and what came.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder_tests::errors::message;

use super::*;

static CALLS: AtomicUsize = AtomicUsize::new(0);

#[derive(Deserialize, JsonSchema)]
struct Bottle {
    age: u8,
    #[allow(dead_code)]
    points: Option<f32>,
}

#[derive(Deserialize, JsonSchema)]
enum Color {
    Red,
    #[allow(dead_code)]
    White,
}

#[objectmodel(tag = "test/judge")]
fn judge(bottle: Bottle, weights: [f64; 2], colors: Vec<Color>, title: String) -> f64 {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let red = colors.iter().filter(|color| matches!(color, Color::Red)).count() as f64;
    f64::from(bottle.age) * weights[0] + red * weights[1] + title.len() as f64
}

/// The input with `field` replaced by `value`, or taken away.
fn input(field: &str, value: Option<&str>) -> String {
    let fields = [
        ("bottle", r#"{"age": 7, "points": 0.5}"#),
        ("weights", "[1, 2]"),
        ("colors", r#"["Red", "White"]"#),
        ("title", r#""Riesling""#),
    ];
    let kept = fields.into_iter().filter(|(name, _)| *name != field);
    let all = kept.chain(value.map(|value| (field, value)));
    let json = all.map(|(name, value)| format!("{name:?}: {value}")).collect::<Vec<_>>();
    format!("{{{}}}", json.join(", "))
}

#[test]
fn what_does_not_fit_names_the_field_and_says_what_was_expected_and_what_came() {
    let larder = larder_of(&judge::model());
    let model = larder.load_model("it").unwrap();
    let fits = input("title", Some(r#""""#));
    assert_eq!(model.predict_json(&fits).unwrap(), "9.0");

    let cases: [(&str, Option<&str>, &str, &str); 17] = [
        ("title", Some("1.5"), "title", "`1.5`"),
        ("title", Some("null"), "title", "null"),
        ("title", None, "", "`title`"),
        ("titel", Some("1"), "", "`titel`"),
        ("bottle", Some("[]"), "bottle", "struct Bottle"),
        ("bottle", Some("{}"), "bottle", "`age`"),
        ("bottle", Some(r#"{"age": 300}"#), "bottle.age", "`300`, expected u8"),
        ("bottle", Some(r#"{"age": -1}"#), "bottle.age", "`-1`, expected u8"),
        ("bottle", Some(r#"{"age": "7"}"#), "bottle.age", "\"7\", expected u8"),
        ("bottle", Some(r#"{"age": 1e99}"#), "bottle.age", "`1e+99`, expected u8"),
        ("bottle", Some(r#"{"age": 7, "points": 1e39}"#), "bottle.points", "`1e+39`, expected f32"),
        ("weights", Some("[1]"), "weights", "length 1"),
        ("weights", Some("[1, 2, 3]"), "weights", "length 3"),
        ("weights", Some(r#"[1, "2"]"#), "weights[1]", "\"2\", expected f64"),
        ("weights", Some("[1, 1e400]"), "weights[1]", "out of range"),
        ("colors", Some(r#"["Red", "Blue"]"#), "colors[1]", "`Blue`, expected `Red`"),
        ("colors", Some("7"), "colors", "`7`"),
    ];
    let calls = CALLS.load(Ordering::Relaxed);
    for (field, value, place, reason) in cases {
        let error = model.predict_json(&input(field, value)).unwrap_err();
        let said = message(&error);
        assert!(said.contains(reason), "{field} {value:?}: {said}");
        let Error::Input { path, .. } = &error else { panic!("{error:?}") };
        assert_eq!(path, place, "{said}");
    }
    for (json, reason) in [
        ("7", "`bottle`, `weights`, `colors`, `title`"),
        (r#"[{"age": 7}, [1, 2], [], "Riesling"]"#, "`bottle`, `weights`, `colors`, `title`"),
        (r#"{"title": "a", "title": "b"}"#, "duplicate field `title`"),
        ("{", "EOF"),
        ("", "EOF"),
        (&format!("{fits} 1"), "trailing"),
    ] {
        let error = model.predict_json(json).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{json}: {error:?}");
        assert!(message(&error).contains(reason), "{json}: {error:?}");
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), calls, "the model saw none of them");
}

#[test]
fn a_batch_says_which_row_does_not_fit_and_where() {
    let model = larder_of(&my_model::model()).load_model("it").unwrap();
    let error = model.predict_batch_json(r#"[{"x": 1, "y": 2}, {"x": 1, "y": true}]"#).unwrap_err();
    let Error::Input { path, .. } = &error else { panic!("{error:?}") };
    assert_eq!(path, "[1].y");
    let said = message(&error);
    assert!(said.contains("`true`, expected f64 at line 1 column 37"), "{said}");
}

/// A model without the macro, with structs at every depth.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/cellar", model)]
struct Cellar;

#[derive(Deserialize, JsonSchema)]
struct Shelves {
    shelves: Vec<Shelf>,
    best: Option<Box<Shelf>>,
}

#[derive(Deserialize, JsonSchema)]
enum Shelf {
    Of { bottles: u8, empty: u8 },
    One(Bottle),
    Pair(u8, u8),
}

impl Predict for Cellar {
    type Input = Shelves;
    type Output = u32;

    fn predict(&self, input: Shelves) -> larder::Result<u32> {
        let count = |shelf: &Shelf| match shelf {
            Shelf::Of { bottles, empty } => u32::from(*bottles) + u32::from(*empty),
            Shelf::One(bottle) => u32::from(bottle.age),
            Shelf::Pair(a, b) => u32::from(*a) + u32::from(*b),
        };
        Ok(input.shelves.iter().chain(input.best.as_deref()).map(count).sum())
    }
}

#[test]
fn an_array_in_place_of_an_object_is_refused_at_every_depth_as_the_schema_says() {
    let model = larder_of(&Cellar).load_model("it").unwrap();
    let fits = r#"{"shelves": [{"Of": {"bottles": 1, "empty": 2}}, {"Pair": [3, 4]}], "best": {"One": {"age": 5}}}"#;
    assert_eq!(model.predict_json(fits).unwrap(), "15");
    assert_eq!(model.predict_batch_json(&format!("[{fits}]")).unwrap(), "[15]");
    for (json, place) in [
        ("[[], null]", ""),
        (r#"{"shelves": [{"Of": [1, 2]}], "best": null}"#, "shelves[0]"),
        (r#"{"shelves": [], "best": {"One": [5, null]}}"#, "best"),
    ] {
        let error = model.predict_json(json).unwrap_err();
        assert!(message(&error).contains("an array"), "{json}: {error:?}");
        let Error::Input { path, .. } = &error else { panic!("{error:?}") };
        assert_eq!(path, place, "{error:?}");
        let error = model.predict_batch_json(&format!("[{json}]")).unwrap_err();
        assert!(message(&error).contains("an array"), "{json}: {error:?}");
        // The same through any reader of JSON.
        let mut out = Vec::new();
        let error = model.predict_with(
            &mut serde_json::Deserializer::from_str(json),
            &mut serde_json::Serializer::new(&mut out),
        );
        assert!(message(&error.unwrap_err()).contains("an array"), "{json}");
    }
    // Formats that write structs as sequences stay readable.
    let compact = rmp_serde::to_vec(&(&[(); 0], ())).unwrap();
    let mut out = Vec::new();
    let read = &mut rmp_serde::Deserializer::new(&compact[..]);
    model.predict_with(read, &mut serde_json::Serializer::new(&mut out)).unwrap();
    assert_eq!(out, b"0");
}

#[test]
fn messagepack_that_does_not_fit_is_refused_as_json_is() {
    let larder = larder_of(&judge::model());
    let model = larder.load_model("it").unwrap();
    let cases = [
        (r#"{"age": 300}"#, "[1, 2]", "bottle.age", "`300`, expected u8"),
        (r#"{"age": 7, "points": 1e39}"#, "[1, 2]", "bottle.points", "0.0`, expected f32"),
        (r#"{"age": 1}"#, "[1, 2, 3]", "weights", "length 3"),
        (r#"{"age": 1}"#, "[1, true]", "weights[1]", "`true`, expected f64"),
    ];
    for (bottle, weights, place, reason) in cases {
        let json = format!(r#"{{"bottle":{bottle},"weights":{weights},"colors":[],"title":""}}"#);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let bytes = rmp_serde::to_vec(&value).unwrap();
        let mut out = Vec::new();
        let error = model
            .predict_with(
                &mut rmp_serde::Deserializer::new(&bytes[..]),
                &mut rmp_serde::Serializer::new(&mut out),
            )
            .unwrap_err();
        let Error::Input { path, .. } = &error else { panic!("{error:?}") };
        assert_eq!(path, place, "{error:?}");
        assert!(message(&error).contains(reason), "{error:?}");
        assert!(out.is_empty());
    }
}
