//! From a file's message to a model that tract can run: symbols for what is open, checked sizes.

use std::collections::{BTreeSet, HashMap};

use larder_core::extend::catch_panic;
use tract_onnx::Onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact, InferenceModel, ShapeFactoid};

use super::dtype::DType;
use super::file;
use super::interface::{Dim, Interface, Port};

/// The most elements of one tensor, whatever the file says: with one row, and 1 for each open dimension.
const MOST_ELEMENTS: i64 = 1 << 28;
/// The most bytes of all that is computed while the model is built.
const MOST_CONSTANT_BYTES: u64 = 1 << 31;

/// A model as it is before it is optimised for a number of rows.
pub(super) struct Built {
    pub(super) model: TypedModel,
    pub(super) interface: Interface,
    /// What counts the rows, if anything does.
    pub(super) rows: Option<Symbol>,
}

/// Builds the model of an ONNX file.
pub(super) fn build(bytes: &[u8]) -> Result<Built, String> {
    let (onnx, proto) = file::read(bytes)?;
    // Files are anyone's, and tract says `unwrap` here and there. Nothing of it is used after a panic.
    let built = catch_panic("tract", || typed(&onnx, &proto));
    built.map_err(|panic| format!("it cannot be built: {panic}"))?
}

fn typed(onnx: &Onnx, proto: &ModelProto) -> Result<Built, String> {
    let failed = |error: TractError| format!("it cannot be built: {error:#}");
    let parsed = onnx.parse(proto, None).map_err(failed)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(format!("it cannot be built: nothing in it makes `{name}`"));
    }
    let mut model = parsed.model;
    let rows = name_open_dims(&mut model).map_err(failed)?;
    analyse(&mut model).map_err(failed)?;
    let mut typed = model.into_typed().map_err(failed)?;
    check_sizes(&typed).map_err(failed)?;
    typed.declutter().map_err(failed)?;
    check_sizes(&typed).map_err(failed)?;

    let inputs = typed.input_outlets().map_err(failed)?;
    let inputs = ports(&typed, inputs, |at| {
        Some(typed.node(typed.input_outlets().ok()?.get(at)?.node).name.clone())
    })?;
    let names = proto.graph.iter().flat_map(|graph| &graph.output);
    let names: Vec<_> = names.map(|output| output.name.clone()).collect();
    let outputs = typed.output_outlets().map_err(failed)?;
    let outputs = ports(&typed, outputs, |at| names.get(at).cloned())?;
    let interface = Interface::new(inputs, outputs)?;
    let rows = rows.filter(|_| interface.by_rows);
    Ok(Built { model: typed, interface, rows })
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
            .ok_or_else(|| format!("`{name}` has elements of the type {:?}", fact.datum_type))?;
        let dim = |dim: &TDim| match dim.to_i64() {
            Ok(size) => u64::try_from(size).map(Dim::Fixed).map_err(|error| error.to_string()),
            Err(_) => Ok(Dim::Symbol(dim.to_string())),
        };
        let shape = fact.shape.iter().map(dim).collect::<Result<_, _>>()?;
        Ok(Port { name, dtype, shape })
    };
    outlets.iter().enumerate().map(port).collect()
}

/// Gives each dimension that the file leaves open a name. The first ones count rows and share one.
fn name_open_dims(model: &mut InferenceModel) -> TractResult<Option<Symbol>> {
    let inputs = model.input_outlets()?.len();
    let mut facts = Vec::with_capacity(inputs);
    for input in 0..inputs {
        facts.push(model.input_fact(input)?.clone());
    }
    let first = |fact: &InferenceFact| fact.shape.dims().next().cloned();
    // A name that the file has for rows is the one to use.
    let named = facts.iter().filter_map(first).find_map(|dim| dim.concretize());
    let rows = match named {
        Some(TDim::Sym(symbol)) => Some(symbol),
        Some(_) => None,
        None => Some(model.symbols.new_with_prefix("N")),
    };
    for (input, mut fact) in facts.into_iter().enumerate() {
        if fact.shape.is_open() {
            return bail(format!(
                "the input {} has no number of dimensions",
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

/// tract's own analysis, with a look at each size before anything of it is computed.
///
/// A few bytes of a file can ask for a constant of terabytes.
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
        let changed = analyse_node(model, node, &name);
        for outlet in changed.map_err(|error| error.context(format!("at {name}")))? {
            if let Some(value) = model.outlet_fact(outlet)?.value.concretize()
                && counted.insert(outlet)
            {
                computed += (value.len() * value.datum_type().size_of()) as u64;
                if computed > MOST_CONSTANT_BYTES {
                    let message = "its constants come to more than";
                    return bail(format!("{message} {MOST_CONSTANT_BYTES} bytes"));
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

/// Infers what is known around one node, and gives the outlets of which more is known now.
fn analyse_node(model: &mut InferenceModel, id: usize, name: &str) -> TractResult<Vec<OutletId>> {
    let node = model.node(id);
    let observed = node.op.observe_outlets(model, node)?;
    let outputs = (0..node.outputs.len()).map(|slot| OutletId::new(id, slot));
    let around = [node.inputs.to_vec(), outputs.collect(), observed];
    let facts = |outlets: &Vec<OutletId>| -> TractResult<Vec<InferenceFact>> {
        outlets.iter().map(|outlet| model.outlet_fact(*outlet).cloned()).collect()
    };
    let [inputs, outputs, observed] = [facts(&around[0])?, facts(&around[1])?, facts(&around[2])?];
    let op = &mut model.node_mut(id).op;
    // The shapes first: this computes nothing.
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
    for (outlets, facts) in around.iter().zip([inputs, outputs, observed]) {
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

fn check_sizes(model: &TypedModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            check_shape(&output.fact.shape, &node.name)?;
        }
    }
    Ok(())
}

/// Refuses a tensor that is too large by what is fixed in its shape.
fn check_shape(shape: &[TDim], node: &str) -> TractResult<()> {
    let mut sizes = shape.iter().filter_map(|dim| dim.to_i64().ok());
    let product = sizes.try_fold(1_i64, |product, size| product.checked_mul(size.max(1)));
    if shape.iter().any(|dim| dim.to_i64().is_ok_and(|size| size < 0)) {
        return bail(format!("{node} has a negative dimension"));
    }
    if product.is_none_or(|product| product > MOST_ELEMENTS) {
        return bail(format!("{node} makes a tensor of more than {MOST_ELEMENTS} elements"));
    }
    Ok(())
}

fn bail<T>(message: String) -> TractResult<T> {
    Err(TractError::msg(message))
}
