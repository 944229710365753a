//! Tests of `version`, `migrate_from` and `alias`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use larder::prelude::*;
use larder::store::StoreExt;
use larder::store::{MemoryStore, Store};
use larder::{Error, Item, Registry};

/// The types of an older program.
mod before {
    use larder::prelude::*;

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "acme/stove")]
    pub(crate) struct Stove {
        pub(crate) fahrenheit: f64,
        pub(crate) log: Artifact<Vec<f64>>,
    }

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "acme/oven", version = 2)]
    pub(crate) struct Oven {
        pub(crate) kelvin: f64,
        pub(crate) log: Artifact<Vec<f64>>,
    }

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "acme/oven", version = 4)]
    pub(crate) struct OvenOfTomorrow {
        pub(crate) joule: f64,
    }

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "acme/hearth")]
    pub(crate) struct Hearth {}
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "acme/oven", model, version = 3)]
#[component(migrate_from(1 = "Oven::from_stove", 2 = "from_kelvin"))]
#[component(alias = "acme/stove", alias = "acme/hearth")]
struct Oven {
    celsius: f64,
    log: Artifact<Vec<f64>>,
}

#[derive(Deserialize)]
struct Stove {
    fahrenheit: f64,
    log: Artifact<Vec<f64>>,
}

#[derive(Deserialize)]
struct Kelvin {
    kelvin: f64,
    log: Artifact<Vec<f64>>,
}

impl Oven {
    fn from_stove(old: Stove) -> Self {
        Self { celsius: (old.fahrenheit - 32.0) / 1.8, log: old.log }
    }
}

fn from_kelvin(old: Kelvin) -> Result<Oven, String> {
    if old.kelvin < 0.0 {
        return Err(format!("{} K is below absolute zero", old.kelvin));
    }
    Ok(Oven { celsius: old.kelvin - 273.15, log: old.log })
}

impl Predict for Oven {
    type Input = f64;
    type Output = bool;

    fn predict(&self, celsius: f64) -> larder::Result<bool> {
        Ok(self.celsius >= celsius)
    }
}

/// A larder filled by the older program and opened by the current one.
fn inherited(fill: impl FnOnce(&Larder)) -> Larder {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut registry = Registry::new();
    registry.register(Item::format(larder::serializers::MsgPack)).unwrap();
    fill(&Larder::new(Arc::clone(&store), registry));
    let mut registry = Registry::new();
    registry.register(Item::format(larder::serializers::MsgPack)).unwrap();
    registry.register(Item::model::<Oven>()).unwrap();
    Larder::new(store, registry)
}

fn stove() -> before::Stove {
    before::Stove { fahrenheit: 212.0, log: vec![1.0, 2.0].into() }
}

#[test]
fn loads_older_version_of_renamed_type_with_artifacts() {
    let larder = inherited(|larder| {
        larder.apply("oven", &stove()).unwrap();
    });
    let oven: Oven = larder.load("oven").unwrap();
    assert_eq!(oven.celsius, 100.0);
    assert_eq!(oven.log.get().unwrap(), &[1.0, 2.0]);
    // An untyped load migrates too.
    assert_eq!(larder.load_component("oven").unwrap().type_tag(), "acme/oven");
    assert_eq!(larder.load_model("oven").unwrap().predict_json("99.0").unwrap(), "true");
    assert_eq!(larder.registry().find("acme/stove").unwrap().tag(), "acme/oven");
}

#[test]
fn each_older_version_has_its_own_migration() {
    let larder = inherited(|larder| {
        let oven = before::Oven { kelvin: 373.15, log: vec![3.0].into() };
        larder.apply("oven", &oven).unwrap();
    });
    assert_eq!(larder.show("oven").unwrap().manifest.type_version(), 2);
    let oven: Oven = larder.load("oven").unwrap();
    assert_eq!((oven.celsius, oven.log.get().unwrap().as_slice()), (100.0, &[3.0][..]));
}

#[test]
fn failed_migration_reports_its_error() {
    let larder = inherited(|larder| {
        let oven = before::Oven { kelvin: -1.0, log: Vec::new().into() };
        larder.apply("oven", &oven).unwrap();
    });
    for error in [larder.load::<Oven>("oven").err(), larder.load_model("oven").err()] {
        let Some(Error::Decode { source, .. }) = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("-1 K"), "{source}");
    }
}

#[test]
fn rejects_newer_version_and_version_without_migration() {
    let larder = inherited(|larder| {
        larder.apply("tomorrow", &before::OvenOfTomorrow { joule: 1.0 }).unwrap();
    });
    for error in [larder.load::<Oven>("tomorrow").err(), larder.load_component("tomorrow").err()] {
        let Some(Error::Decode { source, .. }) = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("newer"), "{source}");
    }

    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    Larder::new(Arc::clone(&store), Registry::new())
        .apply("oven", &before::Oven { kelvin: 0.0, log: Vec::new().into() })
        .unwrap();
    let larder = Larder::new(store, Registry::new());
    let error = larder.load::<before::OvenOfTomorrow>("oven").err();
    let Some(Error::Decode { source, .. }) = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("migrate_from(2 = "), "{source}");
}

#[test]
fn migrate_stores_a_new_version_and_keeps_the_old_one() {
    let larder = inherited(|larder| {
        larder.apply("oven", &stove()).unwrap();
    });
    let before = larder.store().list_blobs(None, 100).unwrap().len();
    let applied = larder.maintenance().migrate("oven").unwrap();
    assert!(applied.is_created());
    let shown = larder.show("oven").unwrap();
    assert_eq!(
        (shown.manifest.type_tag().as_str(), shown.manifest.type_version()),
        ("acme/oven", 3)
    );
    assert_eq!(larder.store().list_blobs(None, 100).unwrap().len(), before + 1, "a manifest only");
    assert_eq!(larder.load::<Oven>("oven@2").unwrap().log.get().unwrap(), &[1.0, 2.0]);
    assert_eq!(larder.show("oven@1").unwrap().manifest.type_tag().as_str(), "acme/stove");
    // A second migration changes nothing.
    assert!(!larder.maintenance().migrate("oven").unwrap().is_created());
}

#[test]
fn version_1_is_not_stored() {
    let larder = inherited(|larder| {
        larder.apply("hearth", &before::Hearth {}).unwrap();
    });
    let digest = larder.show("hearth").unwrap().version.digest;
    let json = larder.store().get_blob(&digest).unwrap().unwrap();
    let expected = br#"{"larder":1,"type":"acme/hearth","fields":{},"artifacts":[]}"#;
    assert_eq!(&json[..], expected);
}

#[test]
fn rejects_alias_of_another_type() {
    let mut registry = Registry::new();
    registry.register(Item::component::<before::Stove>()).unwrap();
    let error = registry.register(Item::model::<Oven>()).unwrap_err();
    assert!(matches!(&error, Error::Duplicate { name, .. } if name == "acme/stove"), "{error}");

    let mut registry = Registry::new();
    registry.register(Item::model::<Oven>()).unwrap();
    assert!(registry.register(Item::component::<before::Stove>()).is_err());
}
