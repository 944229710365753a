//! Tensors as arrays of ndarray.

use larder::serializers::ndarray::{Array, Array2, ArrayD, Axis, array, s};
use larder::serializers::{Tensor, Tensors};

use super::told;

#[test]
fn an_array_comes_back_with_its_shape() {
    let array =
        Array::from_shape_fn((2, 3, 4), |(i, j, k)| (i * 100 + j * 10 + k) as i64).into_dyn();
    let mut tensors = Tensors::new();
    assert!(tensors.insert_array("cube", &array).is_none());
    assert_eq!(tensors.tensor("cube").unwrap().view::<i64>().unwrap(), array);
}

#[test]
fn an_array_that_is_given_away_is_viewed_where_it_lies() {
    let array = Array2::<f32>::ones((300, 200));
    let place = array.as_ptr();
    let tensor = Tensor::from(array);
    let view = tensor.view::<f32>().unwrap();
    assert_eq!((view.as_ptr(), view.shape()), (place, &[300, 200][..]));
}

#[test]
fn arrays_that_do_not_lie_in_order_are_put_in_order() {
    let array = Array::from_shape_fn((4, 6), |(i, j)| (i * 10 + j) as u16);
    let cases: [ArrayD<u16>; 4] = [
        array.clone().reversed_axes().into_dyn(),
        array.clone().slice_move(s![1..3, ..]).into_dyn(),
        array.clone().slice_move(s![.., ..;2]).into_dyn(),
        array.clone().slice_move(s![..;-1, 2]).into_dyn(),
    ];
    for case in cases {
        assert_eq!(Tensor::from(&case).view::<u16>().unwrap(), case);
        assert_eq!(Tensor::from(case.clone()).view::<u16>().unwrap(), case);
    }
    let column = array.index_axis(Axis(1), 5);
    assert_eq!(Tensor::from(&column).as_slice::<u16>().unwrap(), [5, 15, 25, 35]);
}

#[test]
fn arrays_without_elements_or_dimensions_come_back() {
    let none = Tensor::from(Array2::<f64>::zeros((0, 3)));
    assert_eq!(none.view::<f64>().unwrap().shape(), [0, 3]);
    let one = Tensor::from(larder::serializers::ndarray::arr0(4.5_f64));
    assert_eq!(one.view::<f64>().unwrap().sum(), 4.5);
}

#[test]
fn rejects_a_view_of_another_type() {
    let error = Tensor::from(array![[true, false]]).view::<u8>().unwrap_err();
    assert!(told(&error).contains("BOOL, not U8"), "{error}");
}
