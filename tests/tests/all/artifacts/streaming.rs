//! Streaming of artifacts to a store, and the state after a panic or a failure.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::{BlobWriter, Change, Committed};
use larder::store::{Digest, MemoryStore, Store, StoreExt};
use larder::{BoxError, Error, Registry, Result, Serializer};

/// The writes that a store received.
#[derive(Debug, Default)]
struct Seen {
    /// For each writer, where in memory each piece stood that it was given, and its length.
    writers: Vec<Vec<(usize, usize)>>,
    largest_put: usize,
}

/// A store in memory that watches what arrives.
#[derive(Debug, Default)]
struct Watched {
    store: MemoryStore,
    seen: Arc<Mutex<Seen>>,
}

#[deny(clippy::missing_trait_methods)]
impl Store for Watched {
    larder_tests::delegate!(
        store: url capabilities read_blobs stat_blobs list_blobs remove_blobs remove_unfinished
        get_records list_records
    );

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        let writers = &mut self.seen.lock().unwrap().writers;
        writers.push(Vec::new());
        let (number, seen) = (writers.len() - 1, self.seen.clone());
        Ok(Box::new(WatchedWriter { writer: self.store.write_blob()?, number, seen }))
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let put = |change: &Change| match change {
            Change::PutBlob { bytes, .. } => bytes.len(),
            _ => 0,
        };
        let mut seen = self.seen.lock().unwrap();
        seen.largest_put = changes.iter().map(put).max().unwrap_or(0).max(seen.largest_put);
        self.store.commit(changes)
    }
}

struct WatchedWriter {
    writer: Box<dyn BlobWriter>,
    number: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Write for WatchedWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let piece = (buf.as_ptr() as usize, buf.len());
        self.seen.lock().unwrap().writers[self.number].push(piece);
        self.writer.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl BlobWriter for WatchedWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        let piece = (bytes.as_ptr() as usize, bytes.len());
        self.seen.lock().unwrap().writers[self.number].push(piece);
        self.writer.write_bytes(bytes)
    }
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        self.writer.finish(digest)
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/heavy")]
struct Heavy {
    weights: Artifact<Bytes, RawBytes>,
    numbers: Artifact<Vec<f32>>,
    small: Artifact<u8>,
}

#[test]
fn a_large_artifact_arrives_at_the_store_without_another_copy_of_it() {
    const SIZE: usize = 64 << 20;
    let watched = Watched::default();
    let (store, seen) = (watched.store.clone(), watched.seen.clone());
    let larder = Larder::new(Arc::new(watched), Registry::linked().unwrap());
    let heavy = Heavy {
        weights: Artifact::new(Bytes::from(vec![7; SIZE])),
        numbers: Artifact::new(vec![0.5; 1_000_000]),
        small: Artifact::new(1),
    };
    let inline = store.capabilities().inline_blob;
    larder.apply("heavy", &heavy).unwrap();
    {
        let seen = seen.lock().unwrap();
        let [bytes, numbers] = &seen.writers[..] else { panic!("{} writers", seen.writers.len()) };
        let value = heavy.weights.get().unwrap().as_ptr() as usize;
        for (start, len) in bytes {
            let within = *start >= value && start + len <= value + SIZE;
            assert!(within || *len <= inline, "a piece of {len} bytes is no part of the value");
        }
        assert!(bytes.iter().map(|(_, len)| len).sum::<usize>() >= SIZE);
        let largest = numbers.iter().map(|(_, len)| *len).max().unwrap();
        assert!(largest <= 1 << 20, "{largest} bytes were gathered before they were written");
        assert!(numbers.iter().map(|(_, len)| len).sum::<usize>() >= 4_000_000);
        assert!(seen.largest_put <= inline, "the commit held a blob of {}", seen.largest_put);
    }
    let loaded: Heavy = larder.load("heavy").unwrap();
    let kept = store.get_blob(&Digest::of(heavy.weights.get().unwrap())).unwrap().unwrap();
    let got = loaded.weights.get().unwrap();
    assert_eq!(got.as_ptr(), kept.as_ptr(), "plain bytes are handed out without a copy");
    assert_eq!(loaded.numbers.get().unwrap(), &[0.5; 1_000_000]);
}

/// A type whose own code panics when it is told to.
#[derive(Debug)]
struct Moody {
    panics: bool,
}

impl Serialize for Moody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.panics, "this test panics on purpose");
        serializer.serialize_bool(false)
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bool::deserialize(deserializer).map(|panics| Self { panics })
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/moody")]
struct Tempered {
    before: Artifact<u32>,
    nested: Artifact<Vec<Artifact<Moody>>>,
    plain: Moody,
}

fn moody(in_artifact: bool, in_field: bool) -> Tempered {
    Tempered {
        before: Artifact::new(1),
        nested: Artifact::new(vec![Artifact::new(Moody { panics: in_artifact })]),
        plain: Moody { panics: in_field },
    }
}

#[test]
fn a_panic_inside_of_a_users_serialize_leaves_the_thread_usable() {
    let larder = larder::open("memory:").unwrap();
    for bad in [moody(true, false), moody(false, true)] {
        let outcome = catch_unwind(AssertUnwindSafe(|| larder.apply("moody", &bad)));
        assert!(outcome.is_err(), "the panic is the caller's");
        assert_eq!(larder.store().records("").count(), 0, "nothing is named");
        // No scope was left open: outside of a larder an artifact embeds its bytes again.
        let json = serde_json::to_string(&Artifact::<u8>::new(7)).unwrap();
        assert!(json.contains("\"bytes\""), "{json}");
    }
    assert!(larder.apply("moody", &moody(false, false)).unwrap().is_created());
    let loaded: Tempered = larder.load("moody").unwrap();
    assert!(!loaded.nested.get().unwrap()[0].get().unwrap().panics);
    assert_eq!(loaded.before.get().unwrap(), &1);
    assert!(!loaded.plain.panics);
}

/// Writes a megabyte and then changes its mind.
struct Fickle;

impl Serializer<u8> for Fickle {
    const NAME: &'static str = "test-fickle";

    fn encode(_: &u8, out: &mut dyn Write) -> Result<(), BoxError> {
        out.write_all(&vec![0; 1 << 20])?;
        Err("the value is not worth keeping".into())
    }

    fn decode(_: &Bytes) -> Result<u8, BoxError> {
        Err("nothing was ever written".into())
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/fickle")]
struct Refuses {
    layers: Vec<Artifact<u8, Fickle>>,
}

#[test]
fn an_artifact_that_its_serializer_refuses_is_named_by_its_path_and_leaves_nothing() {
    let larder = larder::open("memory:").unwrap();
    let error = larder.apply("fickle", &Refuses { layers: vec![Artifact::new(1)] }).unwrap_err();
    let Error::Encode { what, source } = &error else { panic!("{error:?}") };
    assert_eq!(what, "the artifact `layers[0]` of fickle (a `test/fickle`)");
    assert_eq!(source.to_string(), "the value is not worth keeping");
    assert_eq!(larder.store().records("").count(), 0);
    assert_eq!(larder.store().blobs().count(), 0, "an abandoned blob leaves nothing");
}

#[test]
fn a_failure_of_the_store_is_told_as_such() {
    /// Has no room.
    #[derive(Debug, Default)]
    struct Full(MemoryStore);

    #[deny(clippy::missing_trait_methods)]
    impl Store for Full {
        fn url(&self) -> String {
            "test:full".into()
        }
        larder_tests::delegate!(
            0: capabilities read_blobs stat_blobs list_blobs remove_blobs remove_unfinished
            get_records list_records commit
        );
        fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
            Err(Error::store("create a file", io::Error::from(io::ErrorKind::StorageFull)))
        }
    }

    let larder = Larder::new(Arc::new(Full::default()), Registry::linked().unwrap());
    let heavy = Heavy {
        weights: Artifact::new(Bytes::from(vec![7; 1 << 20])),
        numbers: Artifact::new(vec![]),
        small: Artifact::new(1),
    };
    let error = larder.apply("heavy", &heavy).unwrap_err();
    assert!(
        matches!(&error, Error::Store { action, .. } if action == "create a file"),
        "{error:?}"
    );
    assert_eq!(larder.store().records("").count(), 0);
}
