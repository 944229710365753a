//! Every serializer keeps the laws of `larder-testkit`: static, as a pair, and by name.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use larder::bytes::Bytes;
use larder::{Bincode, BoxError, FnSerializer, Json, MsgPack, Postcard, RawBytes, Serializer};
use larder_testkit::serializer::{
    a_value_comes_back, every_prefix_is_refused, it_predicts_the_same_after_reload,
};
use larder_testkit::{Codec, all_serializer_laws, unframed_serializer_laws};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Wraps(Box<Shape>),
    FnSerializer(i8, String),
    Named { left: Option<f32>, right: Vec<Shape> },
    Text(String),
}

/// Every kind of value that all formats can hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    yes: bool,
    integers: (i8, i16, i32, i64, u8, u16, u32, u64),
    edges: Vec<i64>,
    float: f64,
    single: f32,
    letter: char,
    text: String,
    unit: (),
    unit_struct: Unit,
    wrapped: Wrapped,
    shapes: Vec<Shape>,
    some: Option<Box<Wrapped>>,
    none: Option<String>,
    tree: BTreeMap<String, Vec<(u16, Option<char>)>>,
    hash: HashMap<String, f64>,
    array: [[f32; 3]; 2],
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    numbers: Vec<u8>,
}

fn everything() -> Everything {
    let named = Shape::Named {
        left: Some(-0.5),
        right: vec![
            Shape::Nothing,
            Shape::Wraps(Box::new(Shape::FnSerializer(-7, "zwölf".into()))),
        ],
    };
    Everything {
        yes: true,
        integers: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, u8::MAX, u16::MAX, u32::MAX, u64::MAX),
        edges: vec![0, -1, 127, 128, -128, -129, 255, 256, 65_535, 65_536, i64::MAX],
        float: 0.1 + 0.2,
        single: f32::MIN_POSITIVE,
        letter: '字',
        text: "quotes \" and \\ and \0 and 🍷".into(),
        unit: (),
        unit_struct: Unit,
        wrapped: Wrapped(1 << 31),
        shapes: vec![
            Shape::Nothing,
            named,
            Shape::Text(String::new()),
            Shape::FnSerializer(0, "".into()),
        ],
        some: Some(Box::new(Wrapped(0))),
        none: None,
        tree: [("a".into(), vec![(1, None), (2, Some('x'))]), (String::new(), vec![])].into(),
        hash: [("one".into(), 1.25), ("two".into(), -2e-9), ("three".into(), 3e300)].into(),
        array: [[1.0, 2.5, -3.0], [f32::MAX, f32::MIN, 0.0]],
        bytes: (0..=255).collect(),
        numbers: vec![0, 127, 128, 255],
    }
}

#[test]
fn messagepack_keeps_every_law() {
    all_serializer_laws(&Codec::of::<MsgPack>(), &everything(), PartialEq::eq);
}

#[test]
fn messagepack_by_name_keeps_every_law() {
    all_serializer_laws(&Codec::format(MsgPack), &everything(), PartialEq::eq);
}

#[test]
fn json_keeps_every_law() {
    all_serializer_laws(&Codec::of::<Json>(), &everything(), PartialEq::eq);
}

#[test]
fn json_by_name_keeps_every_law() {
    all_serializer_laws(&Codec::format(Json), &everything(), PartialEq::eq);
}

#[test]
fn bincode_keeps_every_law() {
    all_serializer_laws(&Codec::of::<Bincode>(), &everything(), PartialEq::eq);
}

#[test]
fn bincode_by_name_keeps_every_law() {
    all_serializer_laws(&Codec::format(Bincode), &everything(), PartialEq::eq);
}

#[test]
fn postcard_keeps_every_law() {
    all_serializer_laws(&Codec::of::<Postcard>(), &everything(), PartialEq::eq);
}

#[test]
fn postcard_by_name_keeps_every_law() {
    all_serializer_laws(&Codec::format(Postcard), &everything(), PartialEq::eq);
}

#[test]
fn plain_bytes_keep_every_law_of_values_without_an_end() {
    let bytes: Vec<u8> = (0..=255).cycle().take(700).collect();
    unframed_serializer_laws(&Codec::<Vec<u8>>::of::<RawBytes>(), &bytes, PartialEq::eq);
    unframed_serializer_laws(&Codec::<Bytes>::of::<RawBytes>(), &bytes.into(), PartialEq::eq);
}

/// A model from a crate without serde.
#[derive(Debug, PartialEq)]
struct Line {
    slope: f64,
    weights: Vec<f64>,
}

impl Line {
    fn predict(&self, x: &f64) -> f64 {
        self.weights.iter().fold(0.0, |sum, weight| sum * self.slope + weight * x)
    }
}

fn line() -> Line {
    Line { slope: 0.1, weights: vec![1.0, f64::MIN_POSITIVE, -3.3] }
}

/// A count, and little-endian floats.
struct LineBytes;

fn write_line(value: &Line, out: &mut dyn Write) -> Result<(), BoxError> {
    out.write_all(&(value.weights.len() as u64).to_le_bytes())?;
    for number in [value.slope].iter().chain(&value.weights) {
        out.write_all(&number.to_le_bytes())?;
    }
    Ok(())
}

fn read_line(bytes: &Bytes) -> Result<Line, BoxError> {
    let (count, rest) = bytes.split_first_chunk().ok_or("it has no count")?;
    let (numbers, rest) = rest.as_chunks::<8>();
    let (slope, weights) = numbers.split_first().ok_or("it has no slope")?;
    if u64::from_le_bytes(*count) != weights.len() as u64 || !rest.is_empty() {
        return Err("its count is another than that of its numbers".into());
    }
    let weights = weights.iter().map(|number| f64::from_le_bytes(*number)).collect();
    Ok(Line { slope: f64::from_le_bytes(*slope), weights })
}

impl Serializer<Line> for LineBytes {
    const NAME: &'static str = "line-le";

    fn encode(value: &Line, out: &mut dyn Write) -> Result<(), BoxError> {
        write_line(value, out)
    }

    fn decode(bytes: &Bytes) -> Result<Line, BoxError> {
        read_line(bytes)
    }
}

#[test]
fn a_users_serializer_for_a_type_without_serde_keeps_every_law() {
    let codec = Codec::of::<LineBytes>();
    all_serializer_laws(&codec, &line(), PartialEq::eq);
    it_predicts_the_same_after_reload(&codec, &line(), Line::predict, &[0.0, -1.5, 1e300]);
}

#[test]
fn a_pair_of_functions_keeps_every_law() {
    let codec = Codec::pair(FnSerializer::<Line>::new("line-pair", write_line, read_line));
    all_serializer_laws(&codec, &line(), PartialEq::eq);
    it_predicts_the_same_after_reload(&codec, &line(), Line::predict, &[0.0, -1.5, 1e300]);
}

fn every_format<T>() -> [Codec<T>; 8]
where
    T: Serialize + for<'de> Deserialize<'de> + 'static,
{
    let [msgpack, msgpack_by_name, bincode, bincode_by_name, postcard, postcard_by_name] =
        every_binary_format();
    [
        Codec::of::<Json>(),
        Codec::format(Json),
        msgpack,
        msgpack_by_name,
        bincode,
        bincode_by_name,
        postcard,
        postcard_by_name,
    ]
}

fn every_binary_format<T>() -> [Codec<T>; 6]
where
    T: Serialize + for<'de> Deserialize<'de> + 'static,
{
    [
        Codec::of::<MsgPack>(),
        Codec::format(MsgPack),
        Codec::of::<Bincode>(),
        Codec::format(Bincode),
        Codec::of::<Postcard>(),
        Codec::format(Postcard),
    ]
}

#[test]
fn floats_of_every_kind_come_back_to_the_bit_from_binary_formats() {
    let singles = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-45];
    let doubles = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX];
    let value = (singles.to_vec(), doubles.to_vec());
    let bits = |value: &(Vec<f32>, Vec<f64>)| -> Vec<u64> {
        let singles = value.0.iter().map(|number| u64::from(number.to_bits()));
        singles.chain(value.1.iter().map(|number| number.to_bits())).collect()
    };
    for codec in every_binary_format() {
        all_serializer_laws(&codec, &value, |a, b| bits(a) == bits(b));
    }
}

#[test]
fn every_float_comes_back_to_the_bit_from_json() {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from_bits(state)
    };
    let numbers: Vec<f64> = std::iter::repeat_with(&mut next)
        .filter(|number| number.is_finite())
        .take(20_000)
        .collect();
    for codec in [Codec::of::<Json>(), Codec::format(Json)] {
        a_value_comes_back(&codec, &numbers);
    }
}

#[test]
fn integers_of_128_bits_come_back_from_binary_formats() {
    let value = vec![
        (u128::MAX, i128::MIN),
        (0, -1),
        (u128::from(u64::MAX) + 1, i128::from(i64::MIN) - 1),
        (1, i128::MAX),
    ];
    for codec in every_binary_format() {
        all_serializer_laws(&codec, &value, PartialEq::eq);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    label: u32,
    children: Vec<Tree>,
}

fn tree(depth: u32) -> Tree {
    let children = if depth == 1 { vec![] } else { vec![tree(depth - 1)] };
    Tree { label: depth, children }
}

#[test]
fn a_tree_of_a_hundred_levels_comes_back_from_binary_formats() {
    for codec in every_binary_format() {
        a_value_comes_back(&codec, &tree(100));
        every_prefix_is_refused(&codec, &tree(100));
    }
}

#[test]
fn a_tree_of_fifty_levels_comes_back_from_json() {
    for codec in [Codec::of::<Json>(), Codec::format(Json)] {
        a_value_comes_back(&codec, &tree(50));
        every_prefix_is_refused(&codec, &tree(50));
    }
}

#[test]
fn maps_whose_keys_are_not_text_come_back_from_binary_formats() {
    let value: BTreeMap<(i32, Option<bool>), Vec<Unit>> =
        [((-1, None), vec![Unit]), ((2, Some(true)), vec![])].into();
    for codec in every_binary_format() {
        all_serializer_laws(&codec, &value, PartialEq::eq);
    }
}

#[test]
fn options_in_options_come_back_from_formats_that_mark_each() {
    let value: Vec<Option<Option<()>>> = vec![None, Some(None), Some(Some(()))];
    for codec in [Codec::of::<Bincode>(), Codec::of::<Postcard>()] {
        all_serializer_laws(&codec, &value, PartialEq::eq);
    }
    for codec in [Codec::format(Bincode), Codec::format(Postcard)] {
        all_serializer_laws(&codec, &value, PartialEq::eq);
    }
}

#[test]
fn large_sequences_come_back_from_every_format() {
    let value: Vec<u32> = (0..100_000).map(|n: u32| n.wrapping_mul(2_654_435_761)).collect();
    for codec in every_format() {
        a_value_comes_back(&codec, &value);
    }
    let text = "🍷 red, white; ".repeat(50_000);
    for codec in every_format() {
        a_value_comes_back(&codec, &text);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stumps {
    splits: Vec<(usize, f32)>,
    leaves: HashMap<u32, f32>,
}

#[test]
fn a_model_predicts_the_same_after_reload_from_binary_formats() {
    let model = Stumps {
        splits: (0..8).map(|n| (n % 3, n as f32 * 0.37 - 1.0)).collect(),
        leaves: (0..256).map(|leaf| (leaf, (leaf as f32).sin())).collect(),
    };
    let predict = |model: &Stumps, input: &[f32; 3]| {
        let side = |&(feature, split): &(usize, f32)| u32::from(input[feature] > split);
        let leaf = model.splits.iter().fold(0, |leaf, split| leaf * 2 + side(split));
        model.leaves.get(&leaf).copied()
    };
    let inputs: Vec<[f32; 3]> =
        (0..50).map(|n| [n as f32 * 0.1 - 2.0, 1.0 - n as f32 * 0.05, 0.3]).collect();
    for codec in every_binary_format() {
        it_predicts_the_same_after_reload(&codec, &model, predict, &inputs);
    }
}
