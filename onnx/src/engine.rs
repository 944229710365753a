//! The programs that run ONNX models.

use std::fmt;

use larder_core::bytes::Bytes;
use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::TractResult;

use super::build;
use super::data::Data;
use super::file;
use super::interface::Interface;
#[cfg(feature = "onnxruntime")]
use super::runtime;
use super::test_data::TestData;

/// A program that runs ONNX models, recorded for each model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Engine {
    /// tract, in Rust alone and linked in.
    #[default]
    Tract,
    /// ONNX Runtime, whose shared library is found when it is needed; with the feature `onnxruntime`.
    OnnxRuntime,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tract => "tract",
            Self::OnnxRuntime => "ONNX Runtime",
        })
    }
}

impl Engine {
    pub(super) fn is_tract(&self) -> bool {
        *self == Self::Tract
    }
}

/// A model that an engine has built.
pub(super) trait Run: Send + Sync {
    /// Runs the model on whole values of `rows` rows.
    fn run(&self, rows: usize, inputs: Vec<Data>) -> TractResult<Vec<Data>>;
}

/// A model that has been run on generated inputs.
pub(super) struct Checked {
    pub(super) engine: Engine,
    pub(super) plan: Box<dyn Run>,
    pub(super) interface: Interface,
}

impl Checked {
    fn against(self, data: &[TestData]) -> Result<Self, String> {
        let engine = self.engine;
        let check = |data: &TestData| data.check(&*self.plan, &self.interface);
        data.iter().try_for_each(check).map_err(|reason| format!("with {engine}, {reason}"))?;
        Ok(self)
    }
}

/// Builds and checks a file with an engine, or with the first that can run it.
pub(super) fn check(
    bytes: &Bytes,
    engine: Option<Engine>,
    data: &[TestData],
) -> Result<Checked, String> {
    let proto = file::parse(bytes)?;
    let with_tract = |proto| {
        let (plan, interface) = build::build(proto, bytes.len())?.check(data)?;
        let checked = Checked { engine: Engine::Tract, plan: Box::new(plan), interface };
        checked.against(data)
    };
    let with_runtime = |proto| with_runtime(proto, bytes)?.against(data);
    match engine {
        Some(Engine::Tract) => with_tract(proto),
        Some(Engine::OnnxRuntime) => with_runtime(proto),
        None => with_tract(proto).or_else(|reason| match missing() {
            Some(missing) => Err(format!("{reason}; another engine may run it, but {missing}")),
            None => {
                let other = file::parse(bytes).and_then(with_runtime);
                other.map_err(|other| format!("{reason}; {other}"))
            }
        }),
    }
}

#[cfg(feature = "onnxruntime")]
use runtime::missing;

#[cfg(feature = "onnxruntime")]
fn with_runtime(proto: ModelProto, bytes: &Bytes) -> Result<Checked, String> {
    let (plan, interface) = runtime::check(proto, bytes)?;
    Ok(Checked { engine: Engine::OnnxRuntime, plan: Box::new(plan), interface })
}

/// Why there is no ONNX Runtime.
#[cfg(not(feature = "onnxruntime"))]
fn missing() -> Option<String> {
    Some("this program was built without the feature `onnxruntime`".into())
}

#[cfg(not(feature = "onnxruntime"))]
fn with_runtime(_: ModelProto, _: &Bytes) -> Result<Checked, String> {
    Err("cannot use ONNX Runtime: this program was built without the feature `onnxruntime`".into())
}

/// Builds a model that was checked; returns what the file says of its inputs and outputs.
pub(super) fn build(
    bytes: &Bytes,
    engine: Engine,
    by_rows: bool,
) -> Result<(Box<dyn Run>, Interface)> {
    match engine {
        Engine::Tract => {
            let built = file::parse(bytes).and_then(|proto| build::build(proto, bytes.len()));
            let built = built.map_err(Error::predict)?;
            let interface = built.interface.clone();
            Ok((Box::new(built.into_plan(by_rows)), interface))
        }
        #[cfg(feature = "onnxruntime")]
        Engine::OnnxRuntime => {
            let (session, interface) = runtime::build(bytes).map_err(Error::predict)?;
            Ok((Box::new(session), interface))
        }
        #[cfg(not(feature = "onnxruntime"))]
        Engine::OnnxRuntime => Err(Error::predict(
            "the model needs ONNX Runtime: use a program that is built with the feature `onnxruntime`",
        )),
    }
}
