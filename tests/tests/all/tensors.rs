//! Tensors: by name, as one file, and as blobs that versions share.

mod arrays;
mod file;
mod hostile;
#[cfg(feature = "servers")]
mod python;
mod sharing;
mod values;

use larder::bytes::Bytes;
use larder::serializers::Dtype;
use larder::serializers::half::{bf16, f16};
use larder::serializers::{Tensor, Tensors};

/// The tensors that `fixtures/tensors/make.py` wrote.
fn every_kind() -> Tensors {
    fn of<T: larder::serializers::Element>(shape: &[usize], elements: Vec<T>) -> Tensor {
        Tensor::from_vec(shape, elements).unwrap()
    }
    let f16s = [0.5, -2.0, 65504.0, 6e-8].map(f16::from_f32).to_vec();
    let f8s = Tensor::new(Dtype::F8_E4M3, [3], Bytes::from_static(&[0x38, 0xc0, 0x7e])).unwrap();
    // The bits of 3e38 without its lower half: cut off, not rounded.
    let bf16s = vec![bf16::from_f32(1.0), bf16::from_f32(-0.15625), bf16::from_bits(0x7f61)];
    let mut tensors = Tensors::new();
    tensors.insert("bool", vec![true, false, false, true, true]);
    tensors.insert("u8", vec![0_u8, 127, 255]);
    tensors.insert("i8", of(&[2, 2], vec![-128_i8, -1, 0, 127]));
    tensors.insert("f8", f8s);
    tensors.insert("u16", vec![1_u16, 65535]);
    tensors.insert("i16", vec![i16::MIN, i16::MAX]);
    tensors.insert("f16", f16s);
    tensors.insert("bf16", bf16s);
    tensors.insert("u32", vec![u32::MAX]);
    tensors.insert("i32", of(&[1, 3], vec![i32::MIN, 0, i32::MAX]));
    tensors.insert("f32", of(&[2, 3], vec![0.1_f32, -0.0, 3.0, 4.0, 5.0, 1e-45]));
    tensors.insert("c64", vec![[1.0_f32, -1.0], [0.0, 0.5]]);
    tensors.insert("u64", vec![u64::MAX]);
    tensors.insert("i64", vec![i64::MIN, i64::MAX]);
    tensors.insert("f64", vec![0.1_f64, -1e300]);
    tensors.insert("one number", of(&[], vec![42.0_f64]));
    tensors.insert("no number", of::<f32>(&[0, 4], vec![]));
    let weight = (0..512_u16).map(|n| f32::from(n) / 8.0).collect();
    tensors.insert("layers.0/weight", of::<f32>(&[32, 16], weight));
    for (key, text) in [("format", "np"), ("trained on", "1,599 wines"), ("note", "zwölf 🍷")] {
        tensors.metadata_mut().insert(key.into(), text.into());
    }
    tensors
}

/// Returns true if names, dtypes, shapes, bytes and metadata are equal.
fn same(left: &Tensors, right: &Tensors) -> bool {
    let alike = |left: &Tensor, right: &Tensor| {
        (left.dtype(), left.shape(), left.bytes().unwrap())
            == (right.dtype(), right.shape(), right.bytes().unwrap())
    };
    let mut pairs = left.iter().zip(right.iter());
    left.len() == right.len()
        && left.metadata() == right.metadata()
        && pairs.all(|((left_name, left), (name, right))| left_name == name && alike(left, right))
}

/// Tensors of so many bytes each, of noise.
fn noisy(names: &[&str], bytes: usize) -> Tensors {
    let noise = |seed: u32| -> Vec<u32> {
        (0..bytes as u32 / 4).map(|n| (n ^ seed << 24).wrapping_mul(2_654_435_761)).collect()
    };
    names.iter().enumerate().map(|(seed, name)| (*name, noise(seed as u32 + 1))).collect()
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
