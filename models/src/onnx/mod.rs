//! ONNX models, run by tract.

mod build;
mod check;
mod compare;
mod dtype;
mod element;
mod file;
mod interface;
mod nested;
mod ops;
mod plan;
mod predict;
mod read;
mod refusal;
mod rewrite;
mod sample;
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
use larder_files::{FileBytes, FileContent};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tract_onnx::prelude::TValue;

pub use tract_onnx::prelude::f16;
/// The version of ndarray used by [`Value`].
pub use tract_onnx::prelude::tract_ndarray as ndarray;

pub use dtype::DType;
pub use interface::{Dim, Port};
pub use value::{Element, Value};

use interface::Interface;
use plan::ExecutionPlan;
use read::Rows;
use write::Outputs;

/// Maximum number of rows per run.
const MAX_ROWS: usize = 256;

/// An ONNX model.
///
/// ```
/// use larder_core::Registry;
/// use larder_models::OnnxModel;
/// use larder_models::onnx::Value;
/// use larder_models::onnx::ndarray::Array;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/digits_mlp.onnx");
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
    plan: OnceLock<ExecutionPlan>,
    /// Ensures that the plan is built once.
    building: Mutex<()>,
}

impl OnnxModel {
    /// Reads and validates an ONNX file.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not a complete ONNX file, needs an unsupported operator or opset, or has external
    /// tensors; [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let action = format!("read the ONNX file {}", path.display());
        let failed = |error| Error::store(format!("read {}", path.display()), error);
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            return Err(Error::Refused { action, reason: "not a file".into() });
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(file::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::read(bytes.into(), action)
    }

    /// Validates an ONNX file in memory.
    ///
    /// # Errors
    /// As [`open`](OnnxModel::open).
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::read(bytes.into(), "read the ONNX file".into())
    }

    fn read(bytes: Bytes, action: String) -> Result<Self> {
        let refused = |reason| Error::Refused { action: action.clone(), reason };
        let built = build::build(&bytes).map_err(refused)?;
        let (plan, interface) = built.check().map_err(refused)?;
        Ok(Self {
            file: FileContent::of(bytes).into(),
            interface,
            plan: OnceLock::from(plan),
            building: Mutex::new(()),
        })
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
        let inputs: Vec<TValue> = inputs.into_iter().map(|Value(tensor)| tensor).collect();
        let rows = self.check(&inputs)?;
        Ok(self.run(rows, inputs)?.into_iter().map(Value).collect())
    }

    /// Validates inputs; returns the number of rows.
    fn check(&self, inputs: &[TValue]) -> Result<usize> {
        let expected = self.inputs().len();
        if inputs.len() != expected {
            let found = inputs.len();
            return Err(value::input("", format!("expected {expected} tensors, found {found}")));
        }
        let mut rows = None;
        for (port, tensor) in self.inputs().iter().zip(inputs) {
            if DType::of(tensor.datum_type()) != Some(port.dtype) {
                let message =
                    format!("expected elements of {}, found {:?}", port.dtype, tensor.datum_type());
                return Err(value::input(&port.name, message));
            }
            let fits = |(dim, size): (&Dim, &usize)| match dim {
                Dim::Fixed(fixed) => *fixed == *size as u64,
                Dim::Symbol(_) => true,
            };
            let first = tensor.shape().first().copied();
            let same_rows = !self.interface.by_rows || rows.is_none_or(|rows| Some(rows) == first);
            let (dims, sizes) = (&port.shape, tensor.shape());
            if dims.len() != sizes.len() || !dims.iter().zip(sizes).all(fits) || !same_rows {
                let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
                let message = format!("expected the shape [{}], found {sizes:?}", dims.join(", "));
                return Err(value::input(&port.name, message));
            }
            rows = rows.or(first);
        }
        Ok(rows.unwrap_or(1))
    }

    fn run(&self, rows: usize, inputs: Vec<TValue>) -> Result<Vec<TValue>> {
        let outputs = self.plan()?.run(rows, inputs);
        let outputs =
            outputs.map_err(|error| Error::predict(refusal::shorten(&format!("{error:#}"))))?;
        if outputs.len() != self.outputs().len() {
            return Err(Error::predict("the model returned the wrong number of outputs"));
        }
        Ok(outputs)
    }

    fn plan(&self) -> Result<&ExecutionPlan> {
        if self.plan.get().is_none() {
            let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            if self.plan.get().is_none() {
                let built = build::build(&self.file()?).map_err(Error::predict)?;
                self.check_built(&built.interface)?;
                // No other thread sets it while the lock is held.
                let _ = self.plan.set(built.into_plan(self.interface.by_rows));
            }
        }
        self.plan.get().ok_or_else(|| Error::predict("the model was not built"))
    }

    /// Rejects a file that does not match its manifest.
    ///
    /// Ignores the shapes of outputs, which depend on the version of tract.
    fn check_built(&self, built: &Interface) -> Result<()> {
        let names = |ports: &[Port]| -> Vec<_> {
            ports.iter().map(|port| (port.name.clone(), port.dtype, port.keys.clone())).collect()
        };
        let same = built.inputs == self.interface.inputs
            && names(&built.outputs) == names(&self.interface.outputs)
            && (built.by_rows || !self.interface.by_rows);
        if same {
            return Ok(());
        }
        Err(Error::predict("the inputs or outputs of the file differ from its manifest"))
    }

    fn run_rows<'a>(&'a self, rows: Rows<'a>) -> Result<Outputs<'a>> {
        let count = rows.count();
        let inputs = rows.into_tensors().map_err(Error::predict)?;
        Ok(Outputs { interface: &self.interface, tensors: self.run(count, inputs)?, rows: count })
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
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OnnxModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { file, inputs, outputs, dependent_rows } =
            Fields::<_, Vec<Port>>::deserialize(deserializer)?;
        let mut interface = Interface::new(inputs, outputs).map_err(serde::de::Error::custom)?;
        interface.by_rows &= !dependent_rows;
        Ok(Self { file, interface, plan: OnceLock::new(), building: Mutex::new(()) })
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
