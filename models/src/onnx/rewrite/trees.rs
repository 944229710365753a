//! Tree ensembles, of which tract runs classifiers with three labels and more as onnxruntime does.
//!
//! tract is left with the sum of the leaves. Two labels and regression are written with other operators, as onnxruntime
//! computes them. What onnxruntime computes in a way that the specification does not say is refused.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::{ML, Steps, int, ints, labels};

/// With fewer labels, tract takes an ensemble for one with two classes.
const MIN_LABELS: i64 = 3;

pub(super) fn replace_classifier(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    let ([input], [label, scores]) = (&node.input[..], &node.output[..]) else {
        return Err("it must have one input and two outputs".into());
    };
    let attributes = Attributes(node);
    let (numbers, texts) =
        (attributes.ints("classlabels_int64s"), attributes.texts("classlabels_strings"));
    let labels = numbers.len().max(texts.len());
    let leaves = check(attributes, "class", labels)?;
    if labels > 2 {
        if !leaves.scores_every_class(labels, attributes) {
            return Err("some of its classes have no score in some leaves, and others a negative one; the label \
                        would depend on the runtime"
                .into());
        }
        if !texts.is_empty() {
            return labels::by_number(node, "classlabels_int64s", steps);
        }
        steps.nodes.push(node.clone());
        return Ok(());
    }
    let base = attributes.floats("base_values");
    if labels != 2 || leaves.classes.iter().any(|class| *class != 0) || base.len() > 1 {
        return Err("two classes are supported in the form that scikit-learn, LightGBM and XGBoost are exported \
                    to: all leaves with class 0, and at most one base value"
            .into());
    }
    let post = attributes.text("post_transform");
    if !["", "NONE", "SOFTMAX", "LOGISTIC"].contains(&&*post) {
        return Err(format!("its `post_transform` {post} is not supported"));
    }

    let score = sum_of_leaves(node, "class", input, 1, steps);
    let score = match base {
        [] => score,
        base => {
            let base = steps.floats("base", base);
            steps.step("Add", &[&score, &base], "based", vec![])
        }
    };
    // onnxruntime takes the sum for a probability if no leaf is negative.
    let probability = leaves.weights.iter().all(|weight| *weight >= 0.0);
    let threshold = steps.floats("threshold", &[if probability { 0.5 } else { 0.0 }]);
    let above = steps.step("Greater", &[&score, &threshold], "above", vec![]);
    let flat = steps.ints("flat", &[-1]);
    let above = steps.step("Reshape", &[&above, &flat], "flat_above", vec![]);
    let class = steps.step("Cast", &[&above], "class", vec![int("to", DataType::Int64 as i64)]);
    let names =
        if texts.is_empty() { steps.ints("labels", numbers) } else { steps.texts("labels", texts) };
    steps.step_to("Gather", &[&names, &class], label, vec![int("axis", 0)]);

    let minus = steps.step("Neg", &[&score], "minus", vec![]);
    let (no, yes) = match (&*post, probability) {
        ("LOGISTIC", _) => {
            let no = steps.step("Sigmoid", &[&minus], "no", vec![]);
            (no, steps.step("Sigmoid", &[&score], "yes", vec![]))
        }
        (_, true) => {
            let one = steps.floats("one", &[1.0]);
            (steps.step("Sub", &[&one, &score], "no", vec![]), score)
        }
        (_, false) => (minus, score),
    };
    steps.step_to("Concat", &[&no, &yes], scores, vec![int("axis", 1)]);
    Ok(())
}

pub(super) fn replace_regressor(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    let ([input], [output]) = (&node.input[..], &node.output[..]) else {
        return Err("it must have one input and one output".into());
    };
    let attributes = Attributes(node);
    let targets = usize::try_from(attributes.int("n_targets")).unwrap_or(0).max(1);
    check(attributes, "target", targets)?;
    let (post, aggregate) =
        (attributes.text("post_transform"), attributes.text("aggregate_function"));
    if !["", "NONE"].contains(&&*post) || !["", "SUM", "AVERAGE"].contains(&&*aggregate) {
        let given = if aggregate.is_empty() { &post } else { &aggregate };
        return Err(format!("{given} is not supported, only sums and averages of leaves"));
    }
    let base = attributes.floats("base_values");
    if !base.is_empty() && base.len() != targets {
        return Err(format!("it has {} base values for {targets} targets", base.len()));
    }

    let mut sum = sum_of_leaves(node, "target", input, targets, steps);
    if aggregate == "AVERAGE" {
        let trees = attributes.ints("nodes_treeids").last().map_or(1, |last| last + 1);
        let trees = steps.floats("trees", &[trees as f32]);
        sum = steps.step("Div", &[&sum, &trees], "mean", vec![]);
    }
    if base.is_empty() {
        steps.step_to("Identity", &[&sum], output, vec![]);
    } else {
        let base = steps.floats("base", base);
        steps.step_to("Add", &[&sum, &base], output, vec![]);
    }
    Ok(())
}

/// Adds an ensemble that returns the sums of the leaves of the first `columns` classes.
fn sum_of_leaves(
    node: &NodeProto,
    prefix: &str,
    input: &str,
    columns: usize,
    steps: &mut Steps,
) -> String {
    let columns = i64::try_from(columns).unwrap_or(i64::MAX);
    let leaf = |name: &str| {
        name.strip_prefix(prefix).filter(|part| part.starts_with('_')).map(str::to_owned)
    };
    let kept = node.attribute.iter().filter(|given| given.name.starts_with("nodes_"));
    let leaves = node.attribute.iter().filter_map(|given| {
        Some(AttributeProto { name: format!("class{}", leaf(&given.name)?), ..given.clone() })
    });
    let labels = ints("classlabels_int64s", (0..columns.max(MIN_LABELS)).collect());
    let (unused, sums) = (steps.name("unused"), steps.name("sums"));
    steps.nodes.push(NodeProto {
        op_type: "TreeEnsembleClassifier".into(),
        domain: ML.into(),
        name: steps.name("trees"),
        input: vec![input.to_owned()],
        output: vec![unused, sums.clone()],
        attribute: kept.cloned().chain(leaves).chain([labels]).collect(),
        ..NodeProto::default()
    });
    let columns = steps.ints("columns", &(0..columns).collect::<Vec<_>>());
    steps.step("Gather", &[&sums, &columns], "score", vec![int("axis", 1)])
}

/// Leaves of all trees: class or target, weight.
struct Leaves<'a> {
    classes: &'a [i64],
    weights: &'a [f32],
    trees: &'a [i64],
}

impl Leaves<'_> {
    /// Returns true if the class with the greatest sum is the winner, also where some classes have no score.
    fn scores_every_class(&self, classes: usize, attributes: Attributes<'_>) -> bool {
        if self.weights.iter().all(|weight| *weight >= 0.0)
            || !attributes.floats("base_values").is_empty()
        {
            return true;
        }
        let mut leaves: HashMap<i64, usize> = HashMap::new();
        let modes = attributes.ints("nodes_treeids").iter().zip(attributes.texts("nodes_modes"));
        for (tree, _) in modes.filter(|(_, mode)| **mode == b"LEAF") {
            *leaves.entry(*tree).or_default() += 1;
        }
        let mut scored: HashMap<(i64, i64), usize> = HashMap::new();
        for (tree, class) in self.trees.iter().zip(self.classes) {
            *scored.entry((*tree, *class)).or_default() += 1;
        }
        let everywhere = scored.iter().filter(|((tree, _), count)| leaves.get(tree) == Some(count));
        let mut everywhere: Vec<i64> = everywhere.map(|((_, class), _)| *class).collect();
        everywhere.sort_unstable();
        everywhere.dedup();
        everywhere.len() == classes
    }
}

/// Checks that the attributes describe trees, which tract takes on trust.
fn check<'a>(
    attributes: Attributes<'a>,
    prefix: &str,
    classes: usize,
) -> Result<Leaves<'a>, String> {
    let nodes = attributes.ints("nodes_nodeids");
    let trees = attributes.ints("nodes_treeids");
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let modes = attributes.texts("nodes_modes");
    let features = attributes.ints("nodes_featureids");
    if nodes.is_empty()
        || [trees.len(), yes.len(), no.len(), modes.len(), features.len()] != [nodes.len(); 5]
    {
        return Err(
            "the lists of its nodes are missing, empty or of different lengths; export trees with \
                    single-precision thresholds"
                .into(),
        );
    }
    let mut at = HashMap::with_capacity(nodes.len());
    let mut sizes: HashMap<i64, i64> = HashMap::new();
    for (index, (tree, node)) in trees.iter().zip(nodes).enumerate() {
        if at.insert((*tree, *node), index).is_some() {
            return Err(format!("the node {node} of its tree {tree} is listed twice"));
        }
        *sizes.entry(*tree).or_default() += 1;
    }
    // Each node has one parent with a lower number, but for the first: no cycle, and all within bounds.
    let mut parents = vec![0_u32; nodes.len()];
    for index in 0..nodes.len() {
        let (tree, node) = (trees[index], nodes[index]);
        if !(0..sizes[&tree]).contains(&node) {
            return Err(format!(
                "the nodes of its tree {tree} are not numbered from 0 without gaps"
            ));
        }
        if !(0..=i64::from(i32::MAX)).contains(&features[index]) {
            return Err(format!("its feature {} does not exist", features[index]));
        }
        if modes[index] == b"LEAF" {
            continue;
        }
        for child in [yes[index], no[index]] {
            let child = at.get(&(tree, child)).filter(|_| child != 0);
            let child = child.ok_or_else(|| {
                format!("a child of the node {node} of its tree {tree} does not exist")
            })?;
            parents[*child] += 1;
        }
    }
    if parents.iter().zip(nodes).any(|(parents, node)| *parents != u32::from(*node != 0)) {
        return Err("its nodes do not form trees".into());
    }
    let leaf = |part: &str| format!("{prefix}_{part}");
    let ids = attributes.ints(&leaf("ids"));
    let leaf_trees = attributes.ints(&leaf("treeids"));
    let leaf_nodes = attributes.ints(&leaf("nodeids"));
    let weights = attributes.floats(&leaf("weights"));
    if ids.is_empty() || [leaf_trees.len(), leaf_nodes.len(), weights.len()] != [ids.len(); 3] {
        return Err("the lists of its leaves are missing, empty or of different lengths; export trees with \
                    single-precision weights"
            .into());
    }
    let class = ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= classes));
    if let Some(class) = class {
        return Err(format!("its leaves have the class {class}, of {classes}"));
    }
    let on_leaf = |(tree, node): (&i64, &i64)| {
        at.get(&(*tree, *node)).is_some_and(|index| modes[*index] == b"LEAF")
    };
    if !leaf_trees.iter().zip(leaf_nodes).all(on_leaf) {
        return Err("its weights are not all on leaves".into());
    }
    Ok(Leaves { classes: ids, weights, trees: leaf_trees })
}

/// Attributes of a node; empty where there is none.
#[derive(Clone, Copy)]
struct Attributes<'a>(&'a NodeProto);

impl<'a> Attributes<'a> {
    fn find(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|given| given.name == name)
    }

    fn ints(self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |given| &given.ints)
    }

    fn floats(self, name: &str) -> &'a [f32] {
        self.find(name).map_or(&[], |given| &given.floats)
    }

    fn texts(self, name: &str) -> &'a [Vec<u8>] {
        self.find(name).map_or(&[], |given| &given.strings)
    }

    fn int(self, name: &str) -> i64 {
        self.find(name).map_or(0, |given| given.i)
    }

    fn text(self, name: &str) -> String {
        self.find(name)
            .map(|given| String::from_utf8_lossy(&given.s).into_owned())
            .unwrap_or_default()
    }
}
