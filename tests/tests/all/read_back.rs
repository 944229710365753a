//! Every type in every serializer: `load` returns the value that was applied, or `apply` refuses it.

mod counts;
mod keys;
mod kinds;
mod large;
mod pairs;

use std::fmt::Debug;

use larder::prelude::*;
use larder::serializers::{Bincode, Json, LarderObjects, MsgPack, Postcard};
use larder::{Error, Serializer};
use larder_tests::errors::message;

/// The outcome for a value.
#[derive(Debug, PartialEq)]
enum Fate {
    Same,
    /// The error with its causes.
    Refused(String),
}

impl Fate {
    /// Asserts that it was refused with each of `texts`.
    #[track_caller]
    fn names(&self, texts: &[&str]) {
        let Self::Refused(said) = self else { panic!("it was applied") };
        for text in texts {
            assert!(said.contains(text), "{text} is not in: {said}");
        }
    }
}

/// Applies and loads a value with the serializer `S`. It must come back, or be refused with nothing written.
#[track_caller]
fn fate<S: Serializer<T>, T: PartialEq + Debug + 'static>(value: &T) -> Fate {
    let larder = larder::open("memory:").unwrap();
    match larder.store_object_as::<T, S>("value", "it", value) {
        Ok(applied) => {
            assert!(applied.is_created());
            let back = larder.load_object_as::<T, S>("value", "it");
            assert_eq!(&back.expect("it was applied, and is lost"), value, "by `{}`", S::NAME);
            Fate::Same
        }
        Err(error) => {
            let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
            assert!(what.contains("`value`"), "{what}");
            assert_eq!(larder.list().count(), 0, "nothing is named");
            Fate::Refused(message(&error))
        }
    }
}

/// The fates of a value by MessagePack, JSON, bincode and postcard.
#[track_caller]
fn fates<T>(value: &T) -> [Fate; 4]
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug + 'static,
{
    [
        fate::<MsgPack, _>(value),
        fate::<Json, _>(value),
        fate::<Bincode, _>(value),
        fate::<Postcard, _>(value),
    ]
}

/// Asserts that every serializer keeps a value.
#[track_caller]
fn kept_by_all<T>(value: &T)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug + 'static,
{
    assert_eq!(fates(value), [Fate::Same, Fate::Same, Fate::Same, Fate::Same]);
}

/// Asserts that the self-describing serializers keep a value, and that the others refuse it with `texts`.
#[track_caller]
fn kept_by_names<T>(value: &T, texts: &[&str])
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug + 'static,
{
    let [msgpack, json, bincode, postcard] = fates(value);
    assert_eq!([msgpack, json], [Fate::Same, Fate::Same]);
    bincode.names(texts);
    postcard.names(texts);
}
