//! One safetensors file, in both directions.

use larder::bytes::Bytes;
use larder::serializers::half::{bf16, f16};
use larder::serializers::{SafeTensors, Tensors};
use larder::{BoxError, Serializer};
use larder_testkit::{Codec, all_serializer_laws};

use super::{every_kind, same};

/// Made by Python's own library; see `make.py` beside it.
const PYTHON: &[u8] = include_bytes!("../../../fixtures/tensors/python.safetensors");
/// Made by Larder; `make.py --check` has Python's library read it and compares every value.
const LARDER: &[u8] = include_bytes!("../../../fixtures/tensors/larder.safetensors");

fn encoded(tensors: &Tensors) -> Vec<u8> {
    let mut file = Vec::new();
    SafeTensors::encode(tensors, &mut file).unwrap();
    file
}

#[test]
fn a_file_keeps_every_law_of_serializers() {
    let mut tensors = every_kind();
    tensors.remove("layers.0/weight");
    all_serializer_laws(&Codec::of::<SafeTensors>(), &tensors, same);
    all_serializer_laws(&Codec::of::<SafeTensors>(), &Tensors::new(), same);
}

#[test]
fn a_file_of_pythons_library_loads_with_equal_tensors_and_metadata() {
    let read = SafeTensors::decode(&Bytes::from_static(PYTHON)).unwrap();
    assert!(same(&read, &every_kind()), "{read:?}");
    assert_eq!(read.metadata()["note"], "zwölf 🍷");
}

#[test]
fn every_value_of_pythons_file_is_read_as_its_rust_type() {
    let read = SafeTensors::decode(&Bytes::from_static(PYTHON)).unwrap();
    macro_rules! assert_values {
        ($($name:literal: $element:ty = $values:expr;)*) => {
            $(assert_eq!(read.tensor($name).unwrap().as_slice::<$element>().unwrap(), $values);)*
        };
    }
    assert_values! {
        "bool": bool = [true, false, false, true, true];
        "u8": u8 = [0, 127, 255];
        "i8": i8 = [-128, -1, 0, 127];
        "u16": u16 = [1, 65535];
        "i16": i16 = [i16::MIN, i16::MAX];
        "f16": f16 = [0.5, -2.0, 65504.0, 6e-8].map(f16::from_f64);
        "bf16": bf16 = [0x3f80, 0xbe20, 0x7f61].map(bf16::from_bits);
        "u32": u32 = [u32::MAX];
        "i32": i32 = [i32::MIN, 0, i32::MAX];
        "f32": f32 = [0.1, -0.0, 3.0, 4.0, 5.0, 1e-45];
        "c64": [f32; 2] = [[1.0, -1.0], [0.0, 0.5]];
        "u64": u64 = [u64::MAX];
        "i64": i64 = [i64::MIN, i64::MAX];
        "f64": f64 = [0.1, -1e300];
        "one number": f64 = [42.0];
        "no number": f32 = [0.0; 0];
    }
    assert_eq!(read.tensor("f8").unwrap().bytes().unwrap(), &[0x38, 0xc0, 0x7e][..]);
    assert_eq!(read.tensor("layers.0/weight").unwrap().shape(), [32, 16]);
}

#[test]
fn what_larder_writes_is_the_file_that_pythons_library_was_seen_to_read() {
    assert_eq!(encoded(&every_kind()), LARDER);
    // In whatever order the tensors were put in, and also when they come from a file.
    let again = SafeTensors::decode(&Bytes::from_static(LARDER)).unwrap();
    assert_eq!(encoded(&again), LARDER);
}

#[test]
fn what_larder_writes_is_what_the_formats_own_library_writes() {
    let mut tensors = every_kind();
    // Its library writes metadata in another order each time.
    tensors.metadata_mut().clear();
    let views = tensors.iter().map(|(name, tensor)| {
        let (shape, bytes) = (tensor.shape().to_vec(), tensor.bytes().unwrap());
        (name, safetensors::tensor::TensorView::new(tensor.dtype(), shape, bytes).unwrap())
    });
    assert_eq!(encoded(&tensors), safetensors::serialize(views, None).unwrap());
}

#[test]
fn tensors_lie_in_the_file_where_they_are_read_from() {
    let file = Bytes::from(encoded(&every_kind()));
    let read = SafeTensors::decode(&file).unwrap();
    for (name, tensor) in read.iter().filter(|(_, tensor)| tensor.byte_len() > 0) {
        let inside = file.as_ptr_range().contains(&tensor.bytes().unwrap().as_ptr());
        assert!(inside, "`{name}` was copied");
    }
}

#[test]
fn a_foreign_file_whose_header_is_not_padded_is_read_all_the_same() {
    let json = br#"{"odd":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    for padding in 0..8 {
        let mut file = ((json.len() + padding) as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json);
        file.resize(file.len() + padding, b' ');
        file.extend([1.5_f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
        let read = SafeTensors::decode(&file.into()).unwrap();
        assert_eq!(read.tensor("odd").unwrap().as_slice::<f32>().unwrap(), [1.5, -2.0]);
    }
}

#[test]
fn tensors_may_stand_in_the_header_in_another_order_than_in_the_file() {
    let json = br#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(json);
    file.extend([7, 9]);
    let read = SafeTensors::decode(&file.into()).unwrap();
    let number = |name| read.tensor(name).unwrap().as_slice::<u8>().unwrap()[0];
    assert_eq!((number("a"), number("b")), (7, 9));
}

#[test]
fn a_tensor_with_the_name_of_the_metadata_is_refused() {
    let tensors: Tensors = [("__metadata__", vec![1_u8])].into_iter().collect();
    let error: BoxError = SafeTensors::encode(&tensors, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("`__metadata__`"), "{error}");
}
