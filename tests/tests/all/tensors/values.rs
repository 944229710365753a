//! Tensors in memory and by serde formats.

use larder::bytes::Bytes;
use larder::serializers::Dtype;
use larder::serializers::{Bincode, Json, MsgPack, Postcard, Tensor};
use larder_testkit::{Codec, all_serializer_laws};

use super::{every_kind, noisy, same, told};

#[test]
fn tensors_keep_every_law_in_every_serde_format() {
    let mut tensors = every_kind();
    tensors.remove("layers.0/weight");
    for codec in [Codec::of::<MsgPack>(), Codec::of::<Bincode>(), Codec::of::<Postcard>()] {
        all_serializer_laws(&codec, &tensors, same);
    }
    all_serializer_laws(&Codec::of::<Json>(), &tensors, same);
    all_serializer_laws(&Codec::format(MsgPack), &tensors, same);
}

#[test]
fn large_tensors_come_back_outside_of_a_larder() {
    let tensors = noisy(&["a", "b"], 100_000);
    for codec in [Codec::of::<MsgPack>(), Codec::of::<Json>(), Codec::of::<Postcard>()] {
        let back = codec.decode(&codec.encode(&tensors).unwrap()).unwrap();
        assert!(same(&back, &tensors), "{}", codec.name());
    }
}

#[test]
fn elements_that_are_given_away_are_not_copied() {
    let elements = vec![1.0_f64; 1000];
    let place = elements.as_ptr();
    let tensor = Tensor::from_vec([10, 100], elements).unwrap();
    assert_eq!(tensor.as_slice::<f64>().unwrap().as_ptr(), place);
    assert_eq!(tensor.clone().as_slice::<f64>().unwrap().as_ptr(), place, "a clone shares them");
    let bytes = tensor.bytes().unwrap().clone();
    let again = Tensor::new(Dtype::F64, [1000], bytes).unwrap();
    assert_eq!(again.as_slice::<f64>().unwrap().as_ptr(), place);
}

#[test]
fn bytes_that_begin_anywhere_are_read_all_the_same() {
    let bytes = Bytes::from((0..40_u8).collect::<Vec<_>>());
    for begin in 0..8 {
        let tensor = Tensor::new(Dtype::U64, [3], bytes.slice(begin..begin + 24)).unwrap();
        let first = u64::from_le_bytes(bytes[begin..begin + 8].try_into().unwrap());
        assert_eq!(tensor.as_slice::<u64>().unwrap()[0], first);
        assert_eq!(tensor.bytes().unwrap(), &bytes[begin..begin + 24]);
    }
}

#[test]
fn rejects_elements_of_another_type() {
    let tensor = Tensor::from_vec([2, 2], vec![1.0_f32; 4]).unwrap();
    let told = told(&tensor.as_slice::<i32>().unwrap_err());
    assert!(told.contains("F32 [2, 2]") && told.contains("I32"), "{told}");
}

#[test]
fn rejects_a_bool_that_is_neither() {
    let tensor = Tensor::new(Dtype::BOOL, [2], Bytes::from_static(&[1, 2])).unwrap();
    let told = told(&tensor.as_slice::<bool>().unwrap_err());
    assert!(told.contains("0 nor 1"), "{told}");
    assert_eq!(tensor.bytes().unwrap(), &[1, 2][..], "its bytes can be had");
}

#[test]
fn rejects_a_shape_of_another_size() {
    let error = Tensor::from_vec([2, 3], vec![0_u16; 5]).unwrap_err();
    assert!(told(&error).contains("U16 [2, 3]") && told(&error).contains("12 bytes"));
    let error = Tensor::new(Dtype::U8, [usize::MAX, 2], Bytes::new()).unwrap_err();
    assert!(told(&error).contains("overflows"), "{error}");
    let error = Tensor::new(Dtype::F4, [3], Bytes::from_static(&[0, 0])).unwrap_err();
    assert!(told(&error).contains("whole number"), "{error}");
    assert!(Tensor::new(Dtype::F4, [4], Bytes::from_static(&[0, 0])).is_ok());
    assert!(Tensor::new(Dtype::F6_E2M3, [4], Bytes::from_static(&[0, 0, 0])).is_ok());
}

#[test]
fn rejects_a_name_that_is_not_there_and_lists_those_that_are() {
    let error = noisy(&["bias", "weight"], 8).tensor("wieght").unwrap_err();
    assert!(told(&error).contains("`wieght`") && told(&error).contains("bias, weight"), "{error}");
}
