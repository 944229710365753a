//! Tensors from and to ONNX Runtime.

use ort::session::SessionInputValue;
use ort::value::{DynValue, Tensor as RuntimeTensor, TensorElementType, TensorRef, ValueType};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor as _, TValue, TVec, Tensor, TractError, TractResult, f16};

use super::super::dtype::DType;

/// Converts an element type; `None` if Larder has no such type.
pub(super) fn dtype_of(ty: TensorElementType) -> Option<DType> {
    Some(match ty {
        TensorElementType::Float16 => DType::Float16,
        TensorElementType::Float32 => DType::Float32,
        TensorElementType::Float64 => DType::Float64,
        TensorElementType::Int8 => DType::Int8,
        TensorElementType::Int16 => DType::Int16,
        TensorElementType::Int32 => DType::Int32,
        TensorElementType::Int64 => DType::Int64,
        TensorElementType::Uint8 => DType::Uint8,
        TensorElementType::Uint16 => DType::Uint16,
        TensorElementType::Uint32 => DType::Uint32,
        TensorElementType::Uint64 => DType::Uint64,
        TensorElementType::Bool => DType::Bool,
        TensorElementType::String => DType::String,
        _ => return None,
    })
}

fn failed(error: ort::Error) -> TractError {
    TractError::msg(error.to_string())
}

/// Expands an expression for each element type but text.
macro_rules! for_each {
    ($dtype:expr, $each:ident, $text:expr, $other:expr) => {
        match $dtype {
            Some(DType::Float16) => $each!(f16),
            Some(DType::Float32) => $each!(f32),
            Some(DType::Float64) => $each!(f64),
            Some(DType::Int8) => $each!(i8),
            Some(DType::Int16) => $each!(i16),
            Some(DType::Int32) => $each!(i32),
            Some(DType::Int64) => $each!(i64),
            Some(DType::Uint8) => $each!(u8),
            Some(DType::Uint16) => $each!(u16),
            Some(DType::Uint32) => $each!(u32),
            Some(DType::Uint64) => $each!(u64),
            Some(DType::Bool) => $each!(bool),
            Some(DType::String) => $text,
            None => $other,
        }
    };
}

/// Lends a tensor; text is copied.
pub(super) fn to_runtime(tensor: &TValue) -> TractResult<SessionInputValue<'_>> {
    let (shape, plain) = (tensor.shape(), tensor.try_as_plain_ram()?);
    macro_rules! lend {
        ($element:ty) => {{
            let view = (shape, plain.as_slice::<$element>()?);
            Ok(TensorRef::from_array_view(view).map_err(failed)?.into())
        }};
    }
    for_each!(
        DType::of(tensor.datum_type()),
        lend,
        {
            let texts = plain.as_slice::<String>()?;
            Ok(RuntimeTensor::from_string_array((shape, texts)).map_err(failed)?.into())
        },
        Err(TractError::msg("an input has an unsupported element type"))
    )
}

/// Copies a tensor.
pub(super) fn from_runtime(value: &DynValue) -> TractResult<TValue> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(TractError::msg("an output is not a tensor"));
    };
    let shape: TVec<usize> =
        shape.iter().map(|size| usize::try_from(*size)).collect::<Result<_, _>>()?;
    macro_rules! copy {
        ($element:ty) => {{
            let (_, elements) = value.try_extract_tensor::<$element>().map_err(failed)?;
            // Only tract needs more, and allocations with a wide alignment are slow.
            let align = align_of::<$element>();
            Ok(Tensor::from_shape_align(&shape, elements, align)?.into())
        }};
    }
    for_each!(
        dtype_of(*ty),
        copy,
        {
            let (_, texts) = value.try_extract_strings().map_err(failed)?;
            Ok(ArrayD::from_shape_vec(&*shape, texts)?.into_tensor().into())
        },
        Err(TractError::msg("an output has an unsupported element type"))
    )
}
