//! Inference: loads the model by reference, reads one flower per line as JSON and prints its species. See `training.rs`.
#![allow(clippy::print_stdout)]

mod model; // links the model type

use std::error::Error;
use std::io::{BufRead, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let reference = std::env::args().nth(1).unwrap_or_else(|| model::REFERENCE.to_owned());
    let model = larder::load_model(&reference)?;
    for flower in stdin().lock().lines() {
        println!("{}", model.predict_json(&flower?)?);
    }
    Ok(())
}
