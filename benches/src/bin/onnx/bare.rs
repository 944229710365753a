//! The engines alone, as their crates are used.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex};

use larder_benches::Outcome;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef};
use tract_onnx::prelude::tract_ndarray::Array2;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

use super::WIDTH;

/// Calls a tract model that is optimized for the number of rows.
pub(super) fn tract(path: &Path, rows: usize) -> Outcome<impl Fn() -> Outcome + Sync> {
    let plan = tract_plan(path, rows)?;
    let input = Array2::<f32>::from_elem((rows, WIDTH), 0.5);
    let input = TValue::from(Tensor::from(input));
    Ok(move || {
        black_box(plan.run(tvec![input.clone()])?);
        Ok(())
    })
}

/// Builds a tract model for a number of rows.
pub(super) fn tract_plan(path: &Path, rows: usize) -> Outcome<Arc<TypedRunnableModel>> {
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

/// Calls sessions of ONNX Runtime, one for each caller as the crate advises.
pub(super) fn runtime(
    path: &Path,
    rows: usize,
    threads: usize,
    callers: usize,
) -> Outcome<impl Fn() -> Outcome + Sync> {
    let (environment, bytes) = (environment()?, std::fs::read(path)?);
    let sessions = (0..callers).map(|_| session(&environment, &bytes, threads).map(Mutex::new));
    let sessions = sessions.collect::<Outcome<Vec<_>>>()?;
    let input = vec![0.5_f32; rows * WIDTH];
    Ok(move || {
        let input = TensorRef::from_array_view(([rows, WIDTH], &input[..]))?;
        let idle = sessions.iter().cycle().find_map(|session| session.try_lock().ok());
        let mut session = idle.ok_or("there is no session")?;
        let outputs = session.run(ort::inputs![input])?;
        for output in outputs.values() {
            // Labels and probabilities.
            match output.dtype().tensor_type() {
                Some(TensorElementType::Int64) => {
                    black_box(output.try_extract_tensor::<i64>()?);
                }
                _ => {
                    black_box(output.try_extract_tensor::<f32>()?);
                }
            }
        }
        Ok(())
    })
}

/// Loads ONNX Runtime from the library that `LARDER_ONNXRUNTIME` names.
pub(super) fn environment() -> Outcome<Environment> {
    let library = std::env::var("LARDER_ONNXRUNTIME")?;
    Ok(ort::init_from(library)?.with_telemetry(false).build()?)
}

/// Builds a session.
pub(super) fn session(environment: &Environment, bytes: &[u8], threads: usize) -> Outcome<Session> {
    let mut builder = Session::builder(environment)?;
    if threads > 0 {
        builder = builder.with_intra_threads(threads).map_err(|error| error.to_string())?;
    }
    Ok(builder.commit_from_memory(bytes)?)
}
