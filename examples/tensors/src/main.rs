//! Tensors of ndarray, candle and burn, in and out of a larder.

use burn::backend::NdArray;
use burn::tensor::TensorData;
use candle_core::{DType, Device};
use larder::prelude::*;
use larder::serializers::Tensor;

type BurnTensor = burn::tensor::Tensor<NdArray, 2>;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "acme/layers")]
struct Layers {
    weights: Artifact<Tensors>,
}

/// Copies the elements in C order, whatever the layout of the tensor.
fn from_candle(tensor: &candle_core::Tensor) -> Result<Tensor, BoxError> {
    let elements = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(Tensor::from_vec(tensor.dims(), elements)?)
}

fn to_candle(tensor: &Tensor) -> Result<candle_core::Tensor, BoxError> {
    let elements = tensor.as_slice::<f32>()?;
    Ok(candle_core::Tensor::from_slice(elements, tensor.shape(), &Device::Cpu)?)
}

fn from_burn(tensor: BurnTensor) -> Result<Tensor, BoxError> {
    let shape = tensor.dims();
    let elements = tensor.into_data().to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    Ok(Tensor::from_vec(shape, elements)?)
}

fn to_burn(tensor: &Tensor) -> Result<BurnTensor, BoxError> {
    let elements = tensor.as_slice::<f32>()?.to_vec();
    let data = TensorData::new(elements, tensor.shape().to_vec());
    Ok(BurnTensor::from_data(data, &Default::default()))
}

fn main() -> Result<(), BoxError> {
    let array = ndarray::array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let candle = candle_core::Tensor::new(&[[1.0_f32, 4.0], [2.0, 5.0], [3.0, 6.0]], &Device::Cpu)?;
    let burn = BurnTensor::from_data([[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]], &Default::default());

    let mut weights = Tensors::new();
    weights.insert("ndarray", &array);
    weights.insert("candle", from_candle(&candle.t()?)?); // a transposed view
    weights.insert("burn", from_burn(burn)?);

    let larder = larder::open("memory:")?;
    larder.apply("layers", &Layers { weights: weights.into() })?;

    let layers: Layers = larder.load("layers")?;
    let weights = layers.weights.get()?;
    assert_eq!(weights.tensor("ndarray")?.view::<f32>()?, array.into_dyn());
    let candle = to_candle(weights.tensor("candle")?)?;
    assert_eq!(candle.to_vec2::<f32>()?, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let burn = to_burn(weights.tensor("burn")?)?.into_data();
    assert_eq!(
        burn.to_vec::<f32>().map_err(|error| format!("{error:?}"))?,
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    println!("ndarray, candle and burn tensors came back as they were");
    Ok(())
}
