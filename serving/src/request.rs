//! Requests and their answers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_core::bytes::Bytes;
use larder_core::{Error, Model, Result, VersionInfo};
use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};

/// A call of a model with an input in a format of your own; it may run more than once.
pub type Call = Arc<dyn Fn(&dyn Model) -> Result<Vec<u8>> + Send + Sync>;

/// The input of a request.
#[derive(Clone)]
#[non_exhaustive]
pub enum Input {
    /// One input in JSON, as [`Model::predict_json_erased`] takes it. Waiting requests of this kind are merged.
    Json(String),
    /// A JSON array of inputs.
    JsonRows(String),
    /// One input in MessagePack with named fields.
    MessagePack(Bytes),
    /// A MessagePack array of inputs.
    MessagePackRows(Bytes),
    /// Anything else: a function that calls the model, and the number of rows that it predicts.
    Call(Call, u64),
}

impl Input {
    /// Returns the bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Json(text) | Self::JsonRows(text) => text.len(),
            Self::MessagePack(bytes) | Self::MessagePackRows(bytes) => bytes.len(),
            Self::Call(..) => 0,
        }
    }

    /// Predicts on this thread.
    pub(crate) fn run(&self, model: &dyn Model) -> Result<Output> {
        match self {
            Self::Json(text) => model.predict_json(text).map(Output::Json),
            Self::JsonRows(text) => model.predict_batch_json(text).map(Output::Json),
            Self::MessagePack(bytes) => {
                message_pack(bytes, |input, output| model.predict_erased(input, output))
            }
            Self::MessagePackRows(bytes) => {
                message_pack(bytes, |input, output| model.predict_batch_erased(input, output))
            }
            Self::Call(call, _) => call(model).map(Output::Bytes),
        }
    }

    /// Returns the number of rows that `output` answers.
    pub(crate) fn rows(&self, output: &Output) -> u64 {
        match (self, output) {
            (Self::Call(_, rows), _) => *rows,
            (Self::JsonRows(_), Output::Json(text)) => {
                let mut source = serde_json::Deserializer::from_str(text);
                source.deserialize_seq(Count).unwrap_or(1)
            }
            (Self::MessagePackRows(_), Output::Bytes(bytes)) => {
                let mut source = rmp_serde::Deserializer::from_read_ref(bytes);
                source.deserialize_seq(Count).unwrap_or(1)
            }
            _ => 1,
        }
    }
}

impl fmt::Debug for Input {
    /// Shows no payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Json(_) => "Json",
            Self::JsonRows(_) => "JsonRows",
            Self::MessagePack(_) => "MessagePack",
            Self::MessagePackRows(_) => "MessagePackRows",
            Self::Call(..) => "Call",
        };
        write!(f, "{kind}({} bytes)", self.size())
    }
}

/// Counts the elements of a sequence.
struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while rows.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

fn message_pack(
    bytes: &[u8],
    predict: impl FnOnce(
        &mut dyn larder_core::erased_serde::Deserializer<'_>,
        &mut dyn larder_core::erased_serde::Serializer,
    ) -> Result<()>,
) -> Result<Output> {
    use larder_core::erased_serde::{Deserializer, Serializer};

    let mut output = Vec::with_capacity(128);
    let mut source = rmp_serde::Deserializer::from_read_ref(bytes);
    let mut sink = rmp_serde::Serializer::new(&mut output).with_struct_map();
    predict(
        &mut <dyn Deserializer<'_>>::erase(&mut source),
        &mut <dyn Serializer>::erase(&mut sink),
    )?;
    // The deserializer hides its position; at the end, there is no marker to read.
    source.set_max_depth(1);
    match serde::Deserialize::deserialize(&mut source) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(Output::Bytes(output)),
        Ok(IgnoredAny) | Err(_) => {
            Err(Error::Input { path: String::new(), source: "bytes after the input".into() })
        }
    }
}

/// The output of a model, in the format of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// JSON.
    Json(String),
    /// MessagePack, or what an [`Input::Call`] returned.
    Bytes(Vec<u8>),
}

impl Output {
    /// Returns the bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Json(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// A request for a prediction.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) input: Input,
    pub(crate) deadline: Option<Instant>,
}

impl Request {
    /// Creates a request with the default deadline.
    pub fn new(input: Input) -> Self {
        Self { input, deadline: None }
    }

    /// Creates a request of one input in JSON.
    pub fn json(input: impl Into<String>) -> Self {
        Self::new(Input::Json(input.into()))
    }

    /// Creates a request of a JSON array of inputs.
    pub fn json_rows(inputs: impl Into<String>) -> Self {
        Self::new(Input::JsonRows(inputs.into()))
    }

    /// Sets the time after which nobody waits for the answer.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the time from now after which nobody waits for the answer.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        self.deadline(Instant::now() + time)
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The output.
    pub output: Output,
    /// The version that gave it.
    pub version: Arc<VersionInfo>,
}
