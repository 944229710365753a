//! Models in ONNX files, run by tract.

mod build;
mod dtype;
mod element;
mod file;
mod interface;
mod plan;
mod predict;
mod read;
mod scaler;
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
/// The version of ndarray that [`Value`] takes and lends.
pub use tract_onnx::prelude::tract_ndarray as ndarray;

pub use dtype::DType;
pub use interface::{Dim, Port};
pub use value::{Element, Value};

use interface::Interface;
use plan::ExecutionPlan;
use read::Rows;
use write::Outputs;

/// The most rows that go through the model at a time.
const MOST_ROWS: usize = 256;

/// A model in an ONNX file.
///
/// ```
/// use larder_core::Registry;
/// use larder_models::OnnxModel;
/// use larder_models::onnx::Value;
/// use larder_models::onnx::ndarray::Array;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/digits_mlp.onnx");
/// let model = OnnxModel::open(path)?; // checked: an operator that is not known is refused here
/// assert_eq!(model.inputs()[0].name, "X");
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("digits", &model)?; // the file as it is
///
/// let model: OnnxModel = larder.load("digits")?;
/// let images = Array::<f32, _>::zeros((256, 64));
/// let outputs = model.predict([Value::from(images)])?; // in the order of `model.outputs()`
/// let probabilities = outputs[1].view::<f32>()?; // lent
/// assert_eq!(probabilities.shape(), [256, 10]);
/// # Ok::<(), larder_core::Error>(())
/// ```
///
/// Through its face as a [`Model`], one row is an object by input name, or an array if there is one input; the dimension
/// that counts rows is left out. It gives an object by output name, or what the only output is. The model
/// is optimised when it is used first, once, and shared by threads.
pub struct OnnxModel {
    file: Artifact<FileContent, FileBytes>,
    interface: Interface,
    plan: OnceLock<ExecutionPlan>,
    /// Held while the plan is made, so that it happens once.
    building: Mutex<()>,
}

impl OnnxModel {
    /// Reads and checks the ONNX file at `path`.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is no ONNX file or not all of one, if it needs an operator or an opset that is
    /// not known, or if its tensors are in other files; [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let action = format!("read the ONNX file {}", path.display());
        let failed = |error| Error::store(format!("read {}", path.display()), error);
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            return Err(Error::Refused { action, reason: "it is not a file".into() });
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(file::MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::read(bytes.into(), action)
    }

    /// Checks an ONNX file that is in memory.
    ///
    /// # Errors
    /// As [`open`](OnnxModel::open).
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::read(bytes.into(), "read the ONNX file".into())
    }

    fn read(bytes: Bytes, action: String) -> Result<Self> {
        let built = build::build(&bytes).map_err(|reason| Error::Refused { action, reason })?;
        Ok(Self {
            file: FileContent::of(bytes).into(),
            interface: built.interface.clone(),
            plan: OnceLock::from(ExecutionPlan::new(built)),
            building: Mutex::new(()),
        })
    }

    /// What it takes.
    pub fn inputs(&self) -> &[Port] {
        &self.interface.inputs
    }

    /// What it gives.
    pub fn outputs(&self) -> &[Port] {
        &self.interface.outputs
    }

    /// The file.
    ///
    /// # Errors
    /// As [`Artifact::get`].
    pub fn file(&self) -> Result<Bytes> {
        self.file.get()?.bytes()
    }

    /// Predicts for whole tensors, in the order of [`inputs`](OnnxModel::inputs); rows are their first dimension.
    ///
    /// An array that is given away or lent is copied once, into memory that is aligned as the model wants it;
    /// what comes out is lent without a copy.
    ///
    /// # Errors
    /// [`Error::Input`] for another number of inputs, another shape or another type of elements; [`Error::Predict`].
    pub fn predict(&self, inputs: impl IntoIterator<Item = Value>) -> Result<Vec<Value>> {
        let inputs: Vec<TValue> = inputs.into_iter().map(|Value(tensor)| tensor).collect();
        let rows = self.check(&inputs)?;
        Ok(self.run(rows, inputs)?.into_iter().map(Value).collect())
    }

    /// Checks what the types of Rust leave open, and gives the number of rows.
    fn check(&self, inputs: &[TValue]) -> Result<usize> {
        let expected = self.inputs().len();
        if inputs.len() != expected {
            let given = inputs.len();
            return Err(value::input("", format!("it takes {expected} tensors, not {given}")));
        }
        let mut rows = None;
        for (port, tensor) in self.inputs().iter().zip(inputs) {
            if DType::of(tensor.datum_type()) != Some(port.dtype) {
                let message =
                    format!("it has elements of {:?}, not {}", tensor.datum_type(), port.dtype);
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
                let message = format!("its shape is {sizes:?}, not [{}]", dims.join(", "));
                return Err(value::input(&port.name, message));
            }
            rows = rows.or(first);
        }
        Ok(rows.unwrap_or(1))
    }

    fn run(&self, rows: usize, inputs: Vec<TValue>) -> Result<Vec<TValue>> {
        let outputs = self.plan()?.run(rows, inputs)?;
        if outputs.len() != self.outputs().len() {
            return Err(Error::predict("it gave another number of outputs than it has"));
        }
        Ok(outputs)
    }

    fn plan(&self) -> Result<&ExecutionPlan> {
        if self.plan.get().is_none() {
            let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            if self.plan.get().is_none() {
                let built = build::build(&self.file()?).map_err(Error::predict)?;
                self.check_built(&built.interface)?;
                // The lock is held, so nobody else sets it meanwhile.
                let _ = self.plan.set(ExecutionPlan::new(built));
            }
        }
        self.plan.get().ok_or_else(|| Error::predict("the model was not built"))
    }

    /// Refuses a file that is not what the manifest says of it.
    ///
    /// Of outputs the names and types count: what is known of their shapes is another tract's affair.
    fn check_built(&self, built: &Interface) -> Result<()> {
        let names = |ports: &[Port]| -> Vec<_> {
            ports.iter().map(|port| (port.name.clone(), port.dtype)).collect()
        };
        let same = built.inputs == self.interface.inputs
            && names(&built.outputs) == names(&self.interface.outputs)
            && built.by_rows == self.interface.by_rows;
        if same {
            return Ok(());
        }
        Err(Error::predict("the file takes or gives something else than its manifest says"))
    }

    /// How many rows go through the model at a time.
    fn most_rows(&self) -> usize {
        let open =
            |port| self.interface.row_shape(port).iter().any(|dim| matches!(dim, Dim::Symbol(_)));
        // Rows may differ in what is left open.
        if !self.interface.by_rows || self.inputs().iter().any(open) { 1 } else { MOST_ROWS }
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

/// The fields of the manifest.
#[derive(Serialize, Deserialize)]
struct Fields<F, P> {
    file: F,
    inputs: P,
    outputs: P,
}

impl Serialize for OnnxModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields { file: &self.file, inputs: self.inputs(), outputs: self.outputs() }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OnnxModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { file, inputs, outputs } = Fields::<_, Vec<Port>>::deserialize(deserializer)?;
        let interface = Interface::new(inputs, outputs).map_err(serde::de::Error::custom)?;
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
