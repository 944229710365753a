//! Tensors as ndarray arrays or slices.

use std::fmt;

use larder_core::{Error, Result};
use tract_onnx::prelude::tract_ndarray::{Array, ArrayView, ArrayViewD, Dimension};
use tract_onnx::prelude::{Datum, TValue, Tensor};

use super::compare::difference_of;
use super::data::Data;
use super::dtype::DType;
use super::interface::Port;
use super::{element, file, test_data, write};

/// Input or output of a model: a tensor, a sequence of tensors, or an optional value that is missing.
///
/// Tensors of the types that Rust lacks hold others, which have all of their values: `f32` for `bfloat16` and floats of 8
/// bits, `i8` and `u8` for integers of 4 bits. Inputs are rounded.
///
/// ```
/// use larder_onnx::Value;
/// use larder_onnx::ndarray::array;
///
/// let value = Value::from(array![[1.0_f32, 2.0], [3.0, 4.0]]);
/// assert_eq!(value.shape(), [2, 2]);
/// assert_eq!(value.view::<f32>()?[[1, 0]], 3.0); // without a copy
/// assert_eq!(value.as_slice::<f32>()?, [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Value(pub(super) Data);

/// Element type of a [`Value`].
pub trait Element: Datum + element::Element + write::Element {}

impl<T: Datum + element::Element + write::Element> Element for T {}

impl Value {
    /// Creates a tensor from a copy of `elements`, in C order.
    ///
    /// # Errors
    /// [`Error::Input`] if the shape needs another number of elements.
    pub fn new<T: Element>(shape: &[usize], elements: &[T]) -> Result<Self> {
        let volume = shape.iter().try_fold(1_usize, |volume, size| volume.checked_mul(*size));
        if volume != Some(elements.len()) {
            let count = elements.len();
            return Err(input("", format!("{count} elements do not fit the shape {shape:?}")));
        }
        let tensor = T::tensor(shape, elements);
        Ok(Self::tensor(tensor.map_err(|error| input("", error.to_string()))?))
    }

    fn tensor(tensor: impl Into<TValue>) -> Self {
        Self(Data::Tensor(tensor.into()))
    }

    /// Creates a sequence of tensors.
    ///
    /// # Errors
    /// [`Error::Input`] if a value is not a tensor.
    pub fn sequence(values: impl IntoIterator<Item = Self>) -> Result<Self> {
        let values = values.into_iter().map(|Self(data)| data).collect();
        let tensors = Data::into_tensors(values);
        let tensors = tensors.map_err(|error| input("", error.to_string()))?;
        Ok(Self(Data::Sequence(tensors)))
    }

    /// Returns an optional value that is missing.
    pub fn missing() -> Self {
        Self(Data::Missing)
    }

    /// Returns true for an optional value that is missing.
    pub fn is_missing(&self) -> bool {
        matches!(self.0, Data::Missing)
    }

    /// Returns the tensors of a sequence; `None` for other values.
    pub fn items(&self) -> Option<Vec<Self>> {
        match &self.0 {
            Data::Sequence(tensors) => Some(tensors.iter().cloned().map(Self::tensor).collect()),
            _ => None,
        }
    }

    /// Reads a tensor in ONNX's own format (`TensorProto`), as its test data has them.
    ///
    /// # Errors
    /// [`Error::Input`] if it is none, is in another file, or has elements of an unsupported type.
    pub fn from_onnx(bytes: &[u8]) -> Result<Self> {
        let tensor = file::tensor(bytes).map_err(|reason| input("", reason))?;
        if DType::of(tensor.datum_type()).is_none() {
            return Err(input("", "its elements have a type that is not supported"));
        }
        Ok(Self::tensor(tensor))
    }

    /// Reads the value of an input or output in ONNX's own format: `TensorProto`, `SequenceProto` or `OptionalProto`.
    ///
    /// # Errors
    /// [`Error::Input`] if it is of another kind or element type.
    pub fn from_onnx_of(port: &Port, bytes: &[u8]) -> Result<Self> {
        let value = test_data::value(bytes, port);
        value.map(Self).map_err(|reason| input(&port.name, reason))
    }

    fn as_tensor(&self) -> Result<&TValue> {
        self.0.tensor().ok_or_else(|| input("", "the value is not a tensor"))
    }

    /// Returns true if two values of an output agree up to rounding: about a thousandth of the greatest number, more for
    /// `float16` and `bfloat16`.
    pub fn is_close(&self, other: &Self, port: &Port) -> bool {
        let (left, right) = (std::slice::from_ref(&self.0), std::slice::from_ref(&other.0));
        difference_of(std::slice::from_ref(port), left, right).is_none()
    }

    /// Returns the length of each dimension of a tensor; nothing for other values.
    pub fn shape(&self) -> &[usize] {
        self.0.tensor().map_or(&[], |tensor| tensor.shape())
    }

    /// Returns the element type of a tensor in memory; `None` for other values, or if ONNX has no such type.
    pub fn dtype(&self) -> Option<DType> {
        DType::of(self.0.tensor()?.datum_type())
    }

    /// Returns the tensor as an array view, without a copy.
    ///
    /// # Errors
    /// [`Error::Input`] if the element type is not `T`.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        self.as_tensor()?.to_plain_array_view().map_err(|error| input("", error.to_string()))
    }

    /// Returns the elements in C order, without a copy.
    ///
    /// # Errors
    /// [`Error::Input`] if the element type is not `T`.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        let plain = self.as_tensor()?.try_as_plain_ram().and_then(|plain| plain.as_slice());
        plain.map_err(|error| input("", error.to_string()))
    }
}

/// Returns an [`Error::Input`].
pub(super) fn input(path: &str, source: impl Into<larder_core::BoxError>) -> Error {
    Error::Input { path: path.to_owned(), source: source.into() }
}

impl<T: Element, D: Dimension> From<Array<T, D>> for Value {
    fn from(array: Array<T, D>) -> Self {
        Self::tensor(Tensor::from(array))
    }
}

/// Copies once, into aligned memory.
impl<T: Element, D: Dimension> From<ArrayView<'_, T, D>> for Value {
    fn from(view: ArrayView<'_, T, D>) -> Self {
        let copied = view.as_slice().and_then(|elements| T::tensor(view.shape(), elements).ok());
        match copied {
            Some(tensor) => Self::tensor(tensor),
            // The elements are not contiguous.
            None => Self::from(view.to_owned()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Data::Tensor(tensor) => write!(f, "Value({:?})", **tensor),
            Data::Sequence(_) => f.debug_list().entries(self.items().iter().flatten()).finish(),
            Data::Missing => f.write_str("Value(missing)"),
        }
    }
}
