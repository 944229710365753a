//! A loaded value that is applied again is unchanged, with maps of any kind: maps are written in the order of their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use larder::maintenance::diff::FieldState;
use larder::prelude::*;
use larder::serializers::{Bincode, Postcard};
use larder::{Selection, Serializer};
use serde::de::DeserializeOwned;

/// Applies what was loaded several times, each time with maps of another order.
#[track_caller]
fn stays<T: ComponentType>(value: &T, touch: impl Fn(&mut T)) -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("it", value).unwrap();
    for _ in 0..5 {
        let mut loaded: T = larder.load("it").unwrap();
        touch(&mut loaded);
        let plan = larder.plan("it", &loaded).unwrap();
        assert!(!plan.created && plan.stored == 0 && plan.notes.is_empty(), "{plan:?}");
        assert!(plan.diff.is_same() && plan.diff.counts.differing() == 0, "{plan:?}");
        assert!(!larder.apply("it", &loaded).unwrap().is_created());
    }
    assert_eq!(larder.versions("it").unwrap().len(), 1);
    let report = larder.maintenance().verify(Selection::All).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    larder
}

fn words(count: u32) -> HashMap<String, u32> {
    (0..count).map(|number| (format!("w{number}"), number)).collect()
}

#[derive(Serialize, Deserialize)]
struct Open {
    zero: u8,
    #[serde(flatten)]
    rest: HashMap<String, serde_json::Value>,
    after: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Words(HashMap<String, u32>),
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-fields")]
struct Fields {
    ids: HashMap<String, u32>,
    nested: Vec<HashMap<String, HashMap<String, Option<f64>>>>,
    open: Open,
    tagged: Tagged,
    by_letter: HashMap<char, (u8, HashMap<String, ()>)>,
    empty: HashMap<String, u8>,
}

#[test]
fn hash_maps_in_fields() {
    let nested = |count| {
        let inner =
            |number: u32| (0..number).map(|n| (format!("{n}"), Some(f64::from(n)))).collect();
        (0..count).map(|number| (format!("n{number}"), inner(number))).collect()
    };
    let fields = Fields {
        ids: words(50),
        nested: vec![nested(9), nested(0), nested(1)],
        open: Open {
            zero: 0,
            rest: words(20).into_iter().map(|(key, value)| (key, value.into())).collect(),
            after: 1,
        },
        tagged: Tagged::Words(words(20)),
        by_letter: ('a'..'k')
            .map(|letter| (letter, (1, [(letter.to_string(), ())].into())))
            .collect(),
        empty: HashMap::new(),
    };
    let larder = stays(&fields, |_| {});
    let loaded: Fields = larder.load("it").unwrap();
    assert_eq!((loaded.ids, loaded.open.after), (words(50), 1));
    assert_eq!(loaded.nested, fields.nested);
    assert_eq!(loaded.open.rest, fields.open.rest);
    let Tagged::Words(tagged) = loaded.tagged;
    assert_eq!(tagged, words(20));
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Deep {
    ids: HashMap<u64, String>,
    nested: HashMap<(i8, bool), HashMap<String, Vec<u8>>>,
    list: Vec<HashMap<String, i64>>,
}

fn deep() -> Deep {
    Deep {
        ids: (0..400).map(|number| (number * 7, number.to_string())).collect(),
        nested: (-5..5)
            .flat_map(|n| {
                [
                    ((n, true), [("a".into(), vec![1]), ("b".into(), vec![])].into()),
                    ((n, false), HashMap::new()),
                ]
            })
            .collect(),
        list: vec![[("x".into(), -1), ("y".into(), 1)].into(), HashMap::new()],
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(instances(
    InBlob<MsgPack> = "test/unchanged-msgpack",
    InBlob<Bincode> = "test/unchanged-bincode",
    InBlob<Postcard> = "test/unchanged-postcard",
))]
#[serde(bound = "")]
struct InBlob<S: Serializer<Deep>> {
    deep: Artifact<Deep, S>,
}

use larder::serializers::MsgPack;

#[test]
fn hash_maps_in_artifacts_of_every_format() {
    fn check<S: Serializer<Deep>>()
    where
        InBlob<S>: ComponentType,
    {
        let larder =
            stays(&InBlob::<S> { deep: Artifact::new(deep()) }, |loaded: &mut InBlob<S>| {
                loaded.deep.get_mut().unwrap(); // encoded again
            });
        assert_eq!(larder.load::<InBlob<S>>("it").unwrap().deep.get().unwrap(), &deep());
    }
    check::<MsgPack>();
    check::<Bincode>();
    check::<Postcard>();
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-json")]
struct InJson {
    words: Artifact<HashMap<String, HashMap<String, u32>>, Json>,
    open: Artifact<Vec<Open>>,
}

#[test]
fn hash_maps_in_json_and_in_flattened_structs() {
    let open = || Open {
        zero: 0,
        rest: words(30).into_iter().map(|(key, value)| (key, value.into())).collect(),
        after: 1,
    };
    let all: HashMap<String, _> =
        (0..9).map(|number| (format!("{number}"), words(number))).collect();
    let value = InJson { words: Artifact::new(all.clone()), open: vec![open(), open()].into() };
    let larder = stays(&value, |loaded| {
        loaded.words.get_mut().unwrap();
        loaded.open.get_mut().unwrap();
    });
    let loaded: InJson = larder.load("it").unwrap();
    assert_eq!(loaded.words.get().unwrap(), &all);
    assert_eq!(loaded.open.get().unwrap()[1].rest, open().rest);
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-leaf")]
struct Leaf(u32);

type Numbers = HashMap<String, Artifact<u32>>;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-parts")]
struct Parts {
    parts: HashMap<String, Artifact<Vec<u32>>>,
    inner: Artifact<HashMap<String, Artifact<Numbers>>>,
    again: HashMap<String, Artifact<Vec<u32>>>,
    leaves: HashMap<String, Ref<Leaf>>,
}

#[test]
fn artifacts_and_children_in_hash_maps() {
    let parts =
        |from| (from..from + 12_u32).map(|n| (format!("p{n}"), vec![n % 16; 3].into())).collect();
    let inner =
        |n: u32| (0..n).map(|n| (n.to_string(), Artifact::new(n))).collect::<HashMap<_, _>>();
    let value = Parts {
        parts: parts(0),
        inner: Artifact::new((0..8).map(|n| (n.to_string(), Artifact::new(inner(n)))).collect()),
        again: parts(8),
        leaves: (0..9)
            .map(|n| (n.to_string(), Ref::new(format!("leaf-{n}"), Leaf(n)).unwrap()))
            .collect(),
    };
    stays(&value, |_| {});
    let larder = stays(&value, |loaded| {
        for part in loaded.parts.values_mut().chain(loaded.again.values_mut()) {
            part.get_mut().unwrap();
        }
        for inner in loaded.inner.get_mut().unwrap().values_mut() {
            inner
                .get_mut()
                .unwrap()
                .values_mut()
                .for_each(|number| *number.get_mut().unwrap() += 0);
        }
    });
    let loaded: Parts = larder.load("it").unwrap();
    assert_eq!(loaded.again["p19"].get().unwrap(), &[3; 3]);
    let inner = loaded.inner.get().unwrap()["7"].get().unwrap();
    assert_eq!(inner["6"].get().unwrap(), &6);
    assert_eq!(loaded.leaves["8"].get().unwrap().0, 8);
    // A value that stays in memory keeps its artifacts.
    for _ in 0..3 {
        assert!(!larder.apply("it", &value).unwrap().is_created());
        assert!(!larder.apply("it", &loaded).unwrap().is_created());
    }
}

/// Encodes an ordered map, and the same entries in a hash map.
#[track_caller]
fn same_bytes<K, S>(entries: BTreeMap<K, u8>, plain: impl Fn(&BTreeMap<K, u8>) -> Vec<u8>)
where
    K: Ord + Hash + Debug + Clone + Serialize + DeserializeOwned + 'static,
    S: Serializer<BTreeMap<K, u8>> + Serializer<HashMap<K, u8>>,
{
    let expected = plain(&entries);
    let mut ordered = Vec::new();
    <S as Serializer<BTreeMap<K, u8>>>::encode(&entries, &mut ordered).unwrap();
    assert_eq!(ordered, expected, "an ordered map keeps the bytes of its format: {entries:?}");
    for _ in 0..5 {
        let hashed: HashMap<_, _> = entries.clone().into_iter().collect();
        let mut bytes = Vec::new();
        <S as Serializer<HashMap<K, u8>>>::encode(&hashed, &mut bytes).unwrap();
        assert_eq!(bytes, expected, "{entries:?}");
    }
}

fn in_every_format<K>(keys: impl IntoIterator<Item = K>)
where
    K: Ord + Hash + Debug + Clone + Serialize + DeserializeOwned + 'static,
{
    let entries: BTreeMap<K, u8> = keys.into_iter().zip(0..).collect();
    same_bytes::<K, MsgPack>(entries.clone(), |map| rmp_serde::to_vec_named(map).unwrap());
    let plain = |map: &BTreeMap<K, u8>| {
        let mut bytes = Vec::new();
        <Bincode as Serializer<Vec<(K, u8)>>>::encode(
            &map.clone().into_iter().collect(),
            &mut bytes,
        )
        .unwrap();
        bytes
    };
    same_bytes::<K, Bincode>(entries.clone(), plain);
    let plain = |map: &BTreeMap<K, u8>| {
        let mut bytes = Vec::new();
        <Postcard as Serializer<Vec<(K, u8)>>>::encode(
            &map.clone().into_iter().collect(),
            &mut bytes,
        )
        .unwrap();
        bytes
    };
    same_bytes::<K, Postcard>(entries, plain);
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Key {
    Zoo,
    Bar(i16),
    Abc { text: String, list: Vec<u8> },
    Pair(Option<bool>, char),
}

#[test]
fn ordered_maps_keep_their_order() {
    in_every_format([3_u32, 0, 255, 256, 257, 70_000, 511, 512, u32::MAX]);
    in_every_format([-1_i64, 0, 1, i64::MIN, i64::MAX, -300, 300]);
    in_every_format([u128::MAX, 0, 1 << 100]);
    in_every_format(["b", "", "a", "a\0", "a\0b", "ab", "é", "\u{10ffff}"].map(str::to_owned));
    in_every_format([
        ("a".to_owned(), "b".to_owned()),
        (String::new(), "b".into()),
        ("a".into(), String::new()),
    ]);
    in_every_format([vec![1_u8], vec![], vec![1, 0], vec![0, 255], vec![1, 0, 0]]);
    in_every_format([Some(false), None, Some(true)]);
    in_every_format(['z', 'a', '\u{ffff}', '😀']);
    in_every_format(
        ["10.0.0.1", "9.0.0.1", "::1"].map(|text| text.parse::<std::net::IpAddr>().unwrap()),
    );
    in_every_format([
        Key::Pair(None, 'a'),
        Key::Pair(Some(true), 'a'),
        Key::Zoo,
        Key::Bar(-3),
        Key::Bar(2),
        Key::Abc { text: "b".into(), list: vec![] },
        Key::Abc { text: "a".into(), list: vec![9] },
    ]);
    in_every_format([
        [(1_u8, "x".to_owned())].into(),
        BTreeMap::new(),
        [(0_u8, "y".to_owned())].into(),
    ]);
    in_every_format([BTreeSet::from([2_u8]), BTreeSet::new(), BTreeSet::from([1, 9])]);
}

#[test]
fn flattened_structs_are_plain_messagepack() {
    let open = Open {
        zero: 0,
        rest: words(70_000).into_iter().map(|(k, v)| (k, v.into())).collect(),
        after: 1,
    };
    let mut bytes = Vec::new();
    <MsgPack as Serializer<Open>>::encode(&open, &mut bytes).unwrap();
    assert_eq!(bytes.len(), rmp_serde::to_vec_named(&open).unwrap().len());
    let read: Open = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!((read.rest, read.after), (open.rest, 1));
    for len in [0, 1, 15, 16, 17, 65_535, 65_536] {
        /// A sequence whose length is not known before its end.
        struct Unknown(usize);
        impl Serialize for Unknown {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeSeq;
                let mut seq = serializer.serialize_seq(None)?;
                (0..self.0).try_for_each(|_| seq.serialize_element(&BTreeMap::from([("k", 1)])))?;
                seq.end()
            }
        }
        let mut bytes = Vec::new();
        larder::serializers::Format::encode(&MsgPack, &Unknown(len), &mut bytes).unwrap();
        assert_eq!(bytes, rmp_serde::to_vec_named(&Unknown(len)).unwrap(), "{len} elements");
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-set")]
struct Stop {
    words: HashSet<String>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/unchanged-sorted-set")]
struct Sorted {
    #[serde(serialize_with = "larder::serializers::sorted")]
    words: HashSet<String>,
    ordered: BTreeSet<String>,
}

#[test]
fn a_set_without_an_order_is_noted_and_one_with_an_order_is_unchanged() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("stop", &Stop { words: words(40).into_keys().collect() }).unwrap();
    let plan = larder.plan("stop", &larder.load::<Stop>("stop").unwrap()).unwrap();
    assert!(plan.created);
    let [note] = &*plan.notes else { panic!("{:?}", plan.notes) };
    assert!(note.starts_with("`words` "), "{note}");
    assert!(note.contains("BTreeSet") && note.contains("larder::serializers::sorted"), "{note}");
    assert!(larder.apply("stop", &larder.load::<Stop>("stop").unwrap()).unwrap().is_created());
    let diff = larder.diff("stop@1", "stop@2").unwrap();
    let [field] = &*diff.fields else { panic!("{:?}", diff.fields) };
    assert!(field.reordered && field.state == FieldState::Changed, "{field:?}");
    // Another set is another thing.
    let plan = larder.plan("stop", &Stop { words: words(41).into_keys().collect() }).unwrap();
    assert!(plan.created && plan.notes.is_empty(), "{:?}", plan.notes);

    let words = || words(40).into_keys();
    stays(&Sorted { words: words().collect(), ordered: words().collect() }, |_| {});
}
