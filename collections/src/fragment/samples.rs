//! Rows for tests of readers.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, FixedSizeBinaryArray, FixedSizeListArray, Int64Array,
    ListArray, NullArray, RecordBatch, StringArray, StructArray,
};

/// Three rows with a column of every layout.
pub(crate) fn every_layout() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("größe")]));
    let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
    let vectors = [Some([Some(1), Some(2)]), None, Some([Some(5), None])];
    let parts = [b"ab".as_slice(), b"cd", b"ef"].into_iter();
    let inner = RecordBatch::try_from_iter([("a", numbers.clone()), ("b", texts.clone())]);
    let columns: [(&str, ArrayRef); 9] = [
        ("numbers", numbers),
        ("texts", texts),
        ("flags", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("decimals", Arc::new(Decimal128Array::from(vec![1, 2, 3]))),
        ("parts", Arc::new(FixedSizeBinaryArray::try_from_iter(parts).unwrap())),
        ("lists", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
        (
            "vectors",
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(vectors, 2)),
        ),
        ("inner", Arc::new(StructArray::from(inner.unwrap()))),
        ("nothing", Arc::new(NullArray::new(3))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, it)| (name, it, true))).unwrap()
}

/// Calls `read` with copies of `bytes` that differ in one byte.
pub(crate) fn each_damage(bytes: &[u8], mut read: impl FnMut(Vec<u8>)) {
    for at in 0..bytes.len() {
        for flipped in [0x01, 0x55, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= flipped;
            read(damaged);
        }
    }
}
