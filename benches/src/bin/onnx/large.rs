//! Putting a model of 100 MB, against reading, digesting and building it once.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use larder::Registry;
use larder::models::OnnxModel;
use larder::models::onnx::{Engine, OpenOptions};
use larder_benches::{Outcome, say, work_folder};
use prost::Message as _;
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto,
};

use super::{bare, line, median, seconds};

/// Rows and columns of a layer's parameters.
const SIZE: usize = 1024;
/// Layers of 4 MiB.
const LAYERS: usize = 25;
/// Highest ratio.
const GOAL: f64 = 2.0;
/// Processes of each side.
const ROUNDS: usize = 5;

pub(super) fn compare(engine: &str, library: &Path) -> Outcome {
    let folder = work_folder()?;
    let path = folder.path().join("large.onnx");
    fs::write(&path, model().encode_to_vec())?;
    let child = |side: &str| -> Outcome<f64> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", side, engine]).arg(&path).env("LARDER_ONNXRUNTIME", library);
        seconds(command)
    };
    for (put, limit, what) in [
        ("put", "once", "in memory / read, digest, build once"),
        ("put-durably", "once-durably", "in a folder / the same, and a durable write"),
    ] {
        let (mut larder, mut once) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            larder.push(child(put)?);
            once.push(child(limit)?);
        }
        let what = format!("put of 100 MB, {engine}, {what}");
        line(&what, median(larder), median(once), Some(GOAL));
    }
    Ok(())
}

/// Puts the model in a larder, of a folder beside it or in memory, and prints how long it took.
pub(super) fn put(engine: Engine, path: &Path, durably: bool) -> Outcome {
    let folder = tempfile::tempdir_in(path.parent().ok_or("the file has no folder")?)?;
    let place = match durably {
        true => format!("fs:{}", folder.path().display()),
        false => "memory:".to_owned(),
    };
    let start = Instant::now();
    let larder = Registry::linked()?.open(&place)?;
    let model = OnnxModel::open_with(path, &OpenOptions::new().engine(engine))?;
    larder.apply("large", &model)?;
    print(start);
    Ok(())
}

/// Reads, digests and builds the model once, writes it durably or not, and prints how long it took.
pub(super) fn once(engine: Engine, path: &Path, durably: bool) -> Outcome {
    let folder = path.parent().ok_or("the file has no folder")?;
    let environment = match engine {
        Engine::Tract => None,
        _ => Some(bare::environment()?),
    };
    let start = Instant::now();
    let bytes = fs::read(path)?;
    black_box(blake3::hash(&bytes));
    match environment {
        None => {
            black_box(bare::tract_plan(path, 1)?);
        }
        Some(environment) => {
            black_box(bare::session(&environment, &bytes, 0)?);
        }
    }
    if durably {
        let mut copy = tempfile::NamedTempFile::new_in(folder)?;
        copy.write_all(&bytes)?;
        copy.as_file().sync_all()?;
        copy.persist(path.with_extension("copy"))?;
        fs::File::open(folder)?.sync_all()?;
    }
    print(start);
    Ok(())
}

fn print(start: Instant) {
    say(&start.elapsed().as_secs_f64().to_string());
}

/// A perceptron with a row of 64 numbers.
fn model() -> ModelProto {
    let mut state = 1_u32;
    let mut parameter = |name: String, rows: usize| {
        let noise = (0..rows * SIZE).flat_map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // From -1/32 to 1/32, so that sums stay small.
            ((f64::from(state) / f64::from(u32::MAX) - 0.5) as f32 / 16.0).to_le_bytes()
        });
        TensorProto {
            raw_data: noise.collect(),
            data_type: 1,
            dims: vec![rows as i64, SIZE as i64],
            name,
            ..TensorProto::default()
        }
    };
    let mut graph = GraphProto {
        name: "large".into(),
        input: vec![port("x", super::WIDTH)],
        output: vec![port("y", SIZE)],
        ..GraphProto::default()
    };
    let mut last = "x".to_owned();
    for layer in 0..=LAYERS {
        let rows = if layer == 0 { super::WIDTH } else { SIZE };
        let (weight, product) = (format!("w{layer}"), format!("p{layer}"));
        let active = if layer == LAYERS { "y".to_owned() } else { format!("a{layer}") };
        graph.initializer.push(parameter(weight.clone(), rows));
        graph.node.push(node("MatMul", vec![last, weight], product.clone()));
        graph.node.push(node("Relu", vec![product], active.clone()));
        last = active;
    }
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto {
        ir_version: 8,
        opset_import: vec![opset],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

fn node(operator: &str, input: Vec<String>, output: String) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: format!("make_{output}"),
        input,
        output: vec![output],
        ..NodeProto::default()
    }
}

fn port(name: &str, size: usize) -> ValueInfoProto {
    let dim =
        |value| tensor_shape_proto::Dimension { denotation: String::new(), value: Some(value) };
    let rows = tensor_shape_proto::dimension::Value::DimParam("N".into());
    let columns = tensor_shape_proto::dimension::Value::DimValue(size as i64);
    let shape = TensorShapeProto { dim: vec![dim(rows), dim(columns)] };
    let tensor = Tensor { elem_type: 1, shape: Some(shape) };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}
