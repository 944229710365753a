//! The inference workflow: takes the model from where it is told to, and judges what comes in.
//!
//! It reads a flower a line, as JSON, and prints a species a line. See `training.rs`.
#![allow(clippy::print_stdout)]

mod model; // linked in: the model is loaded by name alone

use std::error::Error;
use std::io::{BufRead, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let wired = std::env::args().nth(1).unwrap_or_else(|| model::REFERENCE.to_owned());
    let model = larder::load_model(&wired)?;
    for flower in stdin().lock().lines() {
        println!("{}", model.predict_json(&flower?)?);
    }
    Ok(())
}
