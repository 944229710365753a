//! Predictions with ONNX models: Larder against tract, ONNX Runtime and Python's onnxruntime, each in its own process.
//!
//! ```sh
//! cargo run --release -p larder-benches --features onnx --bin onnx -- [PYTHON]
//! ```
//!
//! `PYTHON` is an interpreter with `onnxruntime` and `numpy`, whose library Larder uses too; without it, the environment
//! that `scripts/test` makes. Processes take turns, so that a busy machine affects all alike.

mod bare;
mod child;
mod large;

use std::path::{Path, PathBuf};
use std::process::Command;

use larder_benches::{Outcome, head, say, show};

use child::Load;

/// Processes of each side.
const ROUNDS: usize = 5;
/// Highest ratio to what Larder is compared with.
const GOAL: f64 = 1.1;
/// Elements of a row.
const WIDTH: usize = 64;
/// Measures Python's onnxruntime.
const PYTHON: &str = include_str!("onnx.py");

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rest @ ..] = &arguments[..]
        && mode == "child"
    {
        return child::run(rest);
    }
    let python = match arguments.first() {
        Some(python) => PathBuf::from(python),
        None => {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tests/onnxruntime/bin/python")
        }
    };
    let library = library(&python)?;
    say(&format!("ONNX Runtime: {}", library.display()));
    head();
    for model in ["digits_mlp", "digits_cnn"] {
        for (rows, calls) in [(1, 2000), (256, 50)] {
            for load in Load::all()? {
                measure(model, rows, calls, load, &python, &library)?;
            }
        }
    }
    for engine in ["tract", "onnxruntime"] {
        large::compare(engine, &library)?;
    }
    Ok(())
}

/// Finds the library in the package of an interpreter.
fn library(python: &Path) -> Outcome<PathBuf> {
    let print = "import glob, os, numpy, onnxruntime as o; \
                 print(glob.glob(os.path.join(os.path.dirname(o.__file__), 'capi', 'libonnxruntime.*'))[0])";
    let advice = || {
        format!(
            "{} needs the packages onnxruntime and numpy: name an interpreter that has them",
            python.display()
        )
    };
    let output = Command::new(python).args(["-c", print]).output().map_err(|_| advice())?;
    if !output.status.success() {
        return Err(advice().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

fn measure(
    model: &str,
    rows: usize,
    calls: usize,
    load: Load,
    python: &Path,
    library: &Path,
) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    let path = folder.join(format!("{model}.onnx"));
    let numbers = [rows, calls, load.threads, load.callers].map(|number| number.to_string());
    let own = |side: &str| -> Outcome<f64> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", side, load.engine]).arg(&path).args(&numbers);
        command.env("LARDER_ONNXRUNTIME", library);
        if load.threads > 0 {
            command.env("LARDER_ONNXRUNTIME_THREADS", load.threads.to_string());
        }
        seconds(command)
    };
    let in_python = || -> Outcome<f64> {
        let mut command = Command::new(python);
        command.args(["-c", PYTHON]).arg(&path).args(&numbers);
        seconds(command)
    };
    let (mut larder, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        larder.push(own("larder")?);
        bare.push(own("bare")?);
        theirs.push(in_python()?);
    }
    let [larder, bare, theirs] = [larder, bare, theirs].map(median);
    let what = format!("{model}, {rows} rows, {}", load.what);
    let crate_name = if load.engine == "tract" { "tract" } else { "ort" };
    line(&format!("{what} / {crate_name}"), larder, bare, Some(GOAL));
    // Only the same engine can be as fast.
    let goal = (load.engine == "onnxruntime").then_some(GOAL);
    line(&format!("{what} / Python"), larder, theirs, goal);
    Ok(())
}

/// Prints the two times and their ratio.
fn line(what: &str, larder: f64, limit: f64, goal: Option<f64>) {
    let ratio = larder / limit;
    let result = match goal {
        Some(goal) if ratio <= goal => format!("{goal:>6.2}  met"),
        Some(goal) => format!("{goal:>6.2}  MISSED"),
        None => format!("{:>6}", "none"),
    };
    let [larder, limit] =
        [larder, limit].map(|seconds| show(std::time::Duration::from_secs_f64(seconds)));
    say(&format!("{what:<66} {larder:>10} {limit:>10} {ratio:>7.2} {result}"));
}

/// Runs a process that prints a number of seconds.
fn seconds(mut command: Command) -> Outcome<f64> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
