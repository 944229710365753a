//! Types and serializers that are not linked in, or are there twice.

use larder::Selection;
use std::sync::Arc;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::{FnSerializer, MsgPack};
use larder::store::{ItemKind, MemoryStore};
use larder::{BoxError, ComponentType, Error, Item, Registry, Serializer};
use larder_tests::errors::message;

use super::{Plain, larder, with_artifacts};

#[test]
fn a_component_whose_type_is_not_linked_in_is_listed_shown_and_verified() {
    let (full, store) = larder();
    full.apply("wine", &with_artifacts(7, "text")).unwrap();
    full.tag("wine", "prod").unwrap();

    let mut registry = Registry::new();
    registry.register(Item::component::<Plain>()).unwrap();
    let larder = Larder::new(Arc::new(store), registry);
    for error in
        [larder.load_component("wine:prod").unwrap_err(), larder.load_model("wine").unwrap_err()]
    {
        let Error::NotLinked { kind: ItemKind::Type, name, needed_by, hint, known, .. } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((name.as_str(), needed_by.as_str()), ("test/with-artifacts", "wine@1"));
        assert!(hint.contains("larder-tests 0.1.0"), "{hint}");
        assert_eq!(known, &["test/plain"]);
        message(&error);
    }
    let listed: Vec<_> = larder.list().map(Result::unwrap).collect();
    assert_eq!(listed[0].type_tag.as_str(), "test/with-artifacts");
    assert_eq!(larder.versions("wine").unwrap().len(), 1);
    let shown = larder.show("wine:prod").unwrap();
    assert!(shown.manifest.fields().contains("\"number\":7"), "{}", shown.manifest.fields());
    assert_eq!(shown.manifest.artifacts().len(), 1);
    assert_eq!(shown.tags[0].tag.as_str(), "prod");
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!((checked.versions, checked.blobs, checked.findings.len()), (1, 2, 0));
    larder.untag("wine", "prod").unwrap();
    assert_eq!(larder.remove("wine").unwrap().version.get(), 1);
}

#[test]
fn without_any_type_the_error_says_that_there_are_none() {
    let (full, store) = larder();
    full.apply("wine", &Plain { number: 1 }).unwrap();
    let error = Larder::new(Arc::new(store), Registry::new()).load_component("wine").unwrap_err();
    let Error::NotLinked { kind: ItemKind::Type, known, .. } = &error else { panic!("{error:?}") };
    assert!(known.is_empty(), "{known:?}");
}

#[test]
fn a_store_whose_scheme_is_not_linked_in_is_named() {
    let error = Registry::linked().unwrap().open("tape:shelf/models").unwrap_err();
    let Error::NotLinked { kind: ItemKind::Store, name, known, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "tape");
    assert!(known.contains(&"memory".to_owned()), "{known:?}");
}

#[derive(Serialize, Deserialize)]
struct Impostor;

const _: () = {
    use larder::__private::typetag;

    #[typetag::serde(name = "test/plain")]
    impl Component for Impostor {}
};

impl ComponentType for Impostor {
    const TAG: &'static str = "test/plain";
}

#[test]
fn two_types_with_one_tag_are_refused_with_both_names() {
    let mut registry = Registry::linked().unwrap();
    let error = registry.register(Item::component::<Impostor>()).unwrap_err();
    let Error::Duplicate { kind: ItemKind::Type, name, first, second } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "test/plain");
    assert!(first.contains("Plain") && first.contains("larder-tests 0.1.0"), "{first}");
    assert!(second.contains("Impostor") && second.contains("unlinked.rs:"), "{second}");
    message(&error);
    let kept = registry.types().find(|(entry, _)| entry.tag() == "test/plain").unwrap();
    assert!(kept.0.rust_type().ends_with("Plain"), "the first one stays");
}

struct Same;

impl Serializer<u8> for Same {
    const NAME: &'static str = "msgpack-named";
    fn encode(value: &u8, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
        Ok(out.write_all(&[*value])?)
    }
    fn decode(bytes: &Bytes) -> Result<u8, BoxError> {
        bytes.first().copied().ok_or_else(|| "it is empty".into())
    }
}

#[test]
fn two_serializers_with_one_name_are_refused_with_both() {
    let pair =
        || FnSerializer::<u8>::new("byte", |value, out| Ok(out.write_all(&[*value])?), |_| Ok(0));
    let other = FnSerializer::<u16>::new("byte", |_, _| Ok(()), |_| Ok(0));
    for item in [Item::pair(pair()), Item::pair(other), Item::serializer::<u8, Named>()] {
        let mut registry = Registry::linked().unwrap();
        registry.register(Item::pair(pair())).unwrap();
        let error = registry.register(item).unwrap_err();
        let Error::Duplicate { kind: ItemKind::Serializer, name, first, second } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(name, "byte");
        assert!(
            first.starts_with("a pair for u8 (") && second.starts_with("a pair for u"),
            "{error}"
        );
    }
    for item in [Item::format(MsgPack), Item::serializer::<u8, Same>()] {
        let error = Registry::linked().unwrap().register(item).unwrap_err();
        let Error::Duplicate { kind: ItemKind::Serializer, name, first, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(name, "msgpack-named");
        assert!(first.starts_with("a format (larder-serializers"), "{first}");
    }
}

struct Named;

impl Serializer<u8> for Named {
    const NAME: &'static str = "byte";
    fn encode(value: &u8, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
        <Same as Serializer<u8>>::encode(value, out)
    }
    fn decode(bytes: &Bytes) -> Result<u8, BoxError> {
        <Same as Serializer<u8>>::decode(bytes)
    }
}

#[test]
fn a_serializer_whose_name_cannot_be_recorded_is_refused() {
    let long = "n".repeat(65);
    for name in ["", "two words", "tab\t", "ü", "nul\0", &long] {
        let pair = FnSerializer::<u8>::new(name, |_, _| Ok(()), |_| Ok(0));
        let error = Registry::new().register(Item::pair(pair)).unwrap_err();
        assert!(matches!(error, Error::InvalidName { what: "serializer name", .. }), "{error:?}");
    }
}

#[test]
fn two_stores_with_one_scheme_are_refused() {
    let mut registry = Registry::linked().unwrap();
    let item = Item::store("memory", |_| Ok(Arc::new(MemoryStore::new())));
    let error = registry.register(item).unwrap_err();
    assert!(matches!(error, Error::Duplicate { kind: ItemKind::Store, .. }), "{error:?}");
}
