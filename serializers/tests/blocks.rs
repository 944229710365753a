//! Long runs of numbers in MessagePack, which are blocks of bytes.
#![cfg(feature = "msgpack")]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;

use larder_core::Serializer;
use larder_core::bytes::Bytes;
use larder_serializers::MsgPack;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The length from which a run is a block.
const RUN: usize = 65_536;

fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Bytes {
    let mut bytes = Vec::new();
    MsgPack::encode(value, &mut bytes).unwrap();
    bytes.into()
}

fn decode<T: Serialize + DeserializeOwned>(bytes: &Bytes) -> Result<T, String> {
    <MsgPack as Serializer<T>>::decode(bytes).map_err(|error| format!("{error:?}"))
}

/// Checks the bytes of a run, that they come back, and that an array of the same numbers does.
#[track_caller]
fn check<T>(values: Vec<T>, extension: i8, width: usize)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = encode(&values);
    assert_eq!(bytes.len(), 6 + values.len() * width, "{extension}");
    let len = u32::try_from(values.len() * width).unwrap().to_be_bytes();
    assert_eq!(bytes[..6], [&[0xc9], &len[..], &[extension as u8]].concat(), "{extension}");
    assert!(decode::<Vec<T>>(&bytes).unwrap() == values, "{extension}");
    let array = Bytes::from(rmp_serde::to_vec_named(&values).unwrap());
    assert!(decode::<Vec<T>>(&array).unwrap() == values, "an array of {extension}");
}

#[test]
fn runs_are_written_in_the_width_that_they_need() {
    let n = RUN as i64;
    check((0..n).map(|i| i as u8).collect(), 16, 1);
    check((0..n).map(|i| i as u16).collect(), 17, 2);
    check((0..n).map(|i| i as u32 % 256).collect(), 16, 1);
    check((0..n).map(|i| i as u32 * 65_536).collect(), 18, 4);
    check((0..n).map(|i| i as u64).collect(), 17, 2);
    check((0..n).map(|i| i as usize + u32::MAX as usize).collect(), 19, 8);
    check((0..n).map(|i| i as i8).collect(), 20, 1);
    check((0..n).map(|i| (i % 256 - 128) as i16).collect(), 20, 1);
    check((0..n).map(|i| (i % 257 - 128) as i16).collect(), 21, 2);
    check((0..n).map(|i| i as i32 - 32_768).collect(), 21, 2);
    check((0..n).map(|i| i - 32_769).collect(), 22, 4);
    check((0..n).map(|i| i * i64::from(u32::MAX)).collect(), 23, 8);
    check((0..n).map(|i| i as f32 / 3.0).collect(), 24, 4);
    check((0..n).map(|i| i as f64 / 3.0).collect(), 25, 8);
}

#[test]
fn short_runs_and_other_elements_stay_arrays() {
    let short = vec![7_u8; RUN - 1];
    assert_eq!(encode(&short)[0], 0xdc);
    assert_eq!(encode(&vec![true; RUN])[0], 0xdd);
    assert_eq!(encode(&vec!['x'; RUN])[0], 0xdd);
    assert_eq!(encode(&vec![Some(1_u8); RUN])[0], 0xdd);
    assert_eq!(encode(&vec![(1_u8, 2_u8); RUN])[0], 0xdd);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Id(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Bytes(Vec<u8>),
    Floats { floats: Vec<f32> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Deep {
    name: String,
    #[serde(flatten)]
    rest: HashMap<String, Vec<i64>>,
}

#[test]
fn runs_are_read_wherever_an_array_is() {
    let numbers: Vec<u32> = (0..RUN as u32).collect();
    let bytes = encode(&numbers);
    let ids: Vec<Id> = numbers.iter().copied().map(Id).collect();
    assert!(decode::<Vec<Id>>(&bytes).unwrap() == ids);
    let options: Vec<Option<u64>> = numbers.iter().map(|&number| Some(number.into())).collect();
    assert!(decode::<Vec<Option<u64>>>(&bytes).unwrap() == options);
    assert!(decode::<BTreeSet<u32>>(&bytes).unwrap() == numbers.iter().copied().collect());
    assert!(decode::<Option<Vec<u32>>>(&bytes).unwrap() == Some(numbers.clone()));
    let json: serde_json::Value = decode(&bytes).unwrap();
    assert!(json == serde_json::to_value(&numbers).unwrap());

    for either in [
        Either::Number(1),
        Either::Bytes((0..RUN).map(|i| i as u8).collect()),
        Either::Floats { floats: (0..RUN).map(|i| i as f32).collect() },
    ] {
        assert!(decode::<Either>(&encode(&either)).unwrap() == either);
    }
    let rest =
        HashMap::from([("long".into(), (0..RUN as i64).collect()), ("short".into(), vec![1])]);
    let deep = Deep { name: "deep".into(), rest };
    assert!(decode::<Deep>(&encode(&deep)).unwrap() == deep);
}

/// Numbers that its `Deserialize` doubles.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Doubled {
    #[serde(deserialize_with = "doubled")]
    numbers: Vec<u32>,
}

fn doubled<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    struct Double;

    impl<'de> serde::de::Visitor<'de> for Double {
        type Value = Vec<u32>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("numbers")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u32>, A::Error> {
            let mut numbers = Vec::new();
            while let Some(number) = seq.next_element::<u32>()? {
                numbers.push(number * 2);
            }
            Ok(numbers)
        }
    }

    deserializer.deserialize_seq(Double)
}

#[test]
fn sequences_are_equal_whatever_holds_them_and_readers_of_their_own_are_asked() {
    let numbers: Vec<u32> = (0..RUN as u32).collect();
    let deque: VecDeque<u32> = numbers.iter().copied().collect();
    assert_eq!(encode(&deque), encode(&numbers));
    assert!(decode::<VecDeque<u32>>(&encode(&numbers)).unwrap() == deque);
    let read: Doubled = decode(&encode(&Doubled { numbers: numbers.clone() })).unwrap();
    assert!(read.numbers.iter().zip(&numbers).all(|(read, number)| *read == number * 2));
    assert_eq!(read.numbers.len(), numbers.len());
}

#[test]
fn numbers_that_do_not_fit_are_refused_with_their_place() {
    let mut large = vec![1.0_f64; RUN];
    large[3] = 1e300;
    let error = decode::<Vec<f32>>(&encode(&large)).unwrap_err();
    assert!(error.contains("[3]"), "{error}");
    let mut long = vec![1_u32; RUN];
    long[5] = 300;
    let error = decode::<Vec<u8>>(&encode(&long)).unwrap_err();
    assert!(error.contains("[5]"), "{error}");
    assert!(decode::<Vec<String>>(&encode(&long)).is_err());
    assert!(decode::<[u32; 3]>(&encode(&long)).is_err());
}

#[test]
fn damaged_blocks_are_refused() {
    let bytes = encode(&vec![300_u16; RUN]).to_vec();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        decode::<Vec<u16>>(&bytes.into())
    };
    assert!(with(&|bytes| bytes[5] = 99).unwrap_err().contains("unknown"));
    assert!(with(&|bytes| bytes.truncate(1000)).is_err());
    assert!(with(&|bytes| bytes[1] = 0xff).is_err(), "a forged length");
    let odd = with(&|bytes| {
        bytes.truncate(1005);
        bytes[1..5].copy_from_slice(&999_u32.to_be_bytes());
    });
    assert!(odd.unwrap_err().contains("within"));
}
