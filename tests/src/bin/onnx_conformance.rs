//! Runs the backend tests of the ONNX project: `onnx_conformance DATA KNOWN PAGE`.
//!
//! `DATA` is the folder `onnx/backend/test/data` of the wheel, `KNOWN` the list of the tests that are refused, `PAGE` the
//! page with the table. With `UPDATE_ONNX=1` it runs all tests and writes both; with `LARDER_ONNX=all` it runs all tests,
//! else every eighth; with `LIST_ONNX=1` it lists the refusals with their reasons. Exits with 1 if a test is wrong, fails only at the prediction, or was right and no longer is.

#![allow(clippy::print_stderr, reason = "a program")]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use larder::models::onnx::Engine;
use larder_tests::onnx::{Outcome, cases, reasons, refusals, table};

/// Every which test runs without a variable.
const STEP: usize = 8;
/// Where the tables begin on the page.
const MARK: &str = "| refused because |";

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [data, known, page] = &arguments[..] else {
        eprintln!("usage: onnx_conformance DATA KNOWN PAGE");
        return Ok(ExitCode::from(2));
    };
    let update = env::var_os("UPDATE_ONNX").is_some();
    let all = update || env::var("LARDER_ONNX").is_ok_and(|value| value == "all");
    let list = env::var_os("LIST_ONNX").is_some();
    let known_lines = fs::read_to_string(known).unwrap_or_default();
    let was_right = |name: &str, engine: &str| {
        !known_lines.lines().any(|line| {
            line.split_once('\t').is_some_and(|(test, engines)| {
                test == name && (engines == engine || engines == "both")
            })
        })
    };
    let mut faults = 0;
    let mut results = Vec::new();
    for case in cases(Path::new(data))?.into_iter().step_by(if all { 1 } else { STEP }) {
        let engines = [(Engine::Tract, "tract"), (Engine::OnnxRuntime, "onnxruntime")];
        let pair = engines.map(|(engine, name)| {
            let outcome = case.run(engine);
            let fault = match &outcome {
                Outcome::Right => None,
                Outcome::Refused(reason) if update || !was_right(&case.name, name) => {
                    if list {
                        eprintln!("{name}: {} is refused: {reason}", case.name);
                    }
                    None
                }
                Outcome::Refused(reason) => Some(format!("is refused now: {reason}")),
                Outcome::Fails(reason) => Some(format!("fails at the prediction: {reason}")),
                Outcome::Wrong(reason) => Some(format!("is wrong: {reason}")),
            };
            if let Some(fault) = fault {
                faults += 1;
                eprintln!("{} {fault}", case.name);
            }
            outcome
        });
        results.push((case, pair));
    }
    let count = results.len();
    let right =
        |engine: usize| results.iter().filter(|(_, pair)| pair[engine] == Outcome::Right).count();
    eprintln!("{count} tests: {} right with tract, {} with ONNX Runtime", right(0), right(1));
    if update {
        fs::write(known, refusals(&results))?;
        let text = fs::read_to_string(page)?;
        let head = text.split_once(MARK).map_or(&*text, |(head, _)| head);
        fs::write(page, format!("{head}{}\n{}", reasons(&results), table(&results)))?;
    }
    Ok(if faults == 0 && count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
