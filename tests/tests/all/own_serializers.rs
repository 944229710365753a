//! Serializers of one's own: kept as components, missing, changed, panicking.

use larder::Selection;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::{ByName, FnSerializer};
use larder::store::{ItemKind, MemoryStore, StoreExt};
use larder::{BoxError, Error, Item, Registry, Serializer};
use larder_tests::errors::{message, refused};

/// A type without serde.
#[derive(Debug, Clone, PartialEq)]
struct Celsius(f32);

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/own-oven")]
struct Oven {
    heat: Artifact<Celsius, ByName>,
}

fn oven(degrees: f32) -> Oven {
    Oven { heat: Artifact::named("celsius", Celsius(degrees)) }
}

/// Behaviours of a serializer named `celsius`, which writes and reads four bytes.
type Bits = (fn(f32) -> [u8; 4], fn([u8; 4]) -> f32);

const LITTLE: Bits = (f32::to_le_bytes, f32::from_le_bytes);
const BIG: Bits = (f32::to_be_bytes, f32::from_be_bytes);
/// Writes Fahrenheit. Nothing keeps it from reading what was Celsius.
const FAHRENHEIT: Bits =
    (|c| (c * 1.8 + 32.0).to_le_bytes(), |bytes| (f32::from_le_bytes(bytes) - 32.0) / 1.8);

fn celsius((write, read): Bits) -> FnSerializer<Celsius> {
    FnSerializer::new(
        "celsius",
        move |value: &Celsius, out| Ok(out.write_all(&write(value.0))?),
        move |bytes| Ok(Celsius(read(bytes[..].try_into()?))),
    )
}

fn sampled(bits: Bits) -> FnSerializer<Celsius> {
    celsius(bits).with_sample(|| Celsius(21.5)).with_note("the crate `acme-oven`")
}

fn larder(store: &MemoryStore, pairs: impl IntoIterator<Item = FnSerializer<Celsius>>) -> Larder {
    let mut registry = Registry::linked().unwrap();
    for pair in pairs {
        registry.register(Item::pair(pair)).unwrap();
    }
    Larder::new(Arc::new(store.clone()), registry)
}

fn heat(larder: &Larder, reference: &str) -> larder::Result<Celsius> {
    larder.load::<Oven>(reference)?.heat.into_inner()
}

/// Asserts that an error names the serializer that panicked, and repeats the message of the panic.
#[track_caller]
fn assert_panicked(said: &str, serializer: &str, panic: &str) {
    let is_named = said.contains(&format!("`{serializer}` panicked"));
    assert!(is_named && said.contains(panic), "{said}");
}

#[test]
fn a_serializer_that_is_applied_is_a_component_like_any_other() {
    let store = MemoryStore::new();
    let larder = larder(&store, [sampled(LITTLE)]);
    assert!(larder.serializers().record("celsius").unwrap().is_none());
    assert!(larder.serializers().apply("celsius").unwrap().is_created());
    assert!(!larder.serializers().apply("celsius").unwrap().is_created(), "the same is unchanged");

    let record = larder.serializers().record("celsius").unwrap().unwrap();
    assert_eq!(record.serializer, "celsius");
    assert_eq!(record.origin, None, "it came at run time");
    assert_eq!(record.note.as_deref(), Some("the crate `acme-oven`"));
    assert!(record.types[0].rust_type.ends_with("Celsius"));
    let sample = larder::store::Digest::of(&21.5_f32.to_le_bytes());
    assert_eq!(record.types[0].fingerprint(), Some(sample));

    let shown = larder.show("serializers/celsius").unwrap();
    assert_eq!(shown.manifest.type_tag().as_str(), "larder/serializer");
    assert_eq!(
        shown.manifest.fields().replace(&sample.to_string(), "SAMPLE"),
        r#"{"serializer":"celsius","crate":null,"note":"the crate `acme-oven`","types":[{"rust_type":"all::own_serializers::Celsius","sample":{"$artifact":"SAMPLE","serializer":"bytes"}}]}"#
    );
    assert!(larder.load_component("serializers/celsius").is_ok());
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn what_a_linked_crate_brings_is_recorded_with_the_crate() {
    let larder = larder::open("memory:").unwrap();
    for (name, types) in [("test/static", 1), ("bytes", 2), ("msgpack-named", 0)] {
        larder.serializers().apply(name).unwrap();
        let record = larder.serializers().record(name).unwrap().unwrap();
        let krate = if name == "test/static" { "larder-tests" } else { "larder-serializers" };
        assert_eq!(record.origin, Some(format!("{krate} {}", env!("CARGO_PKG_VERSION"))));
        assert_eq!(record.types.len(), types, "{name}");
    }
}

#[test]
fn whoever_lacks_a_serializer_is_told_where_to_get_it() {
    let store = MemoryStore::new();
    let full = larder(&store, [sampled(LITTLE)]);
    full.serializers().apply("celsius").unwrap();
    full.apply("oven", &oven(180.0)).unwrap();

    let without = larder(&store, []);
    let error = heat(&without, "oven").unwrap_err();
    let Error::NotLinked { kind: ItemKind::Serializer, name, needed_by, hint, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "celsius");
    assert!(needed_by.ends_with("of oven@1"), "{needed_by}");
    assert!(hint.contains("`acme-oven`"), "{hint}");
    let error = without.apply("new", &oven(1.0)).unwrap_err();
    let Error::NotLinked { name, hint, .. } = &error else { panic!("{error:?}") };
    assert!(name == "celsius" && hint.contains("`acme-oven`"), "{error}");

    // Everything else goes without it, a copy to another larder too.
    assert_eq!(without.list().count(), 2);
    assert_eq!(without.show("oven").unwrap().manifest.artifacts()[0].serializer, "celsius");
    assert!(without.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    let other = MemoryStore::new();
    larder(&other, []).apply("oven", &without.load::<Oven>("oven").unwrap()).unwrap();
    assert_eq!(heat(&larder(&other, [celsius(LITTLE)]), "oven").unwrap(), Celsius(180.0));
}

#[test]
fn another_serializer_of_the_same_name_is_refused_before_it_reads_or_writes() {
    for other in [BIG, FAHRENHEIT] {
        let store = MemoryStore::new();
        let first = larder(&store, [sampled(LITTLE)]);
        first.apply("oven", &oven(180.0)).unwrap();
        first.serializers().apply("celsius").unwrap();

        // With a sample it is compared with it.
        let changed = larder(&store, [sampled(other)]);
        for error in [
            heat(&changed, "oven").unwrap_err(),
            changed.apply("oven", &oven(20.0)).unwrap_err(),
            changed.serializers().apply("celsius").unwrap_err(),
        ] {
            assert!(refused(&error).1.contains("another value"), "{error}");
        }
        let error = heat(&changed, "oven").unwrap_err();
        let (action, reason) = refused(&error);
        assert!(action.ends_with("of oven@1"), "{action}");
        assert!(reason.contains("`celsius`") && reason.contains("`acme-oven`"), "{reason}");
        assert_eq!(changed.versions("oven").unwrap().len(), 1);
        assert_eq!(heat(&first, "oven").unwrap(), Celsius(180.0));
    }
}

#[test]
fn a_serializer_that_cannot_read_the_recorded_sample_is_refused_even_without_one_of_its_own() {
    let store = MemoryStore::new();
    let first = larder(&store, [sampled(LITTLE)]);
    first.apply("oven", &oven(180.0)).unwrap();
    first.serializers().apply("celsius").unwrap();
    let picky = FnSerializer::<Celsius>::new("celsius", |_, _| Ok(()), |_| Err("no header".into()));
    let error = heat(&larder(&store, [picky]), "oven").unwrap_err();
    assert!(refused(&error).1.contains("(no header)"), "{error}");
}

#[test]
fn another_serializer_without_a_sample_is_refused_where_the_record_has_one() {
    for other in [LITTLE, BIG, FAHRENHEIT] {
        let store = MemoryStore::new();
        let first = larder(&store, [sampled(LITTLE)]);
        first.apply("oven", &oven(180.0)).unwrap();
        first.serializers().apply("celsius").unwrap();

        let impostor = larder(&store, [celsius(other)]);
        for error in [
            heat(&impostor, "oven").unwrap_err(),
            impostor.apply("oven", &oven(20.0)).unwrap_err(),
            impostor.serializers().apply("celsius").unwrap_err(),
        ] {
            assert!(refused(&error).1.contains("no sample"), "{error}");
        }
        assert_eq!(impostor.versions("oven").unwrap().len(), 1);
        assert_eq!(heat(&first, "oven").unwrap(), Celsius(180.0));
    }
    // A record without a sample has nothing to compare.
    let store = MemoryStore::new();
    let first = larder(&store, [celsius(LITTLE)]);
    first.apply("oven", &oven(180.0)).unwrap();
    first.serializers().apply("celsius").unwrap();
    assert_eq!(heat(&larder(&store, [sampled(LITTLE)]), "oven").unwrap(), Celsius(180.0));
}

#[test]
fn a_newer_serializer_that_reads_what_older_ones_wrote_is_welcome() {
    let store = MemoryStore::new();
    let first = larder(&store, [sampled(LITTLE)]);
    first.serializers().apply("celsius").unwrap();
    first.apply("oven", &oven(180.0)).unwrap();
    // Writes a mark before the number, and reads numbers with and without it.
    let newer = FnSerializer::<Celsius>::new(
        "celsius",
        |value: &Celsius, out| {
            out.write_all(b"C")?;
            Ok(out.write_all(&value.0.to_le_bytes())?)
        },
        |bytes| {
            let number = bytes.strip_prefix(b"C").unwrap_or(bytes);
            Ok(Celsius(f32::from_le_bytes(number.try_into()?)))
        },
    );
    let newer = larder(&store, [newer.with_sample(|| Celsius(21.5))]);
    assert_eq!(heat(&newer, "oven").unwrap(), Celsius(180.0));
    assert!(newer.serializers().apply("celsius").unwrap().is_created());
    newer.apply("oven", &oven(20.0)).unwrap();

    // From then on the older one, which cannot read the mark, is refused by name.
    let error = heat(&larder(&store, [sampled(LITTLE)]), "oven").unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(heat(&newer, "oven@1").unwrap(), Celsius(180.0));
    assert_eq!(heat(&newer, "oven@2").unwrap(), Celsius(20.0));
}

#[test]
fn a_damaged_record_is_named_and_may_be_removed() {
    let store = MemoryStore::new();
    let first = larder(&store, [sampled(LITTLE)]);
    first.apply("oven", &oven(180.0)).unwrap();
    first.serializers().apply("celsius").unwrap();
    let sample = larder::store::Digest::of(&21.5_f32.to_le_bytes());
    first.store().remove_blobs(&[sample]).unwrap();

    let later = larder(&store, [sampled(LITTLE)]);
    let error = heat(&later, "oven").unwrap_err();
    let Error::Corrupt { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("serializers/celsius@1"), "{what}");
    // Who lacks the serializer learns that, whatever befell the record.
    let error = heat(&larder(&store, []), "oven").unwrap_err();
    assert!(matches!(error, Error::NotLinked { .. }), "{error:?}");

    later.remove("serializers/celsius").unwrap();
    assert_eq!(heat(&later, "oven").unwrap(), Celsius(180.0));
}

#[test]
fn a_sample_that_is_of_no_use_is_refused() {
    static ROUND: AtomicU32 = AtomicU32::new(0);
    let restless = FnSerializer::<Celsius>::new(
        "celsius",
        |_, out| Ok(out.write_all(&ROUND.fetch_add(1, Ordering::SeqCst).to_le_bytes())?),
        |_| Ok(Celsius(0.0)),
    );
    let forgetful = FnSerializer::<Celsius>::new(
        "celsius",
        |value: &Celsius, out| Ok(out.write_all(&value.0.to_le_bytes())?),
        |_| Ok(Celsius(0.0)),
    );
    let cases = [(restless, "each time"), (forgetful, "not come back")];
    for (pair, reason) in cases {
        let larder = larder(&MemoryStore::new(), [pair.with_sample(|| Celsius(21.5))]);
        let error = larder.serializers().apply("celsius").unwrap_err();
        let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
        assert!(what.contains("`celsius`"), "{what}");
        assert!(message(&error).contains(reason), "{error:?}");
        assert_eq!(larder.list().count(), 0);
    }
}

#[test]
fn a_serializer_that_is_unknown_or_whose_name_is_no_identifier_cannot_be_applied() {
    let mut registry = Registry::linked().unwrap();
    let pair = FnSerializer::<Celsius>::new("Celsius+1", |_, _| Ok(()), |_| Ok(Celsius(0.0)));
    registry.register(Item::pair(pair)).unwrap();
    let larder = registry.open("memory:").unwrap();
    let error = larder.serializers().apply("Celsius+1").unwrap_err();
    assert!(matches!(error, Error::InvalidName { what: "identifier", .. }), "{error:?}");
    assert!(larder.serializers().record("Celsius+1").unwrap().is_none());
    let error = larder.serializers().apply("kelvin").unwrap_err();
    assert!(matches!(error, Error::NotLinked { kind: ItemKind::Serializer, .. }), "{error:?}");
    // Artifacts go by it all the same.
    let value = Artifact::named("Celsius+1", Celsius(1.0));
    larder.apply("oven", &Oven { heat: value }).unwrap();
    assert_eq!(heat(&larder, "oven").unwrap(), Celsius(0.0));
}

/// True while the encoder and the decoder of [`Moody`] panic.
static MOODY: AtomicBool = AtomicBool::new(false);

struct Moody;

impl Serializer<Celsius> for Moody {
    const NAME: &'static str = "test/static";
    fn encode(value: &Celsius, out: &mut dyn Write) -> Result<(), BoxError> {
        out.write_all(&value.0.to_le_bytes())?;
        assert!(!MOODY.load(Ordering::SeqCst), "no more {value:?}");
        Ok(())
    }
    fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
        assert!(!MOODY.load(Ordering::SeqCst), "not today");
        Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?)))
    }
}

larder::link!(Item::serializer::<Celsius, Moody>());

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/own-moody")]
struct MoodyOven {
    heat: Artifact<Celsius, Moody>,
}

#[test]
fn a_panic_of_a_static_serializer_is_an_error_with_its_name_and_harms_nothing() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("oven", &MoodyOven { heat: Celsius(180.0).into() }).unwrap();
    let loaded: MoodyOven = larder.load("oven").unwrap();
    let fresh = MoodyOven { heat: Celsius(20.0).into() };
    let blobs = larder.store().blobs().count();

    MOODY.store(true, Ordering::SeqCst);
    let decoding = loaded.heat.get().unwrap_err();
    let encoding = larder.apply("oven", &fresh).unwrap_err();
    let embedding = serde_json::to_string(&fresh).unwrap_err();
    let nested = larder.apply("nested", &Nested { inner: Artifact::new(vec![fresh]) }).unwrap_err();
    MOODY.store(false, Ordering::SeqCst);

    let Error::Decode { what, type_name, .. } = &decoding else { panic!("{decoding:?}") };
    assert!(what.ends_with("of oven@1") && type_name.ends_with("Celsius"), "{decoding}");
    assert_panicked(&message(&decoding), "test/static", "not today");
    let Error::Encode { what, .. } = &encoding else { panic!("{encoding:?}") };
    assert!(what.contains("`heat`") && what.contains("oven"), "{what}");
    assert_panicked(&message(&encoding), "test/static", "no more Celsius(20.0)");
    assert_panicked(&embedding.to_string(), "test/static", "");
    assert_panicked(&message(&nested), "test/static", "");

    assert_eq!(larder.store().blobs().count(), blobs, "nothing was written");
    assert_eq!(loaded.heat.get().unwrap(), &Celsius(180.0), "it is tried again");
    larder.apply("oven", &MoodyOven { heat: Celsius(20.0).into() }).unwrap();
    assert_eq!(larder.load::<MoodyOven>("oven").unwrap().heat.get().unwrap(), &Celsius(20.0));
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/own-nested")]
struct Nested {
    inner: Artifact<Vec<MoodyOven>>,
}

#[test]
fn a_panic_of_a_pair_is_an_error_with_its_name_and_harms_nothing() {
    let store = MemoryStore::new();
    larder(&store, [celsius(LITTLE)]).apply("oven", &oven(180.0)).unwrap();
    let panicking = || {
        FnSerializer::<Celsius>::new(
            "celsius",
            |value: &Celsius, _| std::panic::panic_any(value.0),
            |bytes| panic!("{} bytes are too many", bytes.len()),
        )
    };
    let bad = larder(&store, [panicking()]);
    let loaded: Oven = bad.load("oven").unwrap();
    for _ in 0..2 {
        let error = loaded.heat.get().unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        assert_panicked(&message(&error), "celsius", "4 bytes are too many");
    }
    let error = bad.apply("oven", &oven(20.0)).unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error:?}");
    assert_panicked(&message(&error), "celsius", "no message");
    assert_eq!(bad.versions("oven").unwrap().len(), 1);

    // A sample's panic is caught as well.
    let error = larder(&store, [panicking().with_sample(|| Celsius(0.0))])
        .serializers()
        .apply("celsius")
        .unwrap_err();
    assert_panicked(&message(&error), "celsius", "");
    assert_eq!(heat(&larder(&store, [celsius(LITTLE)]), "oven").unwrap(), Celsius(180.0));
}
