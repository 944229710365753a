//! Predictions with ONNX models: Larder, tract and onnxruntime.
//!
//! ```sh
//! cargo run --release -p larder-benches --features onnx --bin onnx -- [PYTHON]
//! ```
//!
//! `PYTHON` is an interpreter with `onnxruntime` and `numpy`; without it, onnxruntime is not measured.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use larder::Model;
use larder::models::OnnxModel;
use larder::models::onnx::{Value, ndarray::Array2};
use larder_benches::{Outcome, compare, head, say, timed};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

const WIDTH: usize = 64;

/// Measures onnxruntime: prints the median time of a call, in seconds.
const PYTHON: &str = r#"
import sys, time
import numpy, onnxruntime
path, rows, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
rows = numpy.full((rows, 64), 0.5, numpy.float32)
times = []
for _ in range(31):
    begun = time.perf_counter()
    for _ in range(calls):
        session.run(None, {name: rows})
    times.append((time.perf_counter() - begun) / calls)
print(sorted(times)[15])
"#;

fn main() -> Outcome {
    let python = std::env::args().nth(1);
    head();
    for name in ["digits_mlp", "digits_cnn"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
        let path = folder.join(format!("{name}.onnx"));
        for (rows, calls) in [(1, 2000), (256, 50)] {
            measure(name, &path, rows, calls)?;
            match &python {
                Some(python) => onnxruntime(python, name, &path, rows, calls)?,
                None => say(&format!("{name}, {rows} rows, onnxruntime: not measured")),
            }
        }
    }
    Ok(())
}

fn measure(name: &str, path: &PathBuf, rows: usize, calls: usize) -> Outcome {
    let model = OnnxModel::open(path)?;
    let input = Array2::<f32>::from_elem((rows, WIDTH), 0.5);
    let alone = tract_alone(path, rows)?;
    let larder = || many(calls, || Ok(model.predict([Value::from(input.view())])?));
    let tract = || many(calls, || Ok(alone.run(tvec![Tensor::from(input.clone()).into()])?));
    compare(
        &format!("{calls} × {name}, {rows} rows, ndarray / tract"),
        1.1,
        31,
        |_| larder(),
        |_| tract(),
    )?;

    let row = format!("[{}]", vec!["0.5"; WIDTH].join(","));
    let batch = format!("[{}]", vec![row.as_str(); rows].join(","));
    let json = || {
        many(calls, || {
            Ok(if rows == 1 {
                model.predict_json_erased(&row)?
            } else {
                model.predict_batch_json_erased(&batch)?
            })
        })
    };
    compare(
        &format!("{calls} × {name}, {rows} rows, JSON / tract"),
        10.0,
        31,
        |_| json(),
        |_| tract(),
    )
}

/// Builds a tract model optimized for the number of rows.
fn tract_alone(path: &Path, rows: usize) -> Outcome<Arc<TypedRunnableModel>> {
    let model = tract_onnx::onnx().model_for_path(path)?;
    let first = model.input_fact(0)?.shape.dims().next().and_then(|dim| dim.concretize());
    let model = match first {
        // A named row dimension is set after analysis.
        Some(TDim::Sym(named)) => {
            model.into_typed()?.set_symbols(&HashMap::from([(named, rows.to_dim())]))?
        }
        _ => model.with_input_fact(0, f32::fact([rows, WIDTH]).into())?.into_typed()?,
    };
    Ok(model.into_optimized()?.into_runnable()?)
}

fn many<T>(calls: usize, mut run: impl FnMut() -> Outcome<T>) -> Outcome<Duration> {
    timed(|| {
        for _ in 0..calls {
            black_box(run()?);
        }
        Ok(())
    })
}

fn onnxruntime(python: &str, name: &str, path: &Path, rows: usize, calls: usize) -> Outcome {
    let mut command = Command::new(python);
    command.args(["-c", PYTHON]).arg(path).args([rows.to_string(), calls.to_string()]);
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let seconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    let model = OnnxModel::open(path)?;
    let input = Array2::<f32>::from_elem((rows, WIDTH), 0.5);
    let mut times = Vec::new();
    for _ in 0..31 {
        times.push(many(calls, || Ok(model.predict([Value::from(input.view())])?))?);
    }
    times.sort_unstable();
    let larder = times[15].as_secs_f64() / calls as f64;
    say(&format!(
        "{calls} × {name}, {rows} rows, ndarray / onnxruntime: {:.2} ({:.1} µs and {:.1} µs per call)",
        larder / seconds,
        larder * 1e6,
        seconds * 1e6
    ));
    Ok(())
}
