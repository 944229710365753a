//! One side of a comparison, in its own process.

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::Instant;

use larder::models::OnnxModel;
use larder::models::onnx::{Engine, OpenOptions, Value, ndarray::Array2};
use larder_benches::{Outcome, say};

use super::{WIDTH, bare, large};

/// Measurements of a process, after a first one that warms up.
const ROUNDS: usize = 15;

/// An engine and its threads.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) engine: &'static str,
    pub(super) what: &'static str,
    /// Threads of a call; 0 leaves it to the engine.
    pub(super) threads: usize,
    /// Threads that call at once.
    pub(super) callers: usize,
}

impl Load {
    /// One thread and all threads: tract runs a call on one thread, so all threads call it at once.
    pub(super) fn all() -> Outcome<[Self; 6]> {
        let all = thread::available_parallelism()?.get();
        let load = |engine, what, threads, callers| Self { engine, what, threads, callers };
        Ok([
            load("tract", "tract, one thread", 1, 1),
            load("tract", "tract, a caller per core", 1, all),
            load("onnxruntime", "onnxruntime, one thread", 1, 1),
            load("onnxruntime", "onnxruntime, all threads", 0, 1),
            load("onnxruntime", "onnxruntime, one thread, a caller per core", 1, all),
            load("onnxruntime", "onnxruntime, all threads, a caller per core", 0, all),
        ])
    }
}

/// Runs a side and prints the median time of a call, in seconds.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let [side, engine, path, numbers @ ..] = arguments else {
        return Err("usage: child SIDE ENGINE PATH …".into());
    };
    let engine = match &**engine {
        "tract" => Engine::Tract,
        _ => Engine::OnnxRuntime,
    };
    let path = Path::new(path);
    let numbers: Vec<usize> =
        numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    match (&**side, &numbers[..]) {
        ("put", []) => large::put(engine, path, false),
        ("put-durably", []) => large::put(engine, path, true),
        ("once", []) => large::once(engine, path, false),
        ("once-durably", []) => large::once(engine, path, true),
        ("larder", &[rows, calls, _, callers]) => {
            let options = OpenOptions::new().engine(engine);
            let model = OnnxModel::open_with(path, &options)?;
            let input = Array2::<f32>::from_elem((rows, WIDTH), 0.5);
            // As the baselines: made once, and lent to each call.
            let input = Value::from(input.view());
            print(calls, callers, || {
                black_box(model.predict([input.clone()])?);
                Ok(())
            })
        }
        ("bare", &[rows, calls, threads, callers]) => match engine {
            Engine::Tract => {
                let run = bare::tract(path, rows)?;
                print(calls, callers, run)
            }
            _ => {
                let run = bare::runtime(path, rows, threads, callers)?;
                print(calls, callers, run)
            }
        },
        _ => Err("usage: child SIDE ENGINE PATH ROWS CALLS THREADS CALLERS".into()),
    }
}

/// Prints the median time of a call while `callers` threads call.
fn print(calls: usize, callers: usize, call: impl Fn() -> Outcome + Sync) -> Outcome {
    let many = || (0..calls).try_for_each(|_| call()).map_err(|error| error.to_string());
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        let start = Instant::now();
        if callers == 1 {
            many()?;
        } else {
            thread::scope(|scope| -> Result<(), String> {
                let crowd: Vec<_> = (0..callers).map(|_| scope.spawn(many)).collect();
                crowd.into_iter().try_for_each(|caller| {
                    caller.join().unwrap_or_else(|_| Err("a caller panicked".into()))
                })
            })?;
        }
        times.push(start.elapsed().as_secs_f64() / (calls * callers) as f64);
    }
    times.remove(0);
    times.sort_unstable_by(f64::total_cmp);
    say(&times.get(ROUNDS / 2).copied().unwrap_or_default().to_string());
    Ok(())
}
