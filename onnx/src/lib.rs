//! ONNX models, run by tract or ONNX Runtime.

#![forbid(unsafe_code)]

mod build;
mod check;
mod compare;
mod data;
mod dtype;
mod element;
mod engine;
mod example;
mod file;
mod free;
mod interface;
mod narrow;
mod nested;
mod ops;
mod options;
mod plan;
mod predict;
mod read;
mod refusal;
mod rewrite;
#[cfg(feature = "onnxruntime")]
mod runtime;
mod sample;
mod test_data;
mod upgrade;
mod value;
mod write;

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use larder_core::__private::typetag;
use larder_core::bytes::Bytes;
use larder_core::{Artifact, Component, ComponentType, Error, Item, Model, Result};
use larder_files::{FileBytes, FileContent, WrongContent};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use tract_onnx::prelude::f16;
/// The version of ndarray used by [`Value`].
pub use tract_onnx::prelude::tract_ndarray as ndarray;

pub use dtype::DType;
pub use engine::Engine;
pub use interface::{Dim, Port};
pub use options::OpenOptions;
#[cfg(feature = "onnxruntime")]
pub use runtime::OnnxRuntime;
pub use value::{Element, Value};

use data::Data;
use engine::{Checked, Run};
use example::Example;
use interface::Interface;
use larder_files::onnx_message::missing_bytes;
use read::Rows;
use test_data::TestData;
use write::Outputs;

/// Maximum number of rows per run.
const MAX_ROWS: usize = 256;

/// An ONNX model.
///
/// ```
/// use larder_core::Registry;
/// use larder_onnx::OnnxModel;
/// use larder_onnx::Value;
/// use larder_onnx::ndarray::Array;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tests/fixtures/digits_mlp.onnx");
/// let model = OnnxModel::open(path)?; // fails for unsupported operators
/// assert_eq!(model.inputs()[0].name, "X");
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("digits", &model)?; // stores the file unchanged
///
/// let model: OnnxModel = larder.load("digits")?;
/// let images = Array::<f32, _>::zeros((256, 64));
/// let outputs = model.predict([Value::from(images)])?; // in the order of `model.outputs()`
/// let probabilities = outputs[1].view::<f32>()?; // borrowed
/// assert_eq!(probabilities.shape(), [256, 10]);
/// # Ok::<(), larder_core::Error>(())
/// ```
///
/// As a [`Model`], its input is one row: an object keyed by input name, or the value of the only input, without the row
/// dimension. Its output is an object keyed by output name, or the value of the only output. The model is optimized on
/// first use and shared by threads.
pub struct OnnxModel {
    file: Artifact<FileContent, FileBytes>,
    interface: Interface,
    engine: Engine,
    examples: Option<Artifact<FileContent, FileBytes>>,
    plan: OnceLock<Box<dyn Run>>,
    /// Ensures that the plan is built once.
    building: Mutex<()>,
}

impl OnnxModel {
    /// Reads an ONNX file, and runs it on generated inputs with the first engine that can.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not a complete ONNX file, needs an unsupported operator or opset, or has external
    /// tensors; [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &OpenOptions::new())
    }

    /// As [`open`](OnnxModel::open), with options.
    ///
    /// # Errors
    /// As [`open`](OnnxModel::open); also if the engine is not found, or an example is not answered.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        let action = format!("read the ONNX file {}", path.display());
        let failed = |error| Error::store(format!("read {}", path.display()), error);
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            return Err(Error::Refused { action, reason: "not a file".into() });
        }
        // In one piece: to grow it would copy what was read.
        let size = meta.len().min(file::MAX_BYTES) + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let file = File::open(path).map_err(failed)?;
        file.take(file::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::read(bytes.into(), action, options, &TestData::beside(path))
    }

    /// Validates an ONNX file in memory.
    ///
    /// # Errors
    /// As [`open`](OnnxModel::open).
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::read(bytes.into(), "read the ONNX file".into(), &OpenOptions::new(), &[])
    }

    fn read(
        bytes: Bytes,
        action: String,
        options: &OpenOptions,
        data: &[TestData],
    ) -> Result<Self> {
        let refused = |reason| Error::Refused { action: action.clone(), reason };
        let checked = engine::check(&bytes, options.engine, data);
        let checked = checked.map_err(|reason| {
            refused(match (WrongContent::of_binary(&bytes), missing_bytes(&bytes)) {
                (Some(wrong), _) => format!("not an ONNX file: {wrong}"),
                (None, Some(missing)) => format!(
                    "not a whole ONNX file: it is cut short by {missing} bytes or more; get the file again"
                ),
                (None, None) => reason,
            })
        })?;
        let Checked { engine, plan, interface } = checked;
        let mut examples: Vec<_> =
            data.iter().filter_map(|data| data.example(&interface)).collect();
        let (plan, building) = (OnceLock::from(plan), Mutex::new(()));
        let file = FileContent::of(bytes).into();
        let mut model = Self { file, interface, engine, examples: None, plan, building };
        for (input, output) in &options.examples {
            let example = Example::new(input, output)?;
            example.check(&model).map_err(|error| refused(with_causes(&error)))?;
            examples.push(example);
        }
        model.examples = example::to_bytes(&examples)?.map(|bytes| FileContent::of(bytes).into());
        Ok(model)
    }

    /// Predicts for the examples that are stored with the model, and compares; returns their number. The model is ready
    /// then: it need not be built for the next prediction.
    ///
    /// # Errors
    /// [`Error::Predict`] if it gives another answer; as [`Artifact::get`].
    pub fn check_examples(&self) -> Result<usize> {
        let Some(examples) = &self.examples else { return Ok(0) };
        let examples = example::from_bytes(&examples.get()?.bytes()?)?;
        examples.iter().try_for_each(|example| example.check(self))?;
        Ok(examples.len())
    }

    /// Returns the engine that runs the model.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the inputs.
    pub fn inputs(&self) -> &[Port] {
        &self.interface.inputs
    }

    /// Returns the outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.interface.outputs
    }

    /// Returns the file.
    ///
    /// # Errors
    /// As [`Artifact::get`].
    pub fn file(&self) -> Result<Bytes> {
        self.file.get()?.bytes()
    }

    /// Predicts for tensors in the order of [`inputs`](OnnxModel::inputs); the first dimension is the row.
    ///
    /// Inputs are copied once, into aligned memory; outputs are not copied.
    ///
    /// # Errors
    /// [`Error::Input`] for a wrong number of inputs, shape or element type; [`Error::Predict`].
    pub fn predict(&self, inputs: impl IntoIterator<Item = Value>) -> Result<Vec<Value>> {
        let mut inputs: Vec<Data> = inputs.into_iter().map(|Value(data)| data).collect();
        let rows = self.check(&mut inputs)?;
        Ok(self.run(rows, inputs)?.into_iter().map(Value).collect())
    }

    /// Validates inputs; returns the number of rows.
    fn check(&self, inputs: &mut [Data]) -> Result<usize> {
        let expected = self.inputs().len();
        if inputs.len() != expected {
            let found = inputs.len();
            return Err(value::input("", format!("expected {expected} tensors, found {found}")));
        }
        let mut rows = None;
        for (port, data) in self.inputs().iter().zip(inputs) {
            port.check(data).map_err(|message| value::input(&port.name, message))?;
            let first = data.tensor().and_then(|tensor| tensor.shape().first().copied());
            if self.interface.by_rows && rows.is_some_and(|rows| Some(rows) != first) {
                return Err(value::input(&port.name, "the inputs have different numbers of rows"));
            }
            rows = rows.or(first);
        }
        Ok(rows.unwrap_or(1))
    }

    fn run(&self, rows: usize, inputs: Vec<Data>) -> Result<Vec<Data>> {
        let outputs = self.plan()?.run(rows, inputs);
        let outputs =
            outputs.map_err(|error| Error::predict(refusal::shorten(&format!("{error:#}"))))?;
        if outputs.len() != self.outputs().len() {
            return Err(Error::predict("the model returned the wrong number of outputs"));
        }
        Ok(outputs)
    }

    fn plan(&self) -> Result<&dyn Run> {
        if self.plan.get().is_none() {
            let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            if self.plan.get().is_none() {
                let by_rows = self.interface.by_rows;
                let (plan, interface) = engine::build(&self.file()?, self.engine, by_rows)?;
                self.check_built(&interface)?;
                // No other thread sets it while the lock is held.
                let _ = self.plan.set(plan);
            }
        }
        let plan = self.plan.get().ok_or_else(|| Error::predict("the model was not built"))?;
        Ok(&**plan)
    }

    /// Rejects a file that does not match its manifest.
    ///
    /// Ignores the shapes of outputs, which depend on the version of tract.
    fn check_built(&self, built: &Interface) -> Result<()> {
        let names = |ports: &[Port]| -> Vec<_> {
            let kind = |port: &Port| (port.dtype, port.sequence, port.optional);
            ports.iter().map(|port| (port.name.clone(), kind(port), port.keys.clone())).collect()
        };
        // ONNX Runtime does not say which dimensions count rows; the check did.
        let is_tract = self.engine.is_tract();
        let same = names(&built.inputs) == names(&self.interface.inputs)
            && (!is_tract || built.inputs == self.interface.inputs)
            && names(&built.outputs) == names(&self.interface.outputs)
            && (!is_tract || built.by_rows || !self.interface.by_rows);
        if same {
            return Ok(());
        }
        Err(Error::predict("the inputs or outputs of the file differ from its manifest"))
    }

    fn run_rows<'a>(&'a self, rows: Rows<'a>) -> Result<Outputs<'a>> {
        let count = rows.count();
        let inputs = rows.into_values().map_err(Error::predict)?;
        let values = self.run(count, inputs)?;
        Ok(Outputs { interface: &self.interface, values, rows: count, words: false })
    }
}

impl fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        f.debug_struct("OnnxModel")
            .field("inputs", &inputs)
            .field("outputs", &outputs)
            .finish_non_exhaustive()
    }
}

/// The texts of an error and its causes.
fn with_causes(error: &Error) -> String {
    let causes =
        std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Fields of the manifest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<F, P> {
    file: F,
    inputs: P,
    outputs: P,
    /// True if the first dimension looks like a number of rows, but rows influence each other.
    #[serde(default, skip_serializing_if = "is_false")]
    dependent_rows: bool,
    #[serde(default, skip_serializing_if = "Engine::is_tract")]
    engine: Engine,
    /// Inputs and outputs in JSON.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    examples: Option<F>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Serialize for OnnxModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields {
            file: &self.file,
            inputs: self.inputs(),
            outputs: self.outputs(),
            dependent_rows: self.interface.has_dependent_rows(),
            engine: self.engine,
            examples: self.examples.as_ref(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OnnxModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { file, inputs, outputs, dependent_rows, engine, examples } =
            Fields::<_, Vec<Port>>::deserialize(deserializer)?;
        let mut interface = Interface::new(inputs, outputs).map_err(serde::de::Error::custom)?;
        interface.by_rows &= !dependent_rows;
        let (plan, building) = (OnceLock::new(), Mutex::new(()));
        Ok(Self { file, interface, engine, examples, plan, building })
    }
}

#[typetag::serde(name = "larder/onnx")]
impl Component for OnnxModel {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }
}

impl ComponentType for OnnxModel {
    const TAG: &'static str = "larder/onnx";
    const OWN_SIGNATURE: bool = true;
}

larder_core::link!(Item::component::<OnnxModel>());
