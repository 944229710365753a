//! What the benchmarks share: timing two things in turn, and watching memory.
//!
//! The benchmarks are programs under `src/bin`; each prints ratios against what the machine can do at
//! best, measured in the same run and in turn, so that a busy disk hits both.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Any error: a benchmark ends at the first one.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Runs `ours` and `limit` in turn, `rounds` times each after one that is not counted, and prints their
/// medians and the ratio. Both are given the number of the round. There is no goal if it is infinite.
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
    let judged = match goal.is_finite() {
        true if ratio <= goal => format!("{goal:>6.2}  met"),
        true => format!("{goal:>6.2}  MISSED"),
        false => format!("{:>6}", "none"),
    };
    say(&format!("{what:<44} {:>10} {:>10} {ratio:>7.2} {judged}", show(ours), show(limit)));
    Ok(())
}

/// Prints the head of the table that [`compare`] fills.
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

/// How long `run` takes.
///
/// # Errors
/// Its error.
pub fn timed<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<Duration> {
    let begun = Instant::now();
    let value = run()?;
    let taken = begun.elapsed();
    drop(value);
    Ok(taken)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A time for people.
pub fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}

/// The most that the process's own memory (not mapped files) grows while `run` runs, in bytes.
///
/// # Errors
/// The error of `run`; also where the system does not tell (it is read from `/proc/self/status`).
pub fn peak_growth<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<u64> {
    peak_growth_every(Duration::from_micros(200), run)
}

/// The same for what takes seconds, and whose time is measured too: to look so often takes half a processor.
///
/// # Errors
/// As [`peak_growth`].
pub fn peak_growth_every<T>(pause: Duration, run: impl FnOnce() -> Outcome<T>) -> Outcome<u64> {
    let before = own_memory()?;
    let done = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&done);
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        while !watched.load(Ordering::Relaxed) {
            peak = peak.max(own_memory().unwrap_or_default());
            thread::sleep(pause);
        }
        peak
    });
    let result = run();
    done.store(true, Ordering::Relaxed);
    let peak = watcher.join().map_err(|_| "the watcher of memory died")?;
    result?;
    Ok(peak.saturating_sub(before))
}

fn own_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no RssAnon in /proc")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// Bytes that no compression shortens and that differ by `seed`.
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

/// A temporary folder in the current one: `/tmp` is often not a disk.
///
/// # Errors
/// Whatever the system says.
pub fn work_folder() -> Outcome<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("larder-bench-").tempdir_in(Path::new("."))?)
}
