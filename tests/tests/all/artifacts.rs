//! Artifacts: values whose bytes live outside the manifest.

mod chosen;
mod inherited;
mod streaming;

use larder::Selection;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::{Json, MsgPack, Postcard, RawBytes};
use larder::store::{Digest, StoreExt};
use larder::{ApplyOptions, BoxError, Serializer};
use larder_tests::errors::message;

/// Defines a serializer under a name of its own that counts its calls.
macro_rules! counting {
    ($name:ident, $text:literal) => {
        struct $name;

        impl $name {
            fn encoded() -> &'static AtomicUsize {
                static CALLS: AtomicUsize = AtomicUsize::new(0);
                &CALLS
            }
            fn decoded() -> &'static AtomicUsize {
                static CALLS: AtomicUsize = AtomicUsize::new(0);
                &CALLS
            }
            fn calls() -> (usize, usize) {
                (Self::encoded().load(Ordering::SeqCst), Self::decoded().load(Ordering::SeqCst))
            }
        }

        impl<T: Serialize + for<'de> Deserialize<'de>> Serializer<T> for $name {
            const NAME: &'static str = $text;
            fn encode(value: &T, out: &mut dyn Write) -> Result<(), BoxError> {
                Self::encoded().fetch_add(1, Ordering::SeqCst);
                <MsgPack as Serializer<T>>::encode(value, out)
            }
            fn decode(bytes: &Bytes) -> Result<T, BoxError> {
                Self::decoded().fetch_add(1, Ordering::SeqCst);
                <MsgPack as Serializer<T>>::decode(bytes)
            }
        }
    };
}

/// The digests of all blobs.
fn blobs(larder: &Larder) -> Vec<Digest> {
    larder.store().blobs().map(|blob| blob.unwrap().0).collect()
}

#[derive(Debug, Serialize, Deserialize)]
enum Place {
    Tuple(Artifact<String>, u8),
    Named { inner: Artifact<Vec<u32>> },
    Newtype(Box<Artifact<u64, Postcard>>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Inner {
    weights: Artifact<Vec<f32>, Json>,
}

/// An artifact that holds artifacts.
#[derive(Debug, Serialize, Deserialize)]
struct Nested {
    label: String,
    first: Artifact<String>,
    more: Vec<Artifact<Vec<Artifact<String>>>>,
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/anywhere")]
struct AnyReference {
    plain: Artifact<String>,
    list: Vec<Artifact<u32>>,
    some: Option<Artifact<f64>>,
    none: Option<Artifact<f64>>,
    places: Vec<Place>,
    map: HashMap<String, Artifact<String>>,
    tuple: (Artifact<i8>, (u8, Artifact<i16>)),
    inner: Inner,
    nested: Artifact<Nested>,
    #[serde(default)]
    bytes: Option<Artifact<Bytes, RawBytes>>,
}

fn anywhere() -> AnyReference {
    AnyReference {
        plain: Artifact::new("plain".into()),
        list: (0..3).map(Artifact::new).collect(),
        some: Some(Artifact::new(f64::NAN)),
        none: None,
        places: vec![
            Place::Tuple(Artifact::new("in a tuple".into()), 1),
            Place::Named { inner: Artifact::new(vec![1, 2, 3]) },
            Place::Newtype(Box::new(Artifact::new(u64::MAX))),
        ],
        map: [("a".into(), Artifact::new("in a map".into()))].into(),
        tuple: (Artifact::new(-1), (2, Artifact::new(-3))),
        inner: Inner { weights: Artifact::new(vec![0.1, 0.2]) },
        nested: Artifact::new(Nested {
            label: "outer".into(),
            first: Artifact::new("level 2".into()),
            more: vec![Artifact::new(vec![Artifact::new("level 3".into())])],
        }),
        bytes: Some(Artifact::new(Bytes::from_static(b"raw"))),
    }
}

/// Reads every artifact of [`anywhere`].
fn assert_whole(loaded: &AnyReference) {
    assert_eq!(loaded.plain.get().unwrap(), "plain");
    let list: Vec<_> = loaded.list.iter().map(|item| *item.get().unwrap()).collect();
    assert_eq!(list, [0, 1, 2]);
    assert!(loaded.some.as_ref().unwrap().get().unwrap().is_nan());
    assert!(loaded.none.is_none());
    let [Place::Tuple(text, 1), Place::Named { inner }, Place::Newtype(number)] =
        &loaded.places[..]
    else {
        panic!("the places are others: {:?}", loaded.places);
    };
    assert_eq!(text.get().unwrap(), "in a tuple");
    assert_eq!(inner.get().unwrap(), &[1, 2, 3]);
    assert_eq!(number.get().unwrap(), &u64::MAX);
    assert_eq!(loaded.map["a"].get().unwrap(), "in a map");
    assert_eq!(loaded.tuple.0.get().unwrap(), &-1);
    assert_eq!(loaded.tuple.1.1.get().unwrap(), &-3);
    assert_eq!(loaded.inner.weights.get().unwrap(), &[0.1, 0.2]);
    let nested = loaded.nested.get().unwrap();
    assert_eq!(nested.label, "outer");
    assert_eq!(nested.first.get().unwrap(), "level 2");
    assert_eq!(nested.more[0].get().unwrap()[0].get().unwrap(), "level 3");
    assert_eq!(&loaded.bytes.as_ref().unwrap().get().unwrap()[..], b"raw");
}

#[test]
fn an_artifact_is_a_field_at_any_depth() {
    let larder = larder::open("memory:").unwrap();
    assert!(larder.apply("any/where", &anywhere()).unwrap().is_created());
    let loaded: AnyReference = larder.load("any/where").unwrap();
    assert!(!loaded.plain.is_decoded() && !loaded.nested.is_decoded(), "nothing is read yet");
    assert_whole(&loaded);
    let shown = larder.show("any/where").unwrap();
    let entries = shown.manifest.artifacts();
    assert_eq!(entries.len(), 17, "every artifact is listed");
    // The artifact in an artifact stands before the one that holds it.
    let held: Vec<_> = entries.iter().map(|entry| entry.holds.len()).filter(|n| *n > 0).collect();
    assert_eq!(held, [1, 2], "the list of level 2 holds one, the outer one two");
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    assert!(!larder.apply("any/where", &loaded).unwrap().is_created(), "nothing was changed");
}

counting!(LazyCounts, "test-lazy");

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/lazy")]
struct Lazy {
    value: Artifact<Vec<u32>, LazyCounts>,
    others: Vec<Artifact<Vec<u32>, LazyCounts>>,
}

#[test]
fn an_artifact_is_decoded_on_first_use_once_and_not_encoded_again_unchanged() {
    let larder = larder::open("memory:").unwrap();
    // Reading back would encode and decode too.
    let counted = ApplyOptions::new().read_back(false);
    let apply = |name: &str, lazy: &Lazy| larder.apply_with(name, lazy, &counted);
    let artifact = |n: u32| Artifact::new(vec![n; 100]);
    let made = Lazy { value: artifact(1), others: vec![artifact(2), artifact(3)] };
    assert_eq!(made.value.digest(), None, "it is not stored yet");
    apply("lazy", &made).unwrap();
    assert_eq!(LazyCounts::calls(), (3, 0));
    assert!(!apply("lazy", &made).unwrap().is_created());
    assert_eq!(LazyCounts::calls(), (3, 0), "what was applied is not encoded again");
    assert!(made.value.digest().is_some(), "it is stored");

    let loaded: Lazy = larder.load("lazy").unwrap();
    assert_eq!(LazyCounts::calls(), (3, 0), "loading decodes nothing");
    assert!(!apply("lazy", &loaded).unwrap().is_created());
    apply("other-name", &loaded).unwrap();
    assert_eq!(LazyCounts::calls(), (3, 0), "applying what was not read reads nothing");

    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(loaded.value.get().unwrap(), &[1; 100]);
            });
        }
    });
    assert_eq!(LazyCounts::calls(), (3, 1), "eight threads read it once");
    assert!(loaded.value.is_decoded() && !loaded.others[0].is_decoded());

    let mut changed = loaded;
    changed.value.get_mut().unwrap().push(7);
    assert_eq!(changed.value.digest(), None, "what was changed is not what is stored");
    let applied = apply("lazy", &changed).unwrap();
    assert_eq!(LazyCounts::calls(), (4, 1), "only what was changed is encoded again");
    assert!(applied.is_created());
    assert_eq!(applied.version().version.get(), 2);
    let again: Lazy = larder.load("lazy").unwrap();
    assert_eq!(again.value.get().unwrap()[99..], [1, 7]);
    assert_eq!(again.value.into_inner().unwrap().len(), 101);
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/hashes")]
struct Hashes {
    table: Artifact<HashMap<u32, u32>>,
}

#[test]
fn a_hash_map_that_was_loaded_and_read_is_unchanged() {
    let larder = larder::open("memory:").unwrap();
    let table: HashMap<u32, u32> = (0..1_000).map(|n| (n, n * n)).collect();
    larder.apply("hashes", &Hashes { table: Artifact::new(table.clone()) }).unwrap();
    for _ in 0..3 {
        let loaded: Hashes = larder.load("hashes").unwrap();
        assert_eq!(loaded.table.get().unwrap(), &table);
        assert!(!larder.apply("hashes", &loaded).unwrap().is_created());
        let clone = Hashes { table: loaded.table.clone() };
        assert!(!larder.apply("hashes", &clone).unwrap().is_created());
    }
    assert_eq!(larder.versions("hashes").unwrap().len(), 1);
}

counting!(CopyCounts, "test-copy");

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/copied")]
struct Copied {
    outer: Artifact<Vec<Artifact<String, CopyCounts>>, CopyCounts>,
}

#[test]
fn artifacts_are_copied_from_larder_to_larder_without_decoding() {
    let (from, to) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    let inner = ["one", "two"].map(|text| Artifact::new(text.repeat(50_000))).into();
    let applied = from.apply("copied", &Copied { outer: Artifact::new(inner) }).unwrap();
    let before = CopyCounts::calls();
    let loaded: Copied = from.load("copied").unwrap();
    let copied = to.apply("copied", &loaded).unwrap();
    assert_eq!(CopyCounts::calls(), before, "neither encoded nor decoded");
    assert_eq!(copied.version().digest, applied.version().digest, "the same to the last byte");
    assert_eq!(blobs(&from), blobs(&to), "what lies inside came along");
    drop((from, loaded));
    let there: Copied = to.load("copied").unwrap();
    assert_eq!(there.outer.get().unwrap()[1].get().unwrap().len(), 150_000);
    assert!(to.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn outside_of_a_larder_an_artifact_embeds_its_bytes() {
    let json = serde_json::to_string(&anywhere()).unwrap();
    assert_whole(&serde_json::from_str(&json).unwrap());
    let bytes = rmp_serde::to_vec_named(&anywhere()).unwrap();
    assert_whole(&rmp_serde::from_slice(&bytes).unwrap());

    let json = serde_json::to_value(Artifact::<u8>::new(7)).unwrap();
    assert_eq!(json, serde_json::json!({ "serializer": "msgpack-named", "bytes": "Bw==" }));
    let other = serde_json::json!({ "serializer": "json", "bytes": "Nw==" });
    let error = serde_json::from_value::<Artifact<u8>>(other).unwrap_err();
    assert!(error.to_string().contains("`json`"), "{error}");
}

#[test]
fn a_loaded_artifact_embeds_its_bytes_too() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("any/where", &anywhere()).unwrap();
    let loaded: AnyReference = larder.load("any/where").unwrap();
    let json = serde_json::to_string(&loaded).unwrap();
    drop((larder, loaded));
    assert_whole(&serde_json::from_str(&json).unwrap());
}

/// Levels that are no artifacts.
type Shell<T> = (((T,),),);

/// As many levels as fit before a guard looks at the stack, around an artifact of the same.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/matryoshka")]
enum Doll {
    Solid,
    Hollow(Shell<Box<Option<Artifact<Doll>>>>),
}

#[test]
fn artifacts_lie_in_artifacts_up_to_32_levels_on_a_small_thread() {
    let dolls = |levels: usize| {
        (0..levels).fold(Doll::Solid, |inner, _| {
            Doll::Hollow((((Box::new(Some(Artifact::new(inner))),),),))
        })
    };
    larder_testkit::within_limits(std::time::Duration::from_secs(60), move || {
        let larder = larder::open("memory:").unwrap();
        larder.apply("doll", &dolls(32)).unwrap();
        let mut depth = 0;
        let loaded: Doll = larder.load("doll").unwrap();
        let mut doll = &loaded;
        while let Doll::Hollow((((inner,),),)) = doll {
            doll = inner.as_ref().as_ref().unwrap().get().unwrap();
            depth += 1;
        }
        assert_eq!(depth, 32);
        let error = larder.apply("doll", &dolls(33)).unwrap_err();
        assert!(message(&error).contains("32 levels"), "{error:?}");
    });
}
