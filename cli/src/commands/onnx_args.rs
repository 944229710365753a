//! Options of `put` for ONNX models.

use std::path::Path;

use clap::ValueEnum;
use larder::Component;
use larder_models::ModelKind;

use crate::command_error::{CommandError, Exit};

#[derive(clap::Args)]
pub(super) struct OnnxArgs {
    /// The engine of an ONNX model; by default the first that can run it
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// An input and its output, in JSON files: checked, and kept with an ONNX model; may be repeated
    #[arg(long = "example", value_name = "INPUT=OUTPUT")]
    examples: Vec<String>,
}

/// An engine of ONNX models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// tract, which is built in
    Tract,
    /// ONNX Runtime, from its shared library
    Onnxruntime,
}

impl OnnxArgs {
    /// Opens an ONNX model with these options; `None` if there are none.
    pub(super) fn open(
        &self,
        path: &Path,
        kind: Option<ModelKind>,
    ) -> Result<Option<larder::Result<Box<dyn Component>>>, CommandError> {
        if self.engine.is_none() && self.examples.is_empty() {
            return Ok(None);
        }
        let kind = kind.map_or_else(|| ModelKind::of_file(path), Ok);
        if kind.is_ok_and(|kind| kind != ModelKind::Onnx) {
            let path = path.display();
            let message =
                format!("cannot put {path}: `--engine` and `--example` are for ONNX models");
            return Err(CommandError::new(Exit::Usage, message));
        }
        self.open_onnx(path).map(Some)
    }

    #[cfg(feature = "onnx")]
    fn open_onnx(&self, path: &Path) -> Result<larder::Result<Box<dyn Component>>, CommandError> {
        use larder_models::onnx::{Engine as Named, OpenOptions};

        let mut options = OpenOptions::new();
        match self.engine {
            Some(Engine::Tract) => options = options.engine(Named::Tract),
            Some(Engine::Onnxruntime) => options = options.engine(Named::OnnxRuntime),
            None => (),
        }
        for example in &self.examples {
            let Some((input, output)) = example.split_once('=') else {
                let message = format!(
                    "cannot use the example `{example}`: it must be INPUT=OUTPUT, two JSON files"
                );
                return Err(CommandError::new(Exit::Usage, message));
            };
            let read = |path: &str| {
                std::fs::read_to_string(path).map_err(|error| CommandError::reading(path, &error))
            };
            options = options.example(read(input)?, read(output)?);
        }
        let model = larder_models::OnnxModel::open_with(path, &options);
        Ok(model.map(|model| Box::new(model) as _))
    }

    #[cfg(not(feature = "onnx"))]
    fn open_onnx(&self, path: &Path) -> Result<larder::Result<Box<dyn Component>>, CommandError> {
        let action = format!("put {} as a model", path.display());
        Err(CommandError::without_feature(action, "onnx"))
    }
}
