//! Files that an enemy wrote, each with an error of its own.

use std::time::Duration;

use larder::Serializer;
use larder::bytes::Bytes;
use larder::serializers::{MsgPack, SafeTensors};
use larder_testkit::within_limits;

use super::told;

/// A file of this header, however long it says it is, and these bytes.
fn file(stated: u64, header: &[u8], data: &[u8]) -> Bytes {
    [&stated.to_le_bytes(), header, data].concat().into()
}

/// The error that a file gives on a small thread, in little time.
#[track_caller]
fn refusal(file: Bytes) -> String {
    let read = move || match SafeTensors::decode(&file) {
        Ok(read) => panic!("it was read: {read:?}"),
        Err(error) => told(&*error),
    };
    within_limits(Duration::from_secs(10), read)
}

/// The error that a header gives with so many bytes after it.
#[track_caller]
fn refused(header: &str, data_len: usize) -> String {
    refusal(file(header.len() as u64, header.as_bytes(), &vec![0; data_len]))
}

#[track_caller]
fn assert_tells(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{told:?} does not tell {part:?}");
    }
}

#[test]
fn rejects_overlapping_tensors() {
    let told = refused(
        r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
        6,
    );
    assert_tells(&told, &["`b`", "at 2..6", "overlaps", "ends at 4"]);
}

#[test]
fn rejects_two_tensors_of_the_same_bytes() {
    let told = refused(
        r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#,
        4,
    );
    assert_tells(&told, &["overlaps"]);
}

#[test]
fn rejects_a_gap_between_tensors() {
    let told = refused(
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}"#,
        6,
    );
    assert_tells(&told, &["`b`", "gap", "ends at 2"]);
}

#[test]
fn rejects_a_gap_before_the_first_tensor() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, 4);
    assert_tells(&told, &["`a`", "gap"]);
}

#[test]
fn rejects_offsets_that_run_backwards() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}"#, 2);
    assert_tells(&told, &["`a`", "at 2..0", "ends before"]);
}

#[test]
fn rejects_offsets_beyond_the_end() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 8);
    assert_tells(&told, &["`a`", "truncated", "8 bytes"]);
    let most = u64::MAX;
    let told = refused(
        &format!(r#"{{"a":{{"dtype":"U8","shape":[{most}],"data_offsets":[0,{most}]}}}}"#),
        8,
    );
    assert_tells(&told, &["`a`", "overflows"]);
}

#[test]
fn rejects_offsets_beyond_64_bits() {
    let told =
        refused(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551616]}}"#, 1);
    assert_tells(&told, &["safetensors header", "floating point"]);
}

#[test]
fn rejects_negative_offsets() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}"#, 1);
    assert_tells(&told, &["`-1`"]);
}

#[test]
fn rejects_missing_offsets() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[1]}}"#, 1);
    assert_tells(&told, &["`data_offsets`"]);
    let told = refused(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, 1);
    assert_tells(&told, &["length 1"]);
}

#[test]
fn rejects_a_missing_shape_or_dtype() {
    let told = refused(r#"{"a":{"dtype":"U8","data_offsets":[0,1]}}"#, 1);
    assert_tells(&told, &["`shape`"]);
    let told = refused(r#"{"a":{"shape":[1],"data_offsets":[0,1]}}"#, 1);
    assert_tells(&told, &["`dtype`"]);
}

#[test]
fn rejects_a_dtype_that_it_does_not_know() {
    let told = refused(r#"{"a":{"dtype":"Q3","shape":[1],"data_offsets":[0,1]}}"#, 1);
    assert_tells(&told, &["`Q3`", "`F32`"]);
}

#[test]
fn rejects_a_field_that_it_does_not_know() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"scale":2}}"#, 1);
    assert_tells(&told, &["`scale`"]);
}

#[test]
fn rejects_a_shape_of_another_size_than_the_bytes() {
    let told = refused(r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,12]}}"#, 12);
    assert_tells(&told, &["`a` (F32 [2, 2]", "12 bytes", "16"]);
}

#[test]
fn rejects_a_shape_that_overflows() {
    let told =
        refused(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0);
    assert_tells(&told, &["`a`", "overflows"]);
    // The number of elements does not, their bytes do.
    let told =
        refused(r#"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#, 0);
    assert_tells(&told, &["`a`", "overflows"]);
}

#[test]
fn rejects_an_empty_tensor_that_has_bytes() {
    let told = refused(r#"{"a":{"dtype":"F32","shape":[0,4],"data_offsets":[0,16]}}"#, 16);
    assert_tells(&told, &["16 bytes", "need 0"]);
}

#[test]
fn rejects_an_empty_tensor_inside_another() {
    let told = refused(
        r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}"#,
        4,
    );
    assert_tells(&told, &["`b`", "overlaps"]);
}

#[test]
fn rejects_elements_that_end_inside_a_byte() {
    let told = refused(r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2);
    assert_tells(&told, &["`a`", "whole number"]);
}

#[test]
fn rejects_a_header_longer_than_the_format_allows() {
    for stated in [100_000_001, u64::from(u32::MAX), 1 << 62, u64::MAX] {
        let told = refusal(file(stated, b"{}", &[]));
        assert_tells(&told, &[&stated.to_string(), "100000000"]);
    }
}

#[test]
fn rejects_a_header_longer_than_the_file() {
    let told = refusal(file(50_000_000, b"{}", &[0; 100]));
    assert_tells(&told, &["50000000 bytes", "102"]);
}

#[test]
fn rejects_a_file_without_room_for_a_length() {
    for len in 0..8 {
        assert_tells(&refusal(vec![0; len].into()), &["8 bytes"]);
    }
}

#[test]
fn rejects_a_name_that_stands_twice() {
    let entry = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    let told = refused(&format!(r#"{{"a":{entry},"a":{entry}}}"#), 1);
    assert_tells(&told, &["duplicate name `a`"]);
    // Also where one of them hides behind an escape.
    let told = refused(&format!(r#"{{"a":{entry},"\u0061":{entry}}}"#), 1);
    assert_tells(&told, &["duplicate name `a`"]);
}

#[test]
fn rejects_metadata_that_stands_twice() {
    let told = refused(r#"{"__metadata__":{},"__metadata__":{}}"#, 0);
    assert_tells(&told, &["duplicate name `__metadata__`"]);
    let told = refused(r#"{"__metadata__":{"k":"1","k":"2"}}"#, 0);
    assert_tells(&told, &["duplicate name `k`"]);
}

#[test]
fn rejects_metadata_that_is_not_text() {
    let told = refused(r#"{"__metadata__":{"epochs":3}}"#, 0);
    assert_tells(&told, &["`3`"]);
}

#[test]
fn rejects_a_header_that_is_not_utf_8() {
    let told = refusal(file(4, b"{\"\xff\"", &[]));
    assert_tells(&told, &["UTF-8"]);
}

#[test]
fn rejects_a_header_that_is_not_an_object() {
    for (header, part) in
        [("", "EOF"), ("[]", "an object of tensors"), ("{", "EOF"), ("{} x", "trailing")]
    {
        assert_tells(&refused(header, 0), &["safetensors header", part]);
    }
}

#[test]
fn rejects_depth_without_end() {
    let deep = "[".repeat(1_000_000);
    let told = refused(&format!(r#"{{"a":{{"dtype":"U8","shape":{deep}"#), 0);
    assert_tells(&told, &["safetensors header"]);
    let told = refused(&format!(r#"{{"a":{{"dtype":{}"#, r#"{"a":"#.repeat(1_000_000)), 0);
    assert_tells(&told, &["safetensors header"]);
}

#[test]
fn rejects_bytes_after_the_last_tensor() {
    let told = refused(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 4);
    assert_tells(&told, &["3 trailing"]);
    assert_tells(&refused("{}", 1), &["1 trailing"]);
}

#[test]
fn rejects_a_name_that_stands_twice_in_a_serde_format_too() {
    // {"tensors": {}, "metadata": {"k": "1", "k": "2"}}
    let bytes = b"\x82\xa7tensors\x80\xa8metadata\x82\xa1k\xa11\xa1k\xa12";
    let read =
        <MsgPack as Serializer<larder::serializers::Tensors>>::decode(&Bytes::from_static(bytes));
    assert_tells(&told(&*read.unwrap_err()), &["duplicate name `k`"]);
}

#[test]
fn rejects_a_shape_that_overflows_in_a_serde_format_too() {
    // {"tensors": {"a": {"dtype": "F32", "shape": [2^62, 4], "data": {"inline": b""}}}, "metadata": {}}
    let bytes =
        b"\x82\xa7tensors\x81\xa1a\x83\xa5dtype\xa3F32\xa5shape\x92\xcf\x40\0\0\0\0\0\0\0\x04\
        \xa4data\x81\xa6inline\xc4\0\xa8metadata\x80";
    let read =
        <MsgPack as Serializer<larder::serializers::Tensors>>::decode(&Bytes::from_static(bytes));
    assert_tells(&told(&*read.unwrap_err()), &["F32", "overflows"]);
}
