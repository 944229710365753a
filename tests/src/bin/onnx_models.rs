//! Puts models with each engine and asks them: `onnx_models FOLDER`.
//!
//! `FOLDER` is what `tests/all/onnx/estimators.py` wrote. Prints what is not right, and counts. Exits with 1 if a model
//! answers otherwise than its library, or does not answer once it is put.

#![allow(clippy::print_stdout, reason = "a program")]

use std::path::Path;
use std::process::ExitCode;
use std::{env, io};

use larder::models::onnx::Engine;
use larder_tests::onnx_models::{Outcome, cases};

const ENGINES: [(&str, Option<Engine>); 3] = [
    ("automatic", None),
    ("tract", Some(Engine::Tract)),
    ("onnxruntime", Some(Engine::OnnxRuntime)),
];

fn main() -> io::Result<ExitCode> {
    let Some(folder) = env::args().nth(1) else {
        println!("usage: onnx_models FOLDER");
        return Ok(ExitCode::from(2));
    };
    let cases = cases(Path::new(&folder))?;
    let mut faults = cases.is_empty();
    for (name, engine) in ENGINES {
        let mut counts = [0; 2];
        for case in &cases {
            let outcome = case.run(engine);
            match &outcome {
                Outcome::Right => counts[0] += 1,
                Outcome::Refused(_) => counts[1] += 1,
                Outcome::Fails(_) | Outcome::Wrong(_) => faults = true,
            }
            if outcome != Outcome::Right {
                println!("{name}: {}: {outcome}", case.name);
            }
        }
        let [right, refused] = counts;
        println!("{name}: {} models: {right} right, {refused} refused", cases.len());
    }
    Ok(if faults { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
