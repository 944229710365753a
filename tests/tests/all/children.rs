//! Components that refer to components.

mod carried;
mod hooks;
mod hostile;
mod removal;
mod steps;

use larder::Selection;
use larder::bytes::Bytes;
use larder::maintenance::CopyOptions;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::StoreExt;
use larder::versions::RemoveOptions;
use larder::{Error, VersionInfo};
use larder_tests::errors::refused;

/// The innermost.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/words")]
struct Words {
    language: String,
    list: Artifact<Bytes, RawBytes>,
}

fn words(language: &str, size: usize) -> Words {
    let list = Artifact::<Bytes, RawBytes>::new(vec![language.len() as u8; size].into());
    Words { language: language.into(), list }
}

/// A model that refers to it.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/encoder", model)]
struct Encoder {
    words: Ref<Words>,
    scale: f64,
}

impl Predict for Encoder {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> larder::Result<f64> {
        Ok(input * self.scale * self.words.get()?.list.get()?.len() as f64)
    }
}

/// Refers to the same from two sides, at some depth, and to components of any type.
#[derive(Debug, Default, Serialize, Deserialize, Component)]
#[component(tag = "tests/pipeline")]
struct Pipeline {
    stages: Vec<Stage>,
    others: Vec<Ref<dyn Component>>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Stage {
    Encode(Ref<Encoder>),
    Look { up: Option<Ref<Words>> },
}

fn encoder(words: Ref<Words>) -> Encoder {
    Encoder { words, scale: 2.0 }
}

fn everywhere(test: impl Fn(&Larder)) {
    for scheme in ["sqlite", "fs", "memory"] {
        let here = tempfile::tempdir().unwrap();
        let place = here.path().join("larder").display().to_string();
        let place = if scheme == "memory" { "" } else { &place };
        let larder = larder::open(&format!("{scheme}:{place}")).unwrap();
        test(&larder);
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
        assert_eq!(larder.maintenance().health().unwrap().damaged, []);
    }
}

fn records(larder: &Larder) -> Vec<String> {
    larder.store().records("").map(|record| record.unwrap().0.to_string()).collect()
}

fn pins(versions: &[VersionInfo]) -> Vec<String> {
    versions.iter().map(|version| version.reference().to_string()).collect()
}

fn numbers(larder: &Larder, name: &str) -> Vec<u64> {
    larder.versions(name).unwrap().iter().map(|version| version.version.get()).collect()
}

/// A diamond: `pipeline` over `encoder` and `words`, which `encoder` is over as well.
fn diamond(language: &str) -> Pipeline {
    let shared = Ref::new("words", words(language, 100_000)).unwrap();
    let encoder = Ref::new("encoder", encoder(shared.clone())).unwrap();
    Pipeline {
        stages: vec![
            Stage::Encode(encoder),
            Stage::Look { up: Some(shared.clone()) },
            Stage::Look { up: None },
        ],
        others: vec![Ref::any("more", words("any", 10)).unwrap()],
    }
}

#[test]
fn children_are_applied_with_their_parent_and_come_back_when_they_are_used() {
    everywhere(|larder| {
        let given = diamond("english");
        assert!(larder.apply("pipeline", &given).unwrap().is_created());
        // The diamond is stored once.
        for name in ["words", "encoder", "more", "pipeline"] {
            assert_eq!(numbers(larder, name), [1], "{name}");
        }
        let manifest = larder.show("pipeline").unwrap().manifest;
        let children: Vec<_> = manifest.children().iter().map(|it| it.name.to_string()).collect();
        assert_eq!(children, ["encoder", "words", "more"]);
        let digest = larder.show("words").unwrap().version.digest;
        let link = format!(r#"{{"$component":"words","manifest":"{digest}"}}"#);
        assert!(manifest.fields().contains(&link), "{}", manifest.fields());

        let loaded: Pipeline = larder.load("pipeline").unwrap();
        let [Stage::Encode(encoder), Stage::Look { up: Some(shared) }, Stage::Look { up: None }] =
            &loaded.stages[..]
        else {
            panic!("{loaded:?}");
        };
        assert_eq!((shared.name().as_str(), shared.digest()), ("words", Some(digest)));
        assert_eq!(shared.get().unwrap().language, "english");
        assert_eq!(encoder.get().unwrap().words.get().unwrap().list.get().unwrap().len(), 100_000);
        assert_eq!(encoder.ready().unwrap().predict(1.0).unwrap(), 200_000.0);
        assert_eq!(loaded.others[0].get().unwrap().type_tag(), "tests/words");
        let model = larder.load_model("encoder").unwrap();
        assert_eq!(model.predict_json("0.5").unwrap(), "100000.0");

        // The same again, as it was given and as it was loaded, is nothing new.
        let before = records(larder);
        assert!(!larder.apply("pipeline", &given).unwrap().is_created());
        assert!(!larder.apply("pipeline", &loaded).unwrap().is_created());
        assert!(!larder.apply("pipeline", &diamond("english")).unwrap().is_created());
        assert_eq!(records(larder), before);
    });
}

#[test]
fn a_parent_stays_with_the_version_that_it_was_applied_with() {
    everywhere(|larder| {
        larder.apply("pipeline", &diamond("english")).unwrap();
        larder.apply("words", &words("french", 1)).unwrap();
        let encoder: Encoder = larder.load("encoder").unwrap();
        assert_eq!(encoder.words.get().unwrap().language, "english");

        // Another child makes another parent, and what is between them.
        larder.apply("pipeline", &diamond("french")).unwrap();
        assert_eq!(numbers(larder, "words"), [1, 2, 3]); // another size
        assert_eq!(numbers(larder, "encoder"), [1, 2]);
        assert_eq!(numbers(larder, "more"), [1]);
        assert_eq!(numbers(larder, "pipeline"), [1, 2]);

        // A version that is older than the newest is not written again.
        larder.apply("pipeline", &diamond("english")).unwrap();
        assert_eq!(numbers(larder, "words"), [1, 2, 3]);
        assert_eq!(numbers(larder, "encoder"), [1, 2]);
        assert_eq!(numbers(larder, "pipeline"), [1, 2, 3]);
        let uses = larder.uses("pipeline@3").unwrap();
        let uses: Vec<_> =
            uses.iter().map(|it| (it.name.as_str(), it.version.unwrap().get())).collect();
        assert_eq!(uses, [("encoder", 1), ("words", 1), ("more", 1)]);
        let used = pins(&larder.used_by("words@1").unwrap());
        assert_eq!(used, ["encoder@1", "pipeline@1", "pipeline@3"]);
        assert_eq!(pins(&larder.used_by("words@2").unwrap()), [""; 0]);
        assert_eq!(pins(&larder.used_by("pipeline").unwrap()), [""; 0]);
    });
}

#[test]
fn a_reference_to_a_version_is_pinned_when_its_parent_is_applied() {
    everywhere(|larder| {
        larder.apply("words", &words("english", 10)).unwrap();
        larder.apply("words", &words("french", 10)).unwrap();
        larder.tag("words@1", "prod").unwrap();
        let by_tag = || encoder(Ref::to("words:prod").unwrap());
        let given = by_tag();
        let error = given.words.get().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        larder.apply("encoder", &given).unwrap();
        assert_eq!(given.words.get().unwrap().language, "english");
        assert_eq!(numbers(larder, "words"), [1, 2]);

        assert!(!larder.apply("encoder", &by_tag()).unwrap().is_created());
        larder.tag("words@2", "prod").unwrap();
        assert!(larder.apply("encoder", &by_tag()).unwrap().is_created());
        let pinned: Encoder = larder.load("encoder@1").unwrap();
        assert_eq!(pinned.words.get().unwrap().language, "english");
        let moved: Encoder = larder.load("encoder@2").unwrap();
        assert_eq!(moved.words.get().unwrap().language, "french");

        let error = larder.apply("encoder", &encoder(Ref::to("words:none").unwrap())).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        // A newer version of a name may refer to an older one.
        let mut pipeline = Pipeline::default();
        larder.apply("pipeline", &pipeline).unwrap();
        pipeline.others.push(Ref::to("pipeline@1").unwrap());
        larder.apply("pipeline", &pipeline).unwrap();
        assert_eq!(pins(&larder.used_by("pipeline@1").unwrap()), ["pipeline@2"]);
        larder.remove_all("pipeline", &RemoveOptions::new()).unwrap();
    });
}

#[test]
fn a_cycle_of_names_is_refused_and_printed() {
    everywhere(|larder| {
        let around = |name: &str, inner: Pipeline| Pipeline {
            others: vec![Ref::any(name, inner).unwrap()],
            stages: vec![],
        };
        let b = around("b", around("c", around("b", Pipeline::default())));
        let error = larder.apply("a", &b).unwrap_err();
        assert!(refused(&error).1.contains(": b -> c -> b;"), "{error}");
        let error = larder.apply("a", &around("a", Pipeline::default())).unwrap_err();
        assert!(refused(&error).1.contains(": a -> a;"), "{error}");

        let mut deep = Pipeline::default();
        for level in 0..40 {
            deep = around(&format!("level/{level}"), deep);
        }
        let error = larder.apply("deep", &deep).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(records(larder), [""; 0]);
    });
}

#[test]
fn one_name_for_two_different_components_is_refused() {
    everywhere(|larder| {
        let mut pipeline = diamond("english");
        pipeline.others.push(Ref::any("words", words("french", 1)).unwrap());
        let error = larder.apply("pipeline", &pipeline).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(records(larder), [""; 0]);
        // The same content twice is one.
        let mut pipeline = diamond("english");
        pipeline.others.push(Ref::any("words", words("english", 100_000)).unwrap());
        larder.apply("pipeline", &pipeline).unwrap();
        assert_eq!(numbers(larder, "words"), [1]);
    });
}

/// Holds a reference where none can be.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/hidden")]
struct Hidden {
    inner: Artifact<Vec<Ref<Words>>>,
}

#[test]
fn a_reference_inside_an_artifact_or_outside_of_a_larder_is_refused() {
    let larder = larder::open("memory:").unwrap();
    let inner = Artifact::new(vec![Ref::new("words", words("english", 1)).unwrap()]);
    let error = larder.apply("hidden", &Hidden { inner }).unwrap_err();
    let (action, _) = refused(&error);
    assert!(action.contains("words") && action.contains("artifact"), "{action}");
    assert_eq!(records(&larder), [""; 0]);
    assert!(serde_json::to_string(&Ref::<Words>::to("words").unwrap()).is_err());
    assert!(serde_json::from_str::<Ref<Words>>("{}").is_err());
    assert!(matches!(Ref::<Words>::to("No Name"), Err(Error::InvalidName { .. })));
}

#[test]
fn many_diamonds_on_each_other_are_packed_once_each() {
    let larder = larder::open("memory:").unwrap();
    let mut last: Ref<dyn Component> = Ref::any("level/0", words("english", 1)).unwrap();
    for level in 1..30 {
        let both = Pipeline { others: vec![last.clone(), last], stages: vec![] };
        last = Ref::any(format!("level/{level}").as_str(), both).unwrap();
    }
    let top = Pipeline { others: vec![last.clone(), last], stages: vec![] };
    larder.apply("top", &top).unwrap(); // not 2^30 times
    assert_eq!(larder.list().count(), 31);
}

#[test]
fn a_child_of_another_type_than_the_field_is_a_typed_error() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("words", &Pipeline::default()).unwrap();
    larder.apply("encoder", &encoder(Ref::to("words").unwrap())).unwrap();
    let error = larder.load::<Encoder>("encoder").unwrap().words.get().map(drop).unwrap_err();
    assert!(matches!(error, Error::WrongType { .. }), "{error}");
}
