//! Models that keep their source text.

use std::sync::Arc;

use larder::store::{ItemKind, MemoryStore};
use larder::versions::Source;
use larder::{Registry, codemodel};

use super::*;

/// Doubles.
#[codemodel(tag = "test/doubler-code", num_workers = 2)]
#[inline]
fn doubler(
    /// What is doubled.
    x: f64,
) -> f64 {
    // A comment, "quoted" \ and ünïcode.
    let two = r#"2"#.len() as f64 + 1.0;
    two * x
}

const DOUBLER: &str = r##"/// Doubles.
#[inline]
fn doubler(
    /// What is doubled.
    x: f64,
) -> f64 {
    // A comment, "quoted" \ and ünïcode.
    let two = r#"2"#.len() as f64 + 1.0;
    two * x
}"##;

#[test]
fn the_source_is_kept_as_it_was_written_and_the_model_predicts() {
    assert_eq!(doubler(2.0), 4.0);
    let larder = larder_of(&doubler::model());
    assert_eq!(larder.load_model("it").unwrap().predict_json(r#"{"x": 4}"#).unwrap(), "8.0");
    let source = larder.show("it").unwrap().manifest.source().unwrap();
    assert_eq!(source.text, DOUBLER);
    assert_eq!(source.language, "rust");
    assert_eq!(source.file, "tests/all/objectmodel/code.rs");
    assert_eq!(source, doubler::source());
    assert!(!larder.apply("it", &doubler::model()).unwrap().is_created(), "nothing changed");
}

#[test]
fn the_source_stands_readable_in_the_manifest() {
    let larder = larder_of(&doubler::model());
    let fields = larder.show("it").unwrap().manifest.fields().to_owned();
    let text = serde_json::to_string(DOUBLER).unwrap();
    assert_eq!(
        fields,
        format!(
            r#"{{"source":{{"$source":"rust","file":"tests/all/objectmodel/code.rs","text":{text}}}}}"#
        )
    );
}

#[test]
fn where_the_function_is_not_linked_in_the_error_says_so_and_where_its_source_is() {
    let store = MemoryStore::new();
    Larder::new(Arc::new(store.clone()), Registry::linked().unwrap())
        .apply("twice", &doubler::model())
        .unwrap();
    let larder = Larder::new(Arc::new(store), Registry::new());
    for error in
        [larder.load_model("twice").unwrap_err(), larder.load_component("twice").unwrap_err()]
    {
        let Error::NotLinked { kind: ItemKind::Type, name, hint, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(name, "test/doubler-code");
        let (file, version) = ("tests/all/objectmodel/code.rs", "twice@1");
        assert!(hint.contains(file) && hint.contains(version), "{hint}");
    }
    assert_eq!(larder.show("twice").unwrap().manifest.source().unwrap().text, DOUBLER);
}

#[test]
fn what_was_stored_from_other_code_loads_runs_what_is_linked_in_and_keeps_its_own_source() {
    let mut older: doubler = doubler::model();
    older.source.text = "fn doubler(x: f64) -> f64 { x + x }".into();
    let larder = larder_of(&older);
    let loaded: doubler = larder.load("it").unwrap();
    assert_eq!(loaded, older);
    assert_eq!(loaded.predict((4.0,).into()).unwrap(), 8.0);
    assert!(!larder.apply("it", &loaded).unwrap().is_created(), "it is what it was");
    assert!(
        larder.apply("it", &doubler::model()).unwrap().is_created(),
        "other code, other version"
    );
    let registry = Registry::linked().unwrap();
    let linked = registry.types().find(|(entry, _)| entry.tag() == "test/doubler-code").unwrap().0;
    assert_eq!(linked.source().unwrap(), &doubler::source());
}

#[derive(Serialize, Deserialize)]
struct Scaler {
    factor: f64,
    source: Source,
}

#[codemodel(tag = "test/scaler-code", method = "transform")]
impl Scaler {
    fn new(factor: f64) -> Self {
        Self { factor, source: Self::source() }
    }

    // Why it multiplies: division is slow.
    fn transform(&self, x: f64) -> f64 {
        self.factor * x
    }
}

#[test]
fn a_type_with_state_keeps_the_source_of_its_methods_beside_its_state() {
    let larder = larder_of(&Scaler::new(0.5));
    assert_eq!(larder.load_model("it").unwrap().predict_json(r#"{"x": 4}"#).unwrap(), "2.0");
    let source = larder.show("it").unwrap().manifest.source().unwrap();
    assert!(source.text.starts_with("impl Scaler {\n    fn new"), "{}", source.text);
    assert!(
        source.text.contains("    // Why it multiplies: division is slow.\n"),
        "{}",
        source.text
    );
    assert!(source.text.ends_with("        self.factor * x\n    }\n}"), "{}", source.text);
    assert_eq!(larder.load::<Scaler>("it").unwrap().source, source);
}

macro_rules! made_by_a_macro {
    ($name:ident, $tag:literal, $number:expr) => {
        #[codemodel(tag = $tag)]
        fn $name(x: f64) -> f64 {
            x + $number
        }
    };
}

made_by_a_macro!(plus_seven, "test/plus-seven", 7.0);

#[test]
fn a_function_that_a_macro_made_keeps_what_the_macro_made() {
    assert_eq!(plus_seven(1.0), 8.0);
    let text = plus_seven::source().text;
    assert!(text.contains("plus_seven") && text.contains("7.0"), "{text}");
    assert!(!text.contains('$'), "{text}");
}

#[test]
fn a_field_that_only_looks_like_a_source_is_none() {
    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "test/look-alike")]
    struct LookAlike {
        source: String,
    }
    let larder = larder_of(&LookAlike { source: "fn".into() });
    assert_eq!(larder.show("it").unwrap().manifest.source(), None);
    let larder = larder_of(&my_model::model());
    assert_eq!(larder.show("it").unwrap().manifest.source(), None);
    assert_eq!(larder.show("it").unwrap().manifest.fields(), "{}");
}
