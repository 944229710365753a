//! Number of threads of predictions.

use std::env;
use std::thread;

/// Names the number of threads of predictions.
const VARIABLE: &str = "LARDER_ONNXRUNTIME_THREADS";

/// Returns the number of threads that the operators of all predictions share, with those that call; 0 for ONNX Runtime's
/// own choice, a thread per physical core.
pub(super) fn of_process() -> Result<usize, String> {
    let Some(value) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        // It counts the machine's cores, also where this process may use but one of them.
        let is_alone = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        return Ok(usize::from(is_alone));
    };
    let threads = value.to_str().and_then(|value| value.parse().ok());
    threads.filter(|threads| *threads > 0).ok_or_else(|| {
        format!("{VARIABLE} is {}, not a number of threads", value.to_string_lossy())
    })
}
