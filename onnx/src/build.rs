//! Construction of a tract model from an ONNX file, with checked sizes.

use std::collections::{BTreeSet, HashMap};

use larder_core::extend::catch_panic;
use tract_onnx::Onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{
    DimFact, Factoid, InferenceFact, InferenceModel, InferenceNode, ShapeFactoid,
};

use super::check::{Fault, Subject};
use super::dtype::DType;
use super::file::{self, File};
use super::interface::{Dim, Interface, Port};
use super::ops;
use super::plan::{ExecutionPlan, PlainModel};
use super::refusal::{Names, name_of, shorten};
use super::rewrite::{Keys, describe};
use super::test_data::TestData;

/// Maximum number of elements of a tensor, with one row and 1 for each open dimension.
const MAX_ELEMENTS: i64 = 1 << 28;
/// Size of a file, in bytes, above which it is checked with less.
pub(super) const LARGE: usize = 32 << 20;
/// Maximum size of the constants computed at build time, in bytes.
const MAX_CONSTANT_BYTES: u64 = 1 << 31;

/// A model that is not yet optimized for a number of rows.
pub(super) struct BuiltModel {
    model: TypedModel,
    /// The model before any optimization.
    plain: TypedModel,
    pub(super) interface: Interface,
    /// The symbol of the row dimension.
    rows: Option<Symbol>,
    nodes: Names,
    /// True if the check must not take longer than reading and building it.
    is_large: bool,
}

/// Builds the model of an ONNX file of `size` bytes.
pub(super) fn build(proto: ModelProto, size: usize) -> Result<BuiltModel, String> {
    let File { mut onnx, proto, keys } = file::read(proto)?;
    let mut build = |bounded| -> Result<_, String> {
        ops::register(&mut onnx, bounded);
        // tract may panic on untrusted files. Nothing is reused after a panic.
        let built = catch_panic("tract", || typed(&onnx, &proto, &keys));
        let built = built.map_err(|panic| shorten(&panic.to_string()));
        let built = built.map_err(|panic| format!("tract cannot run it: {panic}"))??;
        Ok(BuiltModel { is_large: size > LARGE, ..built })
    };
    build(true).or_else(|reason| {
        let graph = proto.graph.as_ref();
        let slices =
            graph.is_some_and(|graph| graph.node.iter().any(|node| node.op_type == "Slice"));
        if slices { build(false).map_err(|_| reason) } else { Err(reason) }
    })
}

/// Rejects a model with tensors beyond the limits, as far as tract can tell their sizes.
#[cfg(feature = "onnxruntime")]
pub(super) fn check_limits(proto: ModelProto) -> Result<(), String> {
    let Ok(File { mut onnx, proto, .. }) = file::read(proto) else { return Ok(()) };
    ops::register(&mut onnx, true);
    let analyse = || -> TractResult<()> {
        let mut model = onnx.parse(&proto, None)?.model;
        name_open_dims(&mut model)?;
        analyse(&mut model)
    };
    match catch_panic("tract", analyse) {
        Ok(Err(error)) if error.root_cause().is::<Limit>() => Err(error.root_cause().to_string()),
        _ => Ok(()),
    }
}

/// A size beyond the limits.
#[derive(Debug)]
struct Limit(String);

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Limit {}

impl BuiltModel {
    /// Runs the model on generated inputs; returns its plan and the meaning of its first dimension.
    ///
    /// Where it fails on all of them, as on sizes that do not fit together, the test data must do.
    pub(super) fn check(mut self, data: &[TestData]) -> Result<(ExecutionPlan, Interface), String> {
        let plain = PlainModel::new(std::mem::take(&mut self.plain));
        let (by_rows, is_large) = (self.interface.by_rows, self.is_large);
        let mut interface = self.interface.clone();
        let nodes = std::mem::take(&mut self.nodes);
        let mut plan = self.into_plan(by_rows);
        let run_plain = plain.as_ref().map(|plain| |_: usize, inputs| plain.run(inputs));
        let subject = Subject {
            interface: &interface,
            run: &|rows, inputs| plan.run_tensors(rows, inputs),
            plain: run_plain.as_ref().map(|run| run as _),
            is_large,
        };
        let checked = subject.check();
        interface.by_rows = match checked {
            Ok(by_rows) => by_rows,
            Err(Fault::Fails(error)) => {
                let runs = |data: &TestData| data.check(&plan, &interface).is_ok();
                if data.is_empty() || !data.iter().all(runs) {
                    return Err(nodes.explain(&error));
                }
                false
            }
            Err(Fault::Differs(reason)) => {
                return Err(format!("tract does not run it reliably: {reason}"));
            }
        };
        if by_rows && !interface.by_rows {
            plan.without_rows();
        }
        Ok((plan, interface))
    }

    /// Returns the plan of a model that was checked.
    pub(super) fn into_plan(self, by_rows: bool) -> ExecutionPlan {
        ExecutionPlan::new(self.model, self.rows.filter(|_| by_rows), self.is_large)
    }
}

fn typed(onnx: &Onnx, proto: &ModelProto, keys: &Keys) -> Result<BuiltModel, String> {
    let nodes = Names::new(proto);
    let failed = |error: TractError| nodes.explain(&error);
    let parsed = onnx.parse(proto, None).map_err(failed)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(format!("no node produces `{name}`"));
    }
    let mut model = parsed.model;
    let rows = name_open_dims(&mut model).map_err(failed)?;
    analyse(&mut model).map_err(failed)?;
    check_reductions(&model, proto)?;
    let translated = catch_panic("tract", || model.clone().into_typed());
    let mut typed = match translated {
        Ok(typed) => typed.map_err(failed)?,
        Err(panic) => {
            let error = TractError::msg(panic.to_string());
            return Err(failed(match first_that_panics(&model) {
                Some(node) => error.context(format!("at {node}")),
                None => error,
            }));
        }
    };
    check_sizes(&typed).map_err(failed)?;
    ops::replace(&mut typed).map_err(failed)?;
    let plain = typed.clone();
    typed.declutter().map_err(failed)?;
    check_sizes(&typed).map_err(failed)?;

    let inputs = typed.input_outlets().map_err(failed)?;
    let inputs = ports(&typed, inputs, |at| {
        Some(typed.node(typed.input_outlets().ok()?.get(at)?.node).name.clone())
    })?;
    let names = proto.graph.iter().flat_map(|graph| &graph.output);
    let names: Vec<_> = names.map(|output| output.name.clone()).collect();
    let outputs = typed.output_outlets().map_err(failed)?;
    let mut outputs = ports(&typed, outputs, |at| names.get(at).cloned())?;
    for port in &mut outputs {
        port.keys = keys.get(&port.name).cloned().unwrap_or_default();
    }
    let interface = Interface::new(inputs, outputs)?;
    Ok(BuiltModel { model: typed, plain, interface, rows, nodes, is_large: false })
}

fn ports(
    model: &TypedModel,
    outlets: &[OutletId],
    name: impl Fn(usize) -> Option<String>,
) -> Result<Vec<Port>, String> {
    let port = |(at, outlet): (usize, &OutletId)| {
        let fact = model.outlet_fact(*outlet).map_err(|error| error.to_string())?;
        let name = name(at).ok_or("an input or output has no name")?;
        let dtype = DType::of(fact.datum_type)
            .ok_or_else(|| format!("the elements of `{name}` have a type that is not supported"))?;
        let dim = |dim: &TDim| match dim.to_i64() {
            Ok(size) => u64::try_from(size).map(Dim::Fixed).map_err(|error| error.to_string()),
            Err(_) => Ok(Dim::Symbol(dim.to_string())),
        };
        let shape = fact.shape.iter().map(dim).collect::<Result<_, _>>()?;
        Ok(Port::tensor(name, dtype, shape))
    };
    outlets.iter().enumerate().map(port).collect()
}

/// Names the open dimensions of the inputs; the first dimensions are rows and share a symbol.
fn name_open_dims(model: &mut InferenceModel) -> TractResult<Option<Symbol>> {
    let inputs = model.input_outlets()?.len();
    let mut facts = Vec::with_capacity(inputs);
    for input in 0..inputs {
        facts.push(model.input_fact(input)?.clone());
    }
    let first = |fact: &InferenceFact| fact.shape.dims().next().cloned();
    // Reuses the file's name for rows.
    let named = facts.iter().filter_map(first).find_map(|dim| dim.concretize());
    let rows = match named {
        Some(TDim::Sym(symbol)) => Some(symbol),
        Some(_) => None,
        None => Some(model.symbols.new_with_prefix("N")),
    };
    for (input, mut fact) in facts.into_iter().enumerate() {
        if fact.shape.is_open() {
            return bail(format!(
                "the rank of the input {} is unknown",
                model.node(model.input_outlets()?[input].node).name
            ));
        }
        let mut dims = Vec::new();
        for (axis, dim) in fact.shape.dims().enumerate() {
            dims.push(match (dim.concretize(), &rows) {
                (Some(dim), _) => dim,
                (None, Some(rows)) if axis == 0 => rows.to_dim(),
                (None, _) => model.symbols.new_with_prefix("D").to_dim(),
            });
        }
        fact.shape = ShapeFactoid::from(dims);
        model.set_input_fact(input, fact)?;
    }
    Ok(rows)
}

/// Analyses the model as tract does, but checks each size first: a few bytes can request a constant of terabytes.
fn analyse(model: &mut InferenceModel) -> TractResult<()> {
    let mut open: BTreeSet<usize> = (0..model.nodes().len()).collect();
    let mut observers: HashMap<OutletId, Vec<usize>> = HashMap::new();
    for node in model.nodes() {
        for outlet in node.op.observe_outlets(model, node)? {
            observers.entry(outlet).or_default().push(node.id);
        }
    }
    let mut order = model.eval_order()?;
    order.reverse();
    let mut computed = 0_u64;
    let mut counted = BTreeSet::new();
    while let Some(node) = order.pop().or_else(|| open.first().copied()) {
        open.remove(&node);
        let name = model.node(node).to_string();
        // Names the node also if it panics.
        let changed = catch_panic("tract", || analyse_node(model, node, &name));
        let changed = changed.map_err(|panic| TractError::msg(panic.to_string())).flatten();
        for outlet in changed.map_err(|error| error.context(format!("at {name}")))? {
            if let Some(value) = model.outlet_fact(outlet)?.value.concretize()
                && counted.insert(outlet)
            {
                computed += (value.len() * value.datum_type().size_of()) as u64;
                if computed > MAX_CONSTANT_BYTES {
                    let limit = format!("its constants exceed {MAX_CONSTANT_BYTES} bytes");
                    return Err(TractError::new(Limit(limit)));
                }
            }
            let successors = &model.node(outlet.node).outputs[outlet.slot].successors;
            open.extend(successors.iter().map(|inlet| inlet.node).filter(|next| *next != node));
            open.extend((outlet.node != node).then_some(outlet.node));
            open.extend(observers.get(&outlet).into_iter().flatten());
        }
    }
    Ok(())
}

/// Infers the facts of one node's outlets; returns the outlets whose facts changed.
fn analyse_node(model: &mut InferenceModel, id: usize, name: &str) -> TractResult<Vec<OutletId>> {
    let node = model.node(id);
    let observed = node.op.observe_outlets(model, node)?;
    let outputs = (0..node.outputs.len()).map(|slot| OutletId::new(id, slot));
    let outlets = [node.inputs.to_vec(), outputs.collect(), observed];
    let facts = |outlets: &Vec<OutletId>| -> TractResult<Vec<InferenceFact>> {
        outlets.iter().map(|outlet| model.outlet_fact(*outlet).cloned()).collect()
    };
    let [inputs, outputs, observed] =
        [facts(&outlets[0])?, facts(&outlets[1])?, facts(&outlets[2])?];
    let op = &mut model.node_mut(id).op;
    // Infers only the shapes, without computing values.
    let (_, shapes, _) = op.infer_facts(
        inputs.iter().collect(),
        outputs.iter().collect(),
        observed.iter().collect(),
    )?;
    for fact in &shapes {
        let known: Vec<_> = fact.shape.dims().filter_map(|dim| dim.concretize()).collect();
        check_shape(&known, name)?;
    }
    let (inputs, outputs, observed) =
        op.infer(inputs.iter().collect(), outputs.iter().collect(), observed.iter().collect())?;
    let mut changed = Vec::new();
    for (outlets, facts) in outlets.iter().zip([inputs, outputs, observed]) {
        for (outlet, fact) in outlets.iter().zip(facts) {
            let known = model.outlet_fact(*outlet)?;
            let fact = fact.unify(known)?;
            if fact != *known {
                model.set_outlet_fact(*outlet, fact)?;
                changed.push(*outlet);
            }
        }
    }
    Ok(changed)
}

/// Rejects `ReduceMax` and `ReduceMin` of an empty tensor, which tract computes while it builds the model.
fn check_reductions(model: &InferenceModel, proto: &ModelProto) -> Result<(), String> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes.filter(|node| ["ReduceMax", "ReduceMin"].contains(&&*node.op_type)) {
        let input = model.nodes().iter().find(|known| known.name == name_of(node));
        let input = input.and_then(|known| model.outlet_fact(*known.inputs.first()?).ok());
        let empty = |dim: &DimFact| dim.concretize().is_some_and(|dim| dim.as_i64() == Some(0));
        if input.is_some_and(|fact| fact.shape.dims().any(empty)) {
            return Err(format!("tract cannot run the {}: its input is empty", describe(node)));
        }
    }
    Ok(())
}

/// Finds the node whose translation panics.
fn first_that_panics(model: &InferenceModel) -> Option<String> {
    let fails = |node: &InferenceNode| {
        let mut target = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
        let mut mapping = HashMap::new();
        for (at, input) in node.inputs.iter().enumerate() {
            let fact = model.outlet_fact(*input).ok()?;
            let (name, value) = (format!("{at}"), fact.value.concretize());
            let source = match value {
                Some(value) => target.add_const(name, value),
                None => target.add_source(name, fact.try_into().ok()?),
            };
            mapping.insert(*input, source.ok()?);
        }
        Some(
            catch_panic("tract", || node.op.to_typed(model, node, &mut target, &mapping).is_ok())
                .is_err(),
        )
    };
    let mut nodes = model.nodes().iter().filter(|node| !node.inputs.is_empty());
    nodes.find(|node| fails(node) == Some(true)).map(ToString::to_string)
}

fn check_sizes(model: &TypedModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            check_shape(&output.fact.shape, &node.name)?;
        }
    }
    Ok(())
}

/// Rejects a tensor whose fixed dimensions are too large.
fn check_shape(shape: &[TDim], node: &str) -> TractResult<()> {
    let mut sizes = shape.iter().filter_map(|dim| dim.to_i64().ok());
    let product = sizes.try_fold(1_i64, |product, size| product.checked_mul(size.max(1)));
    if shape.iter().any(|dim| dim.to_i64().is_ok_and(|size| size < 0)) {
        return bail(format!("{node} has a negative dimension"));
    }
    if product.is_none_or(|product| product > MAX_ELEMENTS) {
        let limit = format!("{node} produces a tensor of more than {MAX_ELEMENTS} elements");
        return Err(TractError::new(Limit(limit)));
    }
    Ok(())
}

fn bail<T>(message: String) -> TractResult<T> {
    Err(TractError::msg(message))
}
