//! Options for opening an ONNX file.

use super::Engine;

/// Options for opening an ONNX file.
///
/// ```
/// use larder_onnx::OnnxModel;
/// use larder_onnx::{Engine, OpenOptions};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tests/fixtures/fixed.onnx");
/// let options = OpenOptions::new()
///     .engine(Engine::Tract)
///     .example("[[1, 2], [3, 4]]", "[[-1, -2], [-3, -4]]"); // checked now, and kept with the model
/// let model = OnnxModel::open_with(path, &options)?;
/// assert_eq!(model.check_examples()?, 1);
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    pub(super) engine: Option<Engine>,
    pub(super) examples: Vec<(String, String)>,
}

impl OpenOptions {
    /// Returns the defaults: the first engine that can run the model, and the test data beside the file as examples.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Adds an example: an input and its output in JSON, as [`Model::predict_json_erased`](larder_core::Model::predict_json_erased) takes and returns them.
    #[must_use]
    pub fn example(mut self, input: impl Into<String>, output: impl Into<String>) -> Self {
        self.examples.push((input.into(), output.into()));
        self
    }
}
