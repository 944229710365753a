//! Tensors as arrays of ndarray, and back.

use larder_core::Result;
use ndarray::{Array, ArrayBase, ArrayViewD, Data as Elements, Dimension, RawData};

use super::{Element, Tensor, Tensors};

impl Tensor {
    /// The tensor as an array, without a copy.
    ///
    /// ```
    /// use larder_serializers::{Tensor, ndarray::array};
    ///
    /// let tensor = Tensor::from(array![[1.0_f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(tensor.view::<f32>()?[[1, 0]], 3.0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`as_slice`](Tensor::as_slice); [`Error::Decode`](larder_core::Error::Decode) if ndarray has no
    /// such shape.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let elements = self.as_slice::<T>()?;
        ArrayViewD::from_shape(self.shape(), elements)
            .map_err(|error| self.unfit::<ArrayViewD<'_, T>>(error))
    }
}

impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor {
    /// The elements are not copied if they lie in C order.
    fn from(array: Array<T, D>) -> Self {
        if !array.is_standard_layout() {
            return Self::from(&array);
        }
        let (shape, len) = (array.shape().to_vec(), array.len());
        let (mut elements, begin) = array.into_raw_vec_and_offset();
        // An array that was cut down keeps what was cut off.
        if elements.len() != len {
            elements = elements.into_iter().skip(begin.unwrap_or_default()).take(len).collect();
        }
        Self::of_elements(shape, elements)
    }
}

impl<S, D> From<&ArrayBase<S, D>> for Tensor
where
    S: Elements + RawData<Elem: Element>,
    D: Dimension,
{
    /// A copy, in C order.
    fn from(array: &ArrayBase<S, D>) -> Self {
        Self::of_elements(array.shape().to_vec(), array.iter().copied().collect())
    }
}

impl Tensors {
    /// Puts a copy of an array under `name`, and gives the tensor that was there.
    ///
    /// An array that is given away, with [`insert`](Tensors::insert), need not be copied.
    pub fn insert_array<S, D>(
        &mut self,
        name: impl Into<String>,
        array: &ArrayBase<S, D>,
    ) -> Option<Tensor>
    where
        S: Elements + RawData<Elem: Element>,
        D: Dimension,
    {
        self.insert(name, array)
    }
}
