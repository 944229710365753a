//! The engines that guests are compiled by, and the clock that stops them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::error::WasmError;

/// How often the clock looks whether a call is over its time.
const TICK: Duration = Duration::from_millis(5);

/// An engine and its clock. There is one in a process for each size of stack and folder of compiled code.
pub(super) struct Runtime {
    engine: Engine,
    clock: Arc<Clock>,
    ticking: Thread,
}

type Key = (usize, Option<PathBuf>);

static RUNTIMES: Mutex<BTreeMap<Key, Arc<Runtime>>> = Mutex::new(BTreeMap::new());

impl Runtime {
    /// The engine for guests with so many bytes of stack, which keeps compiled code below `cache`.
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
            .async_stack_size(stack) // not used, and must not be less
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

    /// Lets the clock tick as long as what it gives lives.
    pub(super) fn begin(&self) -> Running<'_> {
        self.clock.calls.fetch_add(1, Ordering::SeqCst);
        if self.clock.asleep.load(Ordering::SeqCst) {
            self.ticking.unpark();
        }
        Running(&self.clock)
    }
}

/// After how many ticks `time` is over for sure, and not much more.
pub(super) fn ticks(time: Duration) -> u64 {
    // The first tick may come at once.
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).map_or(u64::MAX / 2, |ticks| ticks + 1)
}

/// Counts the calls that are running; sleeps when there are none.
#[derive(Default)]
struct Clock {
    calls: AtomicUsize,
    asleep: AtomicBool,
}

impl Clock {
    fn run(&self, engine: &Engine) {
        loop {
            // Said before it looks: a call that it does not see sees it asleep, and wakes it.
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

/// A call that is running.
pub(super) struct Running<'a>(&'a Clock);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The engine's own cache of compiled code. Without a folder that is the user's alone there is none: what lies
/// in it is run.
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
