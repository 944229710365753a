//! Engines that compile guests, and the clock that interrupts them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::error::WasmError;

/// Interval of the clock.
const TICK: Duration = Duration::from_millis(5);

/// An engine and its clock; one per process, stack size and cache folder.
pub(super) struct Runtime {
    engine: Engine,
    clock: Arc<Clock>,
    ticking: Thread,
}

type Key = (usize, Option<PathBuf>);

static RUNTIMES: Mutex<BTreeMap<Key, Arc<Runtime>>> = Mutex::new(BTreeMap::new());

impl Runtime {
    /// Returns the engine for guests with `stack` bytes of stack and compiled code cached in `cache`.
    pub(super) fn get(stack: usize, cache: Option<&Path>) -> Result<Arc<Self>, WasmError> {
        let mut runtimes = RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (stack, cache.map(Path::to_owned));
        if let Some(runtime) = runtimes.get(&key) {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Self::start(stack, cache)?);
        runtimes.insert(key, Arc::clone(&runtime));
        Ok(runtime)
    }

    fn start(stack: usize, cache: Option<&Path>) -> Result<Self, WasmError> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(stack)
            .async_stack_size(stack) // unused, but must not be smaller
            .wasm_memory64(false)
            .relaxed_simd_deterministic(true)
            .concurrency_support(false)
            .cache(cache.and_then(disk_cache));
        let host = |source| WasmError::Host { source };
        let engine = Engine::new(&config).map_err(|error| host(error.into_boxed_dyn_error()))?;
        let clock = Arc::new(Clock::default());
        let (ticked, ticks) = (engine.clone(), Arc::clone(&clock));
        let thread = thread::Builder::new().name("larder-wasm-clock".into());
        let thread =
            thread.spawn(move || ticks.run(&ticked)).map_err(|error| host(error.into()))?;
        Ok(Self { engine, clock, ticking: thread.thread().clone() })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs the clock until the returned value is dropped.
    pub(super) fn begin(&self) -> Running<'_> {
        self.clock.calls.fetch_add(1, Ordering::SeqCst);
        if self.clock.asleep.load(Ordering::SeqCst) {
            self.ticking.unpark();
        }
        Running(&self.clock)
    }
}

/// Returns the number of ticks that last at least `time`.
pub(super) fn ticks(time: Duration) -> u64 {
    // The first tick may come immediately.
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).map_or(u64::MAX / 2, |ticks| ticks + 1)
}

/// Clock that sleeps while no calls are running.
#[derive(Default)]
struct Clock {
    calls: AtomicUsize,
    asleep: AtomicBool,
}

impl Clock {
    fn run(&self, engine: &Engine) {
        loop {
            // Set before reading `calls`: a call that this misses sees `asleep` and unparks the thread.
            self.asleep.store(true, Ordering::SeqCst);
            while self.calls.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            thread::sleep(TICK);
            engine.increment_epoch();
        }
    }
}

/// A running call.
pub(super) struct Running<'a>(&'a Clock);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns the engine's cache of compiled code; `None` unless only the user can write to the folder, because cached code
/// is executed.
fn disk_cache(folder: &Path) -> Option<Cache> {
    let folder = std::path::absolute(folder).ok()?.join("wasm");
    private_folder(&folder).ok()?;
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).ok()
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match fs::symlink_metadata(folder)?.permissions().mode() & 0o022 {
        0 => Ok(()),
        _ => Err(std::io::ErrorKind::PermissionDenied.into()),
    }
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}
