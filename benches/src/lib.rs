//! Helpers of the benchmarks: interleaved timing and memory measurement.
//!
//! The benchmarks are programs in `src/bin`. Each prints ratios to a baseline measured in the same run, interleaved, so
//! that a busy disk affects both.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Result of a benchmark, which stops at the first error.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Runs `ours` and the baseline `limit` alternately, `rounds` times after a warm-up; prints their medians and ratio.
///
/// Both receive the number of the round. An infinite `goal` means none.
///
/// # Errors
/// The first error of either.
pub fn compare(
    what: &str,
    goal: f64,
    rounds: usize,
    mut ours: impl FnMut(usize) -> Outcome<Duration>,
    mut limit: impl FnMut(usize) -> Outcome<Duration>,
) -> Outcome {
    let (mut our_times, mut limit_times) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        our_times.push(ours(round)?);
        limit_times.push(limit(round)?);
    }
    let (ours, limit) = (median(our_times.split_off(1)), median(limit_times.split_off(1)));
    let ratio = ours.as_secs_f64() / limit.as_secs_f64();
    let result = match goal.is_finite() {
        true if ratio <= goal => format!("{goal:>6.2}  met"),
        true => format!("{goal:>6.2}  MISSED"),
        false => format!("{:>6}", "none"),
    };
    say(&format!("{what:<44} {:>10} {:>10} {ratio:>7.2} {result}", show(ours), show(limit)));
    Ok(())
}

/// Prints the header of the table of [`compare`].
pub fn head() {
    say(&format!(
        "{:<44} {:>10} {:>10} {:>7} {:>6}",
        "median of", "larder", "limit", "ratio", "goal"
    ));
}

/// Prints a line.
#[allow(clippy::print_stdout)]
pub fn say(line: &str) {
    println!("{line}");
}

/// Measures the time of `run`.
///
/// # Errors
/// The error of `run`.
pub fn timed<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<Duration> {
    let start = Instant::now();
    let value = run()?;
    let elapsed = start.elapsed();
    drop(value);
    Ok(elapsed)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Formats a time.
pub fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}

/// Returns the peak growth of anonymous memory during `run`, in bytes.
///
/// # Errors
/// The error of `run`, or of reading `/proc/self/status`.
pub fn peak_growth<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<u64> {
    peak_growth_every(Duration::from_micros(200), run)
}

/// Measures as [`peak_growth`] with another sampling interval: the default uses half a CPU.
///
/// # Errors
/// As [`peak_growth`].
pub fn peak_growth_every<T>(interval: Duration, run: impl FnOnce() -> Outcome<T>) -> Outcome<u64> {
    let before = own_memory()?;
    let done = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&done);
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        while !watched.load(Ordering::Relaxed) {
            peak = peak.max(own_memory().unwrap_or_default());
            thread::sleep(interval);
        }
        peak
    });
    let result = run();
    done.store(true, Ordering::Relaxed);
    let peak = watcher.join().map_err(|_| "the memory sampler panicked")?;
    result?;
    Ok(peak.saturating_sub(before))
}

/// Returns the anonymous memory of this process in bytes.
///
/// # Errors
/// `/proc/self/status` cannot be read.
pub fn own_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no RssAnon in /proc")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// Returns incompressible pseudorandom bytes.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Creates a temporary folder in the current one: `/tmp` is often not on disk.
///
/// # Errors
/// I/O errors.
pub fn work_folder() -> Outcome<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("larder-bench-").tempdir_in(Path::new("."))?)
}
