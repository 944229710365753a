//! Tensors as Rust has them: arrays of ndarray, or slices and shapes.

use std::fmt;

use larder_core::{Error, Result};
use tract_onnx::prelude::tract_ndarray::{Array, ArrayView, ArrayViewD, Dimension};
use tract_onnx::prelude::{Datum, TValue, Tensor};

use super::dtype::DType;
use super::{element, write};

/// A tensor that goes into a model, or comes out of it.
///
/// ```
/// use larder_models::onnx::Value;
/// use larder_models::onnx::ndarray::array;
///
/// let value = Value::from(array![[1.0_f32, 2.0], [3.0, 4.0]]);
/// assert_eq!(value.shape(), [2, 2]);
/// assert_eq!(value.view::<f32>()?[[1, 0]], 3.0); // lent, not copied
/// assert_eq!(value.as_slice::<f32>()?, [1.0, 2.0, 3.0, 4.0]); // for another version of ndarray
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Value(pub(super) TValue);

/// What the elements of a [`Value`] can be.
pub trait Element: Datum + element::Element + write::Element {}

impl<T: Datum + element::Element + write::Element> Element for T {}

impl Value {
    /// A tensor of this shape, whose elements are copied from `elements`, the last dimension first.
    ///
    /// # Errors
    /// [`Error::Input`] if their number is not that of the shape.
    pub fn new<T: Element>(shape: &[usize], elements: &[T]) -> Result<Self> {
        let volume = shape.iter().try_fold(1_usize, |volume, size| volume.checked_mul(*size));
        if volume != Some(elements.len()) {
            let count = elements.len();
            return Err(input(
                "",
                format!("{count} elements are not those of the shape {shape:?}"),
            ));
        }
        let tensor = T::tensor(shape, elements);
        Ok(Self(tensor.map_err(|error| input("", error.to_string()))?.into()))
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// The type of the elements; `None` for one that ONNX does not have.
    pub fn dtype(&self) -> Option<DType> {
        DType::of(self.0.datum_type())
    }

    /// The tensor as an array, lent.
    ///
    /// # Errors
    /// [`Error::Input`] if it has elements of another type.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        self.0.to_plain_array_view().map_err(|error| input("", error.to_string()))
    }

    /// The elements, lent, the last dimension first.
    ///
    /// # Errors
    /// [`Error::Input`] if it has elements of another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        let plain = self.0.try_as_plain_ram().and_then(|plain| plain.as_slice());
        plain.map_err(|error| input("", error.to_string()))
    }
}

/// An input that does not fit.
pub(super) fn input(path: &str, source: impl Into<larder_core::BoxError>) -> Error {
    Error::Input { path: path.to_owned(), source: source.into() }
}

impl<T: Element, D: Dimension> From<Array<T, D>> for Value {
    fn from(array: Array<T, D>) -> Self {
        Self(Tensor::from(array).into())
    }
}

/// Copied once, into memory that is aligned as the model wants it.
impl<T: Element, D: Dimension> From<ArrayView<'_, T, D>> for Value {
    fn from(view: ArrayView<'_, T, D>) -> Self {
        let copied = view.as_slice().and_then(|elements| T::tensor(view.shape(), elements).ok());
        match copied {
            Some(tensor) => Self(tensor.into()),
            // Its elements do not lie one after the other.
            None => Self::from(view.to_owned()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?})", *self.0)
    }
}
