//! Artifacts are read with the serializer that wrote them.

use larder::Selection;
use std::collections::BTreeMap;
use std::sync::Arc;

use larder::prelude::*;
use larder::serializers::{Bincode, ByName, FnSerializer, Json, MsgPack, Postcard};
use larder::store::{ItemKind, MemoryStore};
use larder::{ComponentType, Error, Item, Registry};
use larder_tests::errors::message;

/// A field whose serializer is MessagePack today.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/chosen")]
struct Chosen {
    value: Artifact<BTreeMap<String, f64>>,
}

fn table() -> BTreeMap<String, f64> {
    [("a".into(), 1.5), ("b".into(), -0.25)].into()
}

#[test]
fn a_serializer_may_be_chosen_by_name_and_its_name_says_how_to_read() {
    let larder = larder::open("memory:").unwrap();
    for name in ["postcard1", "json", "bincode2-standard", "msgpack-named"] {
        let value = Artifact::named(name, table());
        larder.apply("chosen", &Chosen { value }).unwrap();
        let shown = larder.show("chosen").unwrap();
        assert_eq!(shown.manifest.artifacts()[0].serializer, name);
        let loaded: Chosen = larder.load("chosen").unwrap();
        assert_eq!(loaded.value.get().unwrap(), &table());
        assert!(!larder.apply("chosen", &loaded).unwrap().is_created());
    }
    assert_eq!(larder.versions("chosen").unwrap().len(), 4);
}

#[test]
fn a_serializer_chosen_by_name_that_is_not_linked_in_is_named() {
    let larder = larder::open("memory:").unwrap();
    let value = Artifact::named("cbor", table());
    let error = larder.apply("chosen", &Chosen { value }).unwrap_err();
    let Error::NotLinked { kind: ItemKind::Serializer, name, known, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "cbor");
    assert!(known.contains(&"msgpack-named".to_owned()));
    assert_eq!(larder.list().count(), 0);
}

/// A type without serde.
#[derive(Debug, PartialEq)]
struct Celsius(f32);

fn celsius() -> FnSerializer<Celsius> {
    FnSerializer::new(
        "celsius-le",
        |value: &Celsius, out| Ok(out.write_all(&value.0.to_le_bytes())?),
        |bytes| Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?))),
    )
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/oven")]
struct Oven {
    setting: Artifact<Celsius, ByName>,
}

fn larder_with_celsius(store: &MemoryStore) -> Larder {
    let mut registry = Registry::linked().unwrap();
    registry.register(Item::pair(celsius())).unwrap();
    Larder::new(Arc::new(store.clone()), registry)
}

#[test]
fn a_type_without_serde_is_kept_by_a_pair_of_functions() {
    let store = MemoryStore::new();
    let larder = larder_with_celsius(&store);
    let oven = Oven { setting: Artifact::named("celsius-le", Celsius(21.5)) };
    larder.apply("oven", &oven).unwrap();
    let mut loaded: Oven = larder.load("oven").unwrap();
    assert_eq!(loaded.setting.get().unwrap(), &Celsius(21.5));
    assert!(!larder.apply("oven", &loaded).unwrap().is_created());
    *loaded.setting.get_mut().unwrap() = Celsius(180.0);
    assert!(larder.apply("oven", &loaded).unwrap().is_created(), "it goes on with the same pair");
    let loaded: Oven = larder.load("oven").unwrap();
    assert_eq!(loaded.setting.into_inner().unwrap(), Celsius(180.0));
}

#[test]
fn an_artifact_by_name_without_a_name_is_refused_with_advice() {
    let larder = larder::open("memory:").unwrap();
    let error = larder.apply("oven", &Oven { setting: Artifact::new(Celsius(0.0)) }).unwrap_err();
    let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("`setting`") && what.contains("`test/oven`"), "{what}");
    assert!(message(&error).contains("`Artifact::named(name, value)`"), "{error:?}");
}

#[test]
fn without_its_serializer_a_component_is_listed_shown_and_verified() {
    let store = MemoryStore::new();
    let oven = Oven { setting: Artifact::named("celsius-le", Celsius(21.5)) };
    larder_with_celsius(&store).apply("oven", &oven).unwrap();

    let larder = Larder::new(Arc::new(store), Registry::linked().unwrap());
    assert_eq!(larder.list().count(), 1);
    assert_eq!(larder.show("oven").unwrap().manifest.artifacts()[0].serializer, "celsius-le");
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    let loaded: Oven = larder.load("oven").unwrap();
    let error = loaded.setting.get().unwrap_err();
    let Error::NotLinked { kind: ItemKind::Serializer, name, needed_by, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "celsius-le");
    assert!(needed_by.ends_with(" of oven@1"), "{needed_by}");
    assert!(
        !larder.apply("oven", &loaded).unwrap().is_created(),
        "its bytes are known all the same"
    );
}

/// One type at two times: its field got another serializer. Neither is linked in, since two types with one
/// tag cannot be.
#[derive(Serialize, Deserialize)]
struct Before {
    value: Artifact<BTreeMap<String, f64>, Postcard>,
}

#[derive(Serialize, Deserialize)]
struct After {
    value: Artifact<BTreeMap<String, f64>, Json>,
}

const _: () = {
    use larder::__private::typetag;

    #[typetag::serde(name = "test/changed")]
    impl Component for Before {}
    #[typetag::serde(name = "test/changed")]
    impl Component for After {}
};

impl ComponentType for Before {
    const TAG: &'static str = "test/changed";
}

impl ComponentType for After {
    const TAG: &'static str = "test/changed";
}

#[test]
fn old_bytes_are_read_by_the_serializer_that_wrote_them_whatever_the_field_says_now() {
    let store = MemoryStore::new();
    let larder = Larder::new(Arc::new(store.clone()), Registry::linked().unwrap());
    larder.apply("changed", &Before { value: Artifact::new(table()) }).unwrap();
    let mut loaded: After = larder.load("changed").unwrap();
    assert_eq!(loaded.value.get().unwrap(), &table());
    assert!(!larder.apply("changed", &loaded).unwrap().is_created(), "it is not written anew");
    loaded.value.get_mut().unwrap().clear();
    larder.apply("changed", &loaded).unwrap();
    let entries = larder.show("changed").unwrap().manifest.artifacts().to_vec();
    assert_eq!(entries[0].serializer, "json", "what is written anew is written as the field says");

    // Where the old serializer is not linked in, it is named, with the feature that brings it.
    let mut registry = Registry::new();
    for item in [Item::format(MsgPack), Item::format(Json), Item::format(Bincode)] {
        registry.register(item).unwrap();
    }
    let larder = Larder::new(Arc::new(store), registry);
    let loaded: After = larder.load("changed@1").unwrap();
    let error = loaded.value.get().unwrap_err();
    let Error::NotLinked { kind: ItemKind::Serializer, name, hint, known, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(name, "postcard1");
    assert!(hint.contains("`postcard`") && hint.contains("`larder`"), "{hint}");
    assert_eq!(known, &["bincode2-standard", "json", "msgpack-named"]);
}

#[test]
fn bytes_are_never_tried_with_another_format() {
    let larder = larder::open("memory:").unwrap();
    // JSON text is a value of MessagePack as well: the first byte of `7` is the number 55.
    larder.apply("chosen/number", &Number { value: Artifact::named("json", 7) }).unwrap();
    let loaded: Number = larder.load("chosen/number").unwrap();
    assert_eq!(loaded.value.get().unwrap(), &7);
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/number")]
struct Number {
    value: Artifact<u8>,
}
