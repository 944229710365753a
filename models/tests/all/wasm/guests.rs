//! Guests, their native counterparts and test data.

use std::sync::OnceLock;

use larder_core::Model;
use larder_models::WasmModel;

pub(crate) const LINEAR: &[u8] = include_bytes!("../../guests/linear.wasm");
pub(crate) const LINEAR_CORE: &[u8] = include_bytes!("../../guests/linear.core.wasm");
pub(crate) const TREE: &[u8] = include_bytes!("../../guests/tree.wasm");
pub(crate) const COLUMN: &[u8] = include_bytes!("../../guests/column.wasm");

/// The 150 irises, with four measurements each.
pub(crate) fn flowers() -> Vec<[f64; 4]> {
    let rows = include_str!("../../iris.csv").lines().skip(1);
    let flowers: Vec<_> = rows
        .map(|row| {
            let mut numbers = row.split(',').map(|number| number.parse().unwrap());
            [(); 4].map(|()| numbers.next().unwrap())
        })
        .collect();
    assert_eq!(flowers.len(), 150);
    flowers
}

/// `linear.c` in Rust.
pub(crate) fn linear(x: [f64; 4]) -> [f64; 3] {
    WEIGHTS.map(|weights| x.iter().zip(weights).fold(weights[4], |score, (x, w)| score + w * x))
}

const WEIGHTS: [[f64; 5]; 3] = [
    [0.06564305, 0.24247300, -0.22276138, -0.06335141, 0.12246954],
    [-0.02154464, -0.44070556, 0.21852137, -0.48319129, 1.56297692],
    [-0.04409841, 0.19823256, 0.00424001, 0.54654271, -0.68544646],
];

/// `tree.ts` in Rust.
pub(crate) fn tree(x: [f64; 4]) -> (&'static str, f64) {
    let [_, _, length, width] = x;
    let species = match (length, width) {
        (length, _) if length < 2.45 => "setosa",
        (_, width) if width >= 1.75 => "virginica",
        (length, width) if length < 4.95 => ["versicolor", "virginica"][usize::from(width >= 1.65)],
        (_, width) if width < 1.55 => "virginica",
        (length, _) => ["versicolor", "virginica"][usize::from(length >= 5.45)],
    };
    (species, length * width)
}

/// Compiles a guest from the text format.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A JSON guest with the required exports and `rest`. It has one page of memory; inputs are at 1024.
pub(crate) fn guest(rest: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "larder_abi_1_json"))
            (func (export "larder_alloc") (param i32) (result i32) (i32.const 1024))
            {rest})"#
    ))
}

/// A guest that predicts with `body`, which maps `$at` and `$len` to an i64.
pub(crate) fn predicts(body: &str) -> Vec<u8> {
    guest(&format!(
        r#"(func $predict (export "larder_predict") (param $at i32) (param $len i32) (result i64) {body})"#
    ))
}

/// A guest that returns its input.
pub(crate) fn echo() -> Vec<u8> {
    predicts(
        "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
            (i64.extend_i32_u (local.get $len)))",
    )
}

/// Asserts that a valid model still predicts in this process.
pub(crate) fn assert_good_model_predicts() {
    static GOOD: OnceLock<WasmModel> = OnceLock::new();
    let model = GOOD.get_or_init(|| WasmModel::from_bytes(TREE).unwrap());
    assert_eq!(model.predict_json_erased("[5.1, 3.5, 1.4, 0.2]").unwrap(), SETOSA);
}

/// Prediction of `tree.wasm` for the first flower.
pub(crate) const SETOSA: &str = r#"{"species":"setosa","area":0.27999999999999999}"#;
