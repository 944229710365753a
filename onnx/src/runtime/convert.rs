//! Values from and to ONNX Runtime.

use ort::session::SessionInputValue;
use ort::value::{
    DynSequenceValueType, DynTensor, DynTensorValueType, DynValue, DynValueRef, Sequence,
    Tensor as RuntimeTensor, TensorElementType, TensorRef, ValueType,
};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor as _, TValue, TVec, Tensor, TractError, TractResult, f16};

use super::super::data::Data;
use super::super::dtype::DType;
use super::super::interface::{Dim, Port};
use super::adapt;

/// Maximum number of elements that stand for a missing value.
const MAX_NOTHING: usize = 1 << 24;

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
            _ => $other,
        }
    };
}

/// Lends a value of an input, or makes one that stands for a missing one.
pub(super) fn to_runtime<'v>(port: &Port, data: &'v Data) -> TractResult<SessionInputValue<'v>> {
    match data {
        Data::Tensor(tensor) => lend(tensor),
        Data::Sequence(tensors) => sequence(port, tensors),
        Data::Missing if port.sequence => sequence(port, &[]),
        Data::Missing => Ok(zeros(port)?.into()),
    }
}

/// Says if an optional value is given.
pub(super) fn flag(is_given: bool) -> TractResult<SessionInputValue<'static>> {
    let shape: [usize; 0] = [];
    Ok(RuntimeTensor::from_array((shape, vec![is_given])).map_err(failed)?.into())
}

/// Reads what says if an optional value is given.
pub(super) fn is_given(flag: &DynValue) -> TractResult<bool> {
    let (_, flags) = flag.try_extract_tensor::<bool>().map_err(failed)?;
    Ok(flags.first() == Some(&true))
}

/// Copies tensors into a sequence.
fn sequence(port: &Port, tensors: &[TValue]) -> TractResult<SessionInputValue<'static>> {
    if tensors.is_empty() {
        return nothing(port.dtype);
    }
    let copies: Vec<DynTensor> = tensors.iter().map(copy).collect::<TractResult<_>>()?;
    Ok(Sequence::new(copies).map_err(failed)?.into())
}

/// A sequence of no tensors, which only a model can make.
fn nothing(dtype: DType) -> TractResult<SessionInputValue<'static>> {
    let element = match dtype {
        DType::Float16 => DataType::Float16,
        DType::Float32 => DataType::Float,
        DType::Float64 => DataType::Double,
        DType::Int8 => DataType::Int8,
        DType::Int16 => DataType::Int16,
        DType::Int32 => DataType::Int32,
        DType::Int64 => DataType::Int64,
        DType::Uint8 => DataType::Uint8,
        DType::Uint16 => DataType::Uint16,
        DType::Uint32 => DataType::Uint32,
        DType::Uint64 => DataType::Uint64,
        DType::Bool => DataType::Bool,
        DType::String => DataType::String,
        _ => return Err(TractError::msg("a sequence has an unsupported element type")),
    };
    let mut session = super::open(&adapt::sequence_of_nothing(element)).map_err(TractError::msg)?;
    let none: [SessionInputValue<'_>; 0] = [];
    let mut outputs = session.run(none).map_err(failed)?;
    let sequence = outputs.remove("sequence");
    Ok(sequence.ok_or_else(|| TractError::msg("an empty sequence is missing"))?.into())
}

/// A tensor that nobody reads.
fn zeros(port: &Port) -> TractResult<DynTensor> {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => usize::try_from(*size).unwrap_or_default(),
        Dim::Symbol(_) => 1,
    };
    let shape: Vec<usize> = port.shape.iter().map(size).collect();
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let count = count.filter(|count| *count <= MAX_NOTHING);
    let count = count.ok_or_else(|| TractError::msg("it is too large to be left out"))?;
    macro_rules! fill {
        ($element:ty) => {{
            let zeros = vec![<$element>::default(); count];
            Ok(RuntimeTensor::from_array((shape, zeros)).map_err(failed)?.upcast())
        }};
    }
    for_each!(
        Some(port.dtype),
        fill,
        {
            let texts = vec![String::new(); count];
            let texts = RuntimeTensor::from_string_array((shape, &texts[..])).map_err(failed)?;
            Ok(texts.upcast())
        },
        Err(TractError::msg("an optional input has an unsupported element type"))
    )
}

/// Copies a tensor.
fn copy(tensor: &TValue) -> TractResult<DynTensor> {
    let (shape, plain) = (tensor.shape().to_vec(), tensor.try_as_plain_ram()?);
    macro_rules! copied {
        ($element:ty) => {{
            let elements = plain.as_slice::<$element>()?.to_vec();
            Ok(RuntimeTensor::from_array((shape, elements)).map_err(failed)?.upcast())
        }};
    }
    for_each!(
        DType::of(tensor.datum_type()),
        copied,
        {
            let texts = plain.as_slice::<String>()?;
            Ok(RuntimeTensor::from_string_array((shape, texts)).map_err(failed)?.upcast())
        },
        Err(TractError::msg("a sequence has an unsupported element type"))
    )
}

/// Lends a tensor; text is copied.
fn lend(tensor: &TValue) -> TractResult<SessionInputValue<'_>> {
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

/// Copies a value, into aligned memory.
pub(super) fn from_runtime(value: DynValueRef<'_>) -> TractResult<Data> {
    if !matches!(value.dtype(), ValueType::Sequence(_)) {
        return Ok(Data::Tensor(tensor(&value)?));
    }
    let sequence = value.downcast::<DynSequenceValueType>().map_err(failed)?;
    let items = sequence.try_extract_sequence::<DynTensorValueType>().map_err(failed)?;
    let tensors = items.into_iter().map(|item| tensor(&item.into_dyn()));
    Ok(Data::Sequence(tensors.collect::<TractResult<_>>()?))
}

fn tensor(value: &DynValue) -> TractResult<TValue> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(TractError::msg("an output is not a tensor"));
    };
    let mut sizes: TVec<usize> = TVec::new();
    for size in shape.iter() {
        sizes.push(usize::try_from(*size)?);
    }
    macro_rules! copy {
        ($element:ty) => {{
            let (_, elements) = value.try_extract_tensor::<$element>().map_err(failed)?;
            // Only tract needs more, and allocations with a wide alignment are slow.
            let align = align_of::<$element>();
            Ok(Tensor::from_shape_align(&sizes, elements, align)?.into())
        }};
    }
    for_each!(
        dtype_of(*ty),
        copy,
        {
            let (_, texts) = value.try_extract_strings().map_err(failed)?;
            Ok(ArrayD::from_shape_vec(&*sizes, texts)?.into_tensor().into())
        },
        Err(TractError::msg("an output has an unsupported element type"))
    )
}
