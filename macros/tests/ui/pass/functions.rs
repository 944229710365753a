//! Compiles without warnings in a crate that depends on `larder` only, with shadowed names.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(dead_code)]

use larder::{codemodel, objectmodel};

mod std {}
mod core {}
mod serde {}
mod schemars {}
struct Result;
struct Option;
struct String;
struct Vec;
/// Adds.
#[objectmodel(tag = "ui/sum", num_workers = 4)]
pub fn sum(x: f64, mut y: f64) -> f64 {
    y += x;
    y
}

#[codemodel(tag = "ui/product")]
fn input(input: f64, call: f64, model: f64) -> f64 {
    input * call * model
}

#[objectmodel(tag = "ui/constant")]
const fn constant() -> u8 {
    1
}

#[cfg(any())]
#[objectmodel(tag = "ui/not-here")]
fn not_here(x: NotHere) -> NotHere {
    x
}

#[objectmodel(tag = "ui/not-here-either")]
#[cfg(any())]
fn not_here_either(x: NotHere) -> NotHere {
    x
}

#[objectmodel(tag = "ui/fails")]
fn fails(r#type: u8) -> ::std::result::Result<u8, &'static str> {
    ::std::result::Result::Ok(r#type)
}

/// A library type.
#[derive(larder::prelude::Serialize, larder::prelude::Deserialize)]
pub struct Scaler {
    factor: f64,
}

#[objectmodel(tag = "ui/scaler", num_workers = 2, method = "transform")]
impl Scaler {
    fn transform(&self, x: f64) -> f64 {
        self.factor * x
    }
}

fn main() {
    assert_eq!(sum(1.0, 2.0), 3.0);
    assert_eq!(input(1.0, 2.0, 3.0), 6.0);
    let _ = (sum::model(), input::model(), input::source(), constant::model(), fails::model());
}
