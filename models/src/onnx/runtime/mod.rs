//! ONNX Runtime, from a shared library that is found when it is needed.

mod convert;
mod find;
mod message;
mod threads;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use larder_core::extend::catch_panic;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, ValueType};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{TValue, TractError, TractResult};

use super::check::{Fault, Subject};
use super::engine::Run;
use super::interface::{Dim, Interface, Port};
use super::refusal::shorten;
use super::rewrite::Keys;

/// The library that was found, and its version.
///
/// ```no_run
/// let found = larder_models::onnx::OnnxRuntime::find()?;
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
    let failed = |reason: String| {
        format!("cannot load ONNX Runtime from {}: {}", path.display(), shorten(&reason))
    };
    let load = || -> Result<Environment, String> {
        let environment = ort::init_from(&path).map_err(|error| error.to_string())?;
        let environment = environment.with_name("larder").with_telemetry(false);
        environment.build().map_err(|error| error.to_string())
    };
    let environment =
        catch_panic("ONNX Runtime", load).map_err(|panic| failed(panic.to_string()))?;
    let environment = environment.map_err(failed)?;
    // Its warnings would be printed.
    environment.set_log_level(LogLevel::Fatal);
    let numbers: Vec<_> = find::version_of(&path).iter().map(ToString::to_string).collect();
    Ok(Loaded { library: OnnxRuntime { path, version: numbers.join(".") }, environment })
}

/// Returns why there is no library; `None` if there is one.
pub(super) fn missing() -> Option<String> {
    loaded().err()
}

/// A model in a session.
pub(super) struct RuntimeModel {
    /// A session runs one call at a time, on all cores.
    session: Mutex<Session>,
}

impl Run for RuntimeModel {
    fn run(&self, _: usize, inputs: Vec<TValue>) -> TractResult<Vec<TValue>> {
        let run = || -> TractResult<Vec<TValue>> {
            let failed = |error: ort::Error| TractError::msg(error.to_string());
            let views: Vec<SessionInputValue<'_>> =
                inputs.iter().map(convert::to_runtime).collect::<TractResult<_>>()?;
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let outputs = session.run(&views[..]).map_err(failed)?;
            outputs.values().map(|output| convert::from_runtime(&output)).collect()
        };
        catch_panic("ONNX Runtime", run).map_err(|panic| TractError::msg(panic.to_string()))?
    }
}

/// Builds a model and runs it on generated inputs.
pub(super) fn check(proto: ModelProto, bytes: &[u8]) -> Result<(RuntimeModel, Interface), String> {
    super::build::check_limits(proto)?;
    let (model, plain) = build(bytes)?;
    // The file need not say that the first dimensions of outputs count rows too. The check shows it.
    let rows = with_rows(plain.clone());
    let subject = Subject {
        interface: &rows,
        run: &|rows, inputs| model.run(rows, inputs),
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
pub(super) fn build(bytes: &[u8]) -> Result<(RuntimeModel, Interface), String> {
    let loaded = loaded()?;
    let (changed, keys) = message::prepare(bytes)?;
    let commit = || -> Result<Session, String> {
        let mut builder =
            Session::builder(&loaded.environment).map_err(|error| error.to_string())?;
        if let Some(threads) = threads::per_call()? {
            builder = builder.with_intra_threads(threads).map_err(|error| error.to_string())?;
        }
        let bytes = changed.as_deref().unwrap_or(bytes);
        builder.commit_from_memory(bytes).map_err(|error| error.to_string())
    };
    let session = catch_panic("ONNX Runtime", commit)
        .map_err(|panic| message::explain(&panic.to_string()))?;
    let session = session.map_err(|error| message::explain(&error))?;
    let inputs = ports(session.inputs(), "i", &Keys::new())?;
    let outputs = ports(session.outputs(), "o", &keys)?;
    let interface = Interface::new(inputs, outputs)?;
    Ok((RuntimeModel { session: Mutex::new(session) }, interface))
}

fn ports(outlets: &[Outlet], side: &str, keys: &Keys) -> Result<Vec<Port>, String> {
    let port = |(at, outlet): (usize, &Outlet)| {
        let name = outlet.name().to_owned();
        let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
            return Err(format!(
                "`{name}` is a sequence, a map or an optional value, and not a tensor"
            ));
        };
        let dtype = convert::dtype_of(*ty);
        let dtype = dtype
            .ok_or_else(|| format!("the elements of `{name}` have a type that is not supported"))?;
        let dim = |(axis, size): (usize, &i64)| match u64::try_from(*size) {
            Ok(size) => Dim::Fixed(size),
            Err(_) => {
                Dim::Symbol(match dimension_symbols.get(axis).filter(|symbol| !symbol.is_empty()) {
                    Some(symbol) => symbol.clone(),
                    None => format!("{side}{at}_{axis}"),
                })
            }
        };
        let mut shape: Vec<Dim> = shape.iter().enumerate().map(dim).collect();
        let keys = keys.get(&name).cloned().unwrap_or_default();
        if !keys.is_empty() {
            // The input of `ZipMap` is a matrix with a column for each name; the file does not state its shape.
            let rows =
                shape.first().cloned().unwrap_or_else(|| Dim::Symbol(format!("{side}{at}_0")));
            shape = vec![rows, Dim::Fixed(keys.len() as u64)];
        }
        Ok(Port { name, dtype, shape, keys })
    };
    outlets.iter().enumerate().map(port).collect()
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
