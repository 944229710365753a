//! Attacks by hand on every format: lengths beyond all memory, depth beyond any stack, cycles, and bytes
//! that would be read as something else. Each decoding runs on a 2 MiB thread in a debug build, may take no
//! longer than [`TIME`] and may hold no more than [`MOST_MEMORY`].
#![allow(unsafe_code)]

mod encoding;
mod paths;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Duration;

use larder::bytes::Bytes;
use larder::serializers::{Bincode, Json, MsgPack, Postcard};
use larder::store::with_causes;
use larder_testkit::{Codec, within_limits};
use serde::{Deserialize, Serialize};

const TIME: Duration = Duration::from_secs(20);
const MOST_MEMORY: usize = 16 << 20;

/// The system's allocator, which tracks the peak memory of each thread. It serves the whole test program.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST_HELD: Cell<usize> = const { Cell::new(0) };
}

/// Counts an allocation of the current thread.
fn count(size: usize) {
    let held = HELD.get().saturating_add(size);
    HELD.set(held);
    MOST_HELD.set(MOST_HELD.get().max(held));
}

// SAFETY: every call goes on to the system's allocator as it came; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // For a moment both exist.
        count(new_size);
        HELD.set(HELD.get().saturating_sub(layout.size()));
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

trait Value: Debug + Serialize + for<'de> Deserialize<'de> + 'static {}
impl<T: Debug + Serialize + for<'de> Deserialize<'de> + 'static> Value for T {}

/// The result of decoding an attack.
#[track_caller]
fn read<T: Value>(codec: Codec<T>, bytes: Bytes) -> Result<String, String> {
    let name = codec.name().to_owned();
    let len = bytes.len();
    let (answer, most) = within_limits(TIME, move || {
        HELD.set(0);
        MOST_HELD.set(0);
        // Formatted before it is dropped: a value that was read may be deep.
        let answer = match codec.decode(&bytes) {
            Ok(value) => Ok(format!("{value:?}")),
            Err(error) => Err(with_causes(&*error)),
        };
        (answer, MOST_HELD.get())
    });
    assert!(most < MOST_MEMORY + 2 * len, "`{name}` held {most} bytes for an attack of {len}");
    answer
}

/// Asserts that an attack is refused, typed and by name, and gives what the typed decoder says.
#[track_caller]
fn refused<T: Value>(format: impl Attacked, bytes: impl Into<Bytes>) -> String {
    let bytes = bytes.into();
    let erased = read(format.erased::<T>(), bytes.clone());
    assert!(erased.is_err(), "by name, it was read as {erased:?}");
    read(format.typed::<T>(), bytes).expect_err("it was read")
}

/// A format, as it is attacked both ways.
trait Attacked: Copy {
    fn typed<T: Value>(self) -> Codec<T>;
    fn erased<T: Value>(self) -> Codec<T>;
}

macro_rules! attacked {
    ($($format:ident,)*) => {
        $(impl Attacked for $format {
            fn typed<T: Value>(self) -> Codec<T> {
                Codec::of::<$format>()
            }
            fn erased<T: Value>(self) -> Codec<T> {
                Codec::format(self)
            }
        })*
    };
}

attacked! { MsgPack, Json, Bincode, Postcard, }

/// A length as postcard writes it.
fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A length as bincode 2 writes it.
fn varint(number: u64) -> Vec<u8> {
    [&[253][..], &number.to_le_bytes()].concat()
}

const UNITS: u64 = 1 << 40;
const HUGE: u64 = 1 << 60;
const DEEP: usize = 100_000;

#[test]
fn bincode_rejects_a_vec_of_units_of_length_2_to_the_40() {
    let said = refused::<Vec<()>>(Bincode, varint(UNITS));
    assert!(said.contains("elements"), "{said}");
}

#[test]
fn postcard_rejects_a_vec_of_units_of_length_2_to_the_40() {
    let said = refused::<Vec<()>>(Postcard, leb128(UNITS));
    assert!(said.contains("elements"), "{said}");
}

#[test]
fn binary_formats_reject_maps_sets_and_tuples_of_nothing_without_end() {
    type Inner = Vec<Vec<((), [(); 3])>>;
    for length in [UNITS, HUGE, u64::MAX] {
        refused::<BTreeMap<(), ()>>(Bincode, varint(length));
        refused::<BTreeMap<(), ()>>(Postcard, leb128(length));
        refused::<HashMap<(), ()>>(Bincode, varint(length));
        refused::<HashMap<(), ()>>(Postcard, leb128(length));
        refused::<Inner>(Bincode, [varint(2), varint(length), varint(length)].concat());
        refused::<Inner>(Postcard, [leb128(2), leb128(length), leb128(length)].concat());
    }
}

#[test]
fn messagepack_rejects_sequences_and_maps_longer_than_their_bytes() {
    let array = [0xdd, 0xff, 0xff, 0xff, 0xff];
    let map = [0xdf, 0xff, 0xff, 0xff, 0xff];
    refused::<Vec<()>>(MsgPack, array.to_vec());
    refused::<Vec<Vec<u64>>>(MsgPack, array.repeat(3));
    refused::<BTreeMap<u8, u8>>(MsgPack, map.to_vec());
    refused::<HashMap<String, Vec<u8>>>(MsgPack, map.to_vec());
    // A byte for each, so that the bytes are there: nil is a unit.
    let mut units = vec![0xdd, 0x00, 0x0f, 0xff, 0xff];
    units.extend([0xc0; 1000]);
    refused::<Vec<()>>(MsgPack, units);
}

#[test]
fn every_binary_format_rejects_text_and_bytes_of_length_2_to_the_60() {
    for length in [HUGE, u64::MAX, 1 << 35] {
        refused::<String>(Bincode, varint(length));
        refused::<serde_bytes::ByteBuf>(Bincode, varint(length));
        refused::<Vec<u8>>(Bincode, varint(length));
        refused::<Box<str>>(Bincode, [varint(length), b"abc".to_vec()].concat());
        refused::<String>(Postcard, leb128(length));
        refused::<serde_bytes::ByteBuf>(Postcard, leb128(length));
        refused::<Vec<u8>>(Postcard, leb128(length));
        refused::<Box<str>>(Postcard, [leb128(length), b"abc".to_vec()].concat());
    }
    for marker in [0xdb, 0xc6] {
        let bytes = vec![marker, 0xff, 0xff, 0xff, 0xff, b'a'];
        refused::<String>(MsgPack, bytes.clone());
        refused::<serde_bytes::ByteBuf>(MsgPack, bytes.clone());
        refused::<Vec<u8>>(MsgPack, bytes.clone());
        refused::<char>(MsgPack, bytes);
    }
}

#[test]
fn every_binary_format_rejects_sequences_of_sequences_of_forged_length() {
    refused::<Vec<Vec<u64>>>(Bincode, varint(UNITS).repeat(1000));
    refused::<Vec<Vec<Vec<String>>>>(Bincode, varint(HUGE).repeat(1000));
    refused::<Vec<Vec<u64>>>(Postcard, leb128(UNITS).repeat(1000));
    refused::<Vec<Vec<Vec<String>>>>(Postcard, leb128(HUGE).repeat(1000));
}

#[derive(Debug, Serialize, Deserialize)]
struct Options(Option<Box<Options>>);

#[derive(Debug, Serialize, Deserialize)]
struct InField {
    inner: Option<Box<InField>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lists(Vec<Lists>);

#[derive(Debug, Serialize, Deserialize)]
struct Maps(BTreeMap<u8, Maps>);

#[derive(Debug, Serialize, Deserialize)]
enum Variants {
    End,
    Newtype(Box<Variants>),
    Tuple(Box<Variants>, u8),
    Struct { inner: Box<Variants> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent(Box<(Option<Box<Transparent>>,)>);

#[track_caller]
fn refused_as_deep<T: Value>(format: impl Attacked, bytes: Vec<u8>) {
    let said = refused::<T>(format, bytes);
    assert!(said.contains("nested deeper"), "{said}");
}

#[test]
fn bincode_rejects_nesting_of_a_hundred_thousand_levels() {
    refused_as_deep::<Options>(Bincode, vec![1; DEEP]);
    refused_as_deep::<InField>(Bincode, vec![1; DEEP]);
    refused_as_deep::<Lists>(Bincode, vec![1; DEEP]);
    refused_as_deep::<Maps>(Bincode, vec![1; DEEP]);
    refused_as_deep::<Variants>(Bincode, vec![1; DEEP]);
    refused_as_deep::<Variants>(Bincode, vec![2; DEEP]);
    refused_as_deep::<Variants>(Bincode, vec![3; DEEP]);
    refused_as_deep::<Transparent>(Bincode, vec![1; DEEP]);
}

#[test]
fn postcard_rejects_nesting_of_a_hundred_thousand_levels() {
    refused_as_deep::<Options>(Postcard, vec![1; DEEP]);
    refused_as_deep::<InField>(Postcard, vec![1; DEEP]);
    refused_as_deep::<Lists>(Postcard, vec![1; DEEP]);
    refused_as_deep::<Maps>(Postcard, vec![1; DEEP]);
    refused_as_deep::<Variants>(Postcard, vec![1; DEEP]);
    refused_as_deep::<Variants>(Postcard, vec![2; DEEP]);
    refused_as_deep::<Variants>(Postcard, vec![3; DEEP]);
    refused_as_deep::<Transparent>(Postcard, vec![1; DEEP]);
}

/// A text in MessagePack.
fn text(text: &str) -> Vec<u8> {
    [&[0xa0 | text.len() as u8][..], text.as_bytes()].concat()
}

/// A map of one entry in MessagePack, down to its value.
fn entry(key: &str) -> Vec<u8> {
    [&[0x81][..], &text(key)].concat()
}

#[test]
fn messagepack_rejects_nesting_of_a_hundred_thousand_levels() {
    refused_as_deep::<InField>(MsgPack, entry("inner").repeat(DEEP));
    refused_as_deep::<Lists>(MsgPack, vec![0x91; DEEP]);
    refused_as_deep::<Maps>(MsgPack, [0x81, 0x01].repeat(DEEP));
    refused_as_deep::<Variants>(MsgPack, entry("Newtype").repeat(DEEP));
    refused_as_deep::<Variants>(MsgPack, [entry("Tuple"), vec![0x92]].concat().repeat(DEEP));
    let inner = [entry("Struct"), entry("inner")].concat();
    refused_as_deep::<Variants>(MsgPack, inner.repeat(DEEP));
    refused_as_deep::<Transparent>(MsgPack, vec![0x91; DEEP]);
}

#[test]
fn messagepack_rejects_an_option_that_holds_itself_without_bytes() {
    // Neither an option nor a newtype has bytes of its own here: one byte is any number of levels.
    refused_as_deep::<Options>(MsgPack, vec![0x01]);
}

#[test]
fn json_rejects_nesting_of_a_hundred_thousand_levels() {
    refused::<Lists>(Json, "[".repeat(DEEP));
    refused::<InField>(Json, "{\"inner\":".repeat(DEEP));
    refused::<Maps>(Json, "{\"1\":".repeat(DEEP));
    refused::<Variants>(Json, "{\"Newtype\":".repeat(DEEP));
    refused::<Transparent>(Json, "[".repeat(DEEP));
    refused_as_deep::<Options>(Json, b"1".to_vec());
    refused_as_deep::<Lists>(Json, ["[".repeat(125), "]".repeat(125)].concat().into());
}

#[test]
fn every_format_rejects_depth_after_the_value() {
    for ending in [0x91, 0x81, 0xc0, 0x01] {
        refused::<u8>(MsgPack, [vec![7], vec![ending; DEEP]].concat());
    }
    refused::<u8>(Json, format!("7{}", "[".repeat(DEEP)));
    refused::<u8>(Bincode, vec![1; DEEP]);
    refused::<u8>(Postcard, vec![1; DEEP]);
}

#[test]
fn messagepack_rejects_extension_types() {
    let extensions: [&[u8]; 5] = [
        &[0xd4, 0x01, 0x00],
        &[0xd6, 0xff, 0, 0, 0, 0],
        &[0xc7, 0x03, 0x05, 1, 2, 3],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xc1],
    ];
    for bytes in extensions {
        refused::<u64>(MsgPack, bytes);
        refused::<String>(MsgPack, bytes);
        refused::<serde_bytes::ByteBuf>(MsgPack, bytes);
        refused::<Option<Vec<u8>>>(MsgPack, bytes);
        refused::<InField>(MsgPack, [entry("inner"), bytes.to_vec()].concat());
    }
}

#[test]
fn every_format_rejects_text_that_is_no_utf8() {
    refused::<String>(MsgPack, vec![0xa2, 0xff, 0xfe]);
    refused::<String>(Json, vec![b'"', 0xff, 0xfe, b'"']);
    refused::<String>(Bincode, vec![2, 0xff, 0xfe]);
    refused::<String>(Postcard, vec![2, 0xff, 0xfe]);
}

#[test]
fn what_a_format_writes_it_reads_at_the_limit_of_depth() {
    fn lists(depth: usize) -> Lists {
        (1..depth).fold(Lists(vec![]), |inner, _| Lists(vec![inner]))
    }
    fn deepest<T: Attacked>(format: T) -> usize {
        let fits = |depth: &usize| format.typed::<Lists>().encode(&lists(*depth)).is_ok();
        let depth = (1..600).take_while(fits).count();
        for codec in [format.typed::<Lists>(), format.erased()] {
            let bytes = codec.encode(&lists(depth)).unwrap();
            read(codec, bytes).unwrap();
        }
        depth
    }
    // A newtype and a sequence are two levels.
    assert_eq!(deepest(MsgPack), 256);
    assert_eq!(deepest(Bincode), 256);
    assert_eq!(deepest(Postcard), 256);
    assert_eq!(deepest(Json), 60);
}
