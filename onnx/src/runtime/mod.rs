//! ONNX Runtime, from a shared library that is found when it is needed.

mod adapt;
mod convert;
mod find;
mod message;
mod nodes;
mod ports;
mod proto;
mod sessions;
mod threads;

use std::error::Error;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;

use larder_core::bytes::Bytes;
use larder_core::extend::catch_panic;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{TVec, TractError, TractResult};

use super::check::{Fault, Subject};
use super::data::Data;
use super::engine::Run;
use super::interface::{Dim, Interface, Port};
use super::refusal::shorten;
use super::rewrite::Keys;
use adapt::Border;
use sessions::Sessions;

/// The library that was found, and its version.
///
/// ```no_run
/// let found = larder_onnx::OnnxRuntime::find()?;
/// println!("ONNX Runtime {} at {}", found.version, found.path.display());
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnnxRuntime {
    /// The shared library.
    pub path: PathBuf,
    /// Version, such as `1.23.0`; empty if it cannot be told.
    pub version: String,
}

impl OnnxRuntime {
    /// Finds the library and loads it: the file that `LARDER_ONNXRUNTIME` or `ORT_DYLIB_PATH` names, else in the folders
    /// of libraries and of Python environments.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if there is none, or it is too old.
    pub fn find() -> larder_core::Result<Self> {
        let found = loaded().map(|loaded| loaded.library.clone());
        let action = "use ONNX Runtime".to_owned();
        found.map_err(|reason| larder_core::Error::Refused { action, reason })
    }
}

struct Loaded {
    library: OnnxRuntime,
    environment: Environment,
}

/// Loads the library once in a process.
fn loaded() -> Result<&'static Loaded, String> {
    static LOADED: OnceLock<Result<Loaded, String>> = OnceLock::new();
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Loaded, String> {
    let path = find::library()?;
    let threads = threads::of_process()?;
    let failed = |reason: String| {
        format!("cannot load ONNX Runtime from {}: {}", path.display(), shorten(&reason))
    };
    let load = || -> Result<Environment, Box<dyn Error>> {
        let environment = ort::init_from(&path)?;
        // All sessions share its threads. They run no two operators of a graph beside each other.
        let pool = GlobalThreadPoolOptions::default();
        let pool = pool.with_intra_threads(threads)?.with_inter_threads(1)?;
        let environment = environment.with_name("larder").with_telemetry(false);
        Ok(environment.with_global_thread_pool(pool).build()?)
    };
    let environment =
        catch_panic("ONNX Runtime", load).map_err(|panic| failed(panic.to_string()))?;
    let environment = environment.map_err(|error| failed(error.to_string()))?;
    // Its warnings would be printed.
    environment.set_log_level(LogLevel::Fatal);
    let numbers: Vec<_> = find::version_of(&path).iter().map(ToString::to_string).collect();
    Ok(Loaded { library: OnnxRuntime { path, version: numbers.join(".") }, environment })
}

/// Returns why there is no library; `None` if there is one.
pub(super) fn missing() -> Option<String> {
    loaded().err()
}

/// A model in sessions.
pub(super) struct RuntimeModel {
    sessions: Sessions,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

impl Run for RuntimeModel {
    fn run(&self, _: usize, inputs: Vec<Data>) -> TractResult<Vec<Data>> {
        let run = |session: &mut Session| -> TractResult<Vec<Data>> {
            let failed = |error: ort::Error| TractError::msg(error.to_string());
            let mut views: TVec<SessionInputValue<'_>> = TVec::new();
            for (port, data) in self.inputs.iter().zip(&inputs) {
                views.push(convert::to_runtime(port, data)?);
                if port.optional {
                    views.push(convert::flag(!matches!(data, Data::Missing))?);
                }
            }
            let outputs = session.run(&views[..]).map_err(failed)?;
            let mut values = outputs.values();
            let mut next = || values.next().ok_or_else(|| TractError::msg("an output is missing"));
            let mut given = Vec::with_capacity(self.outputs.len());
            // The tensors of a sequence may be those of an input, which live until they are copied.
            for port in &self.outputs {
                let value = next()?;
                let is_given = !port.optional || convert::is_given(&*next()?)?;
                given.push(if is_given { convert::from_runtime(value)? } else { Data::Missing });
            }
            Ok(given)
        };
        let outputs = self.sessions.with(|session| catch_panic("ONNX Runtime", || run(session)));
        outputs.map_err(|panic| TractError::msg(panic.to_string()))?
    }
}

/// Builds a model and runs it on generated inputs.
pub(super) fn check(proto: ModelProto, bytes: &Bytes) -> Result<(RuntimeModel, Interface), String> {
    super::build::check_limits(proto)?;
    let (model, plain) = build(bytes)?;
    if !plain.inputs.iter().all(Port::is_tensor) {
        // Nothing tells how many tensors a sequence needs.
        return Ok((model, plain));
    }
    // The file need not say that the first dimensions of outputs count rows too. The check shows it.
    let rows = with_rows(plain.clone());
    let subject = Subject {
        interface: &rows,
        run: &|rows, inputs| Data::into_tensors(model.run(rows, Data::from_tensors(inputs))?),
        plain: None,
        is_large: bytes.len() > super::build::LARGE,
    };
    let by_rows = match subject.check() {
        Ok(by_rows) => by_rows,
        // It names what it cannot run when it builds a model: what fails here are values that do not fit.
        Err(Fault::Fails(_)) => false,
        Err(Fault::Differs(reason)) => {
            return Err(format!("ONNX Runtime does not run it reliably: {reason}"));
        }
    };
    let interface = if by_rows { rows } else { Interface { by_rows: false, ..plain } };
    Ok((model, interface))
}

/// Builds a model; returns its inputs and outputs as the file states them.
pub(super) fn build(bytes: &Bytes) -> Result<(RuntimeModel, Interface), String> {
    let Opened { session, inputs, outputs, keys } = open_model(bytes)?;
    let inputs = ports::ports(session.inputs(), &inputs, "i", &Keys::new())?;
    let outputs = ports::ports(session.outputs(), &outputs, "o", &keys)?;
    let interface = Interface::new(inputs.clone(), outputs.clone())?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let sessions = Sessions::new(session, bytes, cores);
    Ok((RuntimeModel { sessions, inputs, outputs }, interface))
}

/// A session of a model, and what was changed in its file.
struct Opened {
    session: Session,
    /// Inputs of the file, if they were changed.
    inputs: Vec<Border>,
    outputs: Vec<Border>,
    /// The keys of each `ZipMap`, by output.
    keys: Keys,
}

/// Opens a session of a model.
fn open_model(bytes: &[u8]) -> Result<Opened, String> {
    let (changed, keys) = message::prepare(bytes)?;
    let bytes = changed.as_deref().unwrap_or(bytes);
    let (session, inputs, outputs) = match open(bytes) {
        Ok(session) if ports::are_plain(&session) => (session, Vec::new(), Vec::new()),
        first => {
            let adapted = adapt::adapt(bytes)?;
            match (open(&adapted.bytes), first) {
                (Ok(session), _) => (session, adapted.inputs, adapted.outputs),
                // About the file as it is.
                (Err(_), Err(reason)) | (Err(reason), Ok(_)) => return Err(reason),
            }
        }
    };
    Ok(Opened { session, inputs, outputs, keys })
}

/// Opens a session.
fn open(bytes: &[u8]) -> Result<Session, String> {
    let loaded = loaded()?;
    let commit = || Session::builder(&loaded.environment)?.commit_from_memory(bytes);
    let session = catch_panic("ONNX Runtime", commit)
        .map_err(|panic| message::explain(&panic.to_string()))?;
    session.map_err(|error| message::explain(&error.to_string()))
}

/// Gives all open first dimensions the same name.
fn with_rows(mut interface: Interface) -> Interface {
    let firsts = interface.inputs.iter().chain(&interface.outputs).map(|port| port.shape.first());
    let are_open = firsts.clone().all(|first| matches!(first, Some(Dim::Symbol(_))));
    let name = firsts.flatten().find_map(|dim| match dim {
        Dim::Symbol(name) if !name.starts_with("i0_") => Some(name.clone()),
        _ => None,
    });
    if are_open && !interface.inputs.is_empty() {
        let rows = Dim::Symbol(name.unwrap_or_else(|| "N".into()));
        for port in interface.inputs.iter_mut().chain(&mut interface.outputs) {
            if let Some(first) = port.shape.first_mut() {
                first.clone_from(&rows);
            }
        }
        interface.by_rows = true;
    }
    interface
}
