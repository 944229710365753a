//! Conversion between tensors and ndarray arrays.

use larder_core::Result;
use ndarray::{Array, ArrayBase, ArrayViewD, Data as Elements, Dimension, RawData};

use super::{Element, Tensor, Tensors};

impl Tensor {
    /// Returns the tensor as an array view, without a copy.
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
    /// As [`as_slice`](Tensor::as_slice); [`Error::Decode`](larder_core::Error::Decode) if ndarray does not
    /// support the shape.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let elements = self.as_slice::<T>()?;
        ArrayViewD::from_shape(self.shape(), elements)
            .map_err(|error| self.decode_error::<ArrayViewD<'_, T>>(error))
    }
}

impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor {
    /// Moves the elements if they are in C order, and copies them otherwise.
    fn from(array: Array<T, D>) -> Self {
        if !array.is_standard_layout() {
            return Self::from(&array);
        }
        let (shape, len) = (array.shape().to_vec(), array.len());
        let (mut elements, begin) = array.into_raw_vec_and_offset();
        // A sliced array still owns the elements outside the slice.
        if elements.len() != len {
            elements = elements.into_iter().skip(begin.unwrap_or_default()).take(len).collect();
        }
        Self::from_elements(shape, elements)
    }
}

impl<S, D> From<&ArrayBase<S, D>> for Tensor
where
    S: Elements + RawData<Elem: Element>,
    D: Dimension,
{
    /// Copies the elements in C order.
    fn from(array: &ArrayBase<S, D>) -> Self {
        Self::from_elements(array.shape().to_vec(), array.iter().copied().collect())
    }
}

impl Tensors {
    /// Inserts a copy of an array, and returns the previous tensor of that name.
    ///
    /// [`insert`](Tensors::insert) moves an owned array in C order without a copy.
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
