//! Hand-written pairs of encoder and decoder.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::bytes::Bytes;
use larder::serializers::{ByName, FnSerializer};
use larder::{Artifact, BoxError, Component, Error, Item, Registry, Serializer};
use larder_tests::errors::message;
use serde::{Deserialize, Serialize};

use super::{Fate, fate};

/// A type without serde.
#[derive(Debug, Clone, PartialEq)]
struct Celsius(f32);

/// Decodes with the bytes in the other order.
struct Swapped;

impl Serializer<Celsius> for Swapped {
    const NAME: &'static str = "test-swapped";
    fn encode(value: &Celsius, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(&value.0.to_be_bytes())?)
    }
    fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
        Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?)))
    }
}

/// Cannot decode.
struct OneWay;

impl Serializer<Celsius> for OneWay {
    const NAME: &'static str = "test-one-way";
    fn encode(value: &Celsius, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(&value.0.to_be_bytes())?)
    }
    fn decode(_: &Bytes) -> Result<Celsius, BoxError> {
        Err("not yet written".into())
    }
}

/// Panics when it decodes.
struct Panics;

impl Serializer<Celsius> for Panics {
    const NAME: &'static str = "test-panics";
    fn encode(_: &Celsius, _: &mut dyn Write) -> Result<(), BoxError> {
        Ok(())
    }
    fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
        Ok(Celsius(bytes[7].into()))
    }
}

#[test]
fn a_pair_that_does_not_fit_is_refused() {
    let heat = Celsius(21.5);
    fate::<Swapped, _>(&heat).names(&["`test-swapped`", "another value", "other bytes"]);
    fate::<OneWay, _>(&heat).names(&["`test-one-way`", "not yet written"]);
    fate::<Panics, _>(&heat).names(&["`test-panics`", "panicked"]);
}

/// Writes a hash map in the order of its iteration.
struct Unordered;

impl Serializer<HashMap<u8, u8>> for Unordered {
    const NAME: &'static str = "test-unordered";
    fn encode(value: &HashMap<u8, u8>, out: &mut dyn Write) -> Result<(), BoxError> {
        value.iter().try_for_each(|(key, value)| Ok(out.write_all(&[*key, *value])?))
    }
    fn decode(bytes: &Bytes) -> Result<HashMap<u8, u8>, BoxError> {
        Ok(bytes.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

/// Begins with a number that differs each time.
struct Salted;

impl Serializer<Celsius> for Salted {
    const NAME: &'static str = "test-salted";
    fn encode(value: &Celsius, out: &mut dyn Write) -> Result<(), BoxError> {
        static SALT: AtomicU64 = AtomicU64::new(0);
        out.write_all(&SALT.fetch_add(1, Ordering::Relaxed).to_le_bytes())?;
        Ok(out.write_all(&value.0.to_le_bytes())?)
    }
    fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
        Ok(Celsius(f32::from_le_bytes(bytes[8..].try_into()?)))
    }
}

#[test]
fn a_pair_whose_bytes_differ_each_time_is_accepted() {
    for len in [2, 3, 100] {
        assert_eq!(fate::<Unordered, _>(&(0..len).map(|key| (key, key)).collect()), Fate::Same);
    }
    assert_eq!(fate::<Salted, _>(&Celsius(21.5)), Fate::Same);
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-named")]
struct Named {
    heats: Vec<Artifact<Celsius, ByName>>,
}

#[test]
fn a_pair_that_is_chosen_by_name_is_checked_too() {
    let mut registry = Registry::linked().unwrap();
    let pair = FnSerializer::<Celsius>::new(
        "lossy",
        |value, out| Ok(out.write_all(&(value.0 as i16).to_le_bytes())?),
        |bytes| Ok(Celsius(f32::from(i16::from_le_bytes(bytes[..].try_into()?)) + 1.0)),
    );
    registry.register(Item::pair(pair)).unwrap();
    let larder = registry.open("memory:").unwrap();
    let heats = vec![Artifact::named("lossy", Celsius(1.0))];
    let error = larder.apply("named", &Named { heats }).unwrap_err();
    let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("`heats[0]`"), "{what}");
    let said = message(&error);
    assert!(said.contains("`lossy`") && said.contains("another value"), "{said}");
    assert_eq!(larder.list().count(), 0);
}
