//! Operators that tract runs otherwise than their specification, in versions of our own.

mod dequantize;
mod feature_extractor;
mod one_hot;
mod reduce;
mod slice;

use tract_onnx::Onnx;
use tract_onnx::prelude::{TractResult, TypedModel};

/// Replaces operators of a model that is not yet optimized.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    dequantize::keep_out_of_tables(model)?;
    reduce::reduce_nothing(model)
}

/// Replaces operators of tract; `bounded` keeps the bounds of a `Slice` within open dimensions.
///
/// A bounded dimension has another formula, which may keep an analysis from seeing that two dimensions are equal.
pub(super) fn register(onnx: &mut Onnx, bounded: bool) {
    let extract = feature_extractor::array_feature_extractor;
    onnx.op_register.insert("ArrayFeatureExtractor", extract);
    onnx.op_register.insert("OneHot", one_hot::one_hot);
    if bounded {
        onnx.op_register.insert("Slice", slice::slice);
    }
}
