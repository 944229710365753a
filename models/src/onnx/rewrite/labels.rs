//! Labels of text, with which tract cannot run a classifier: it returns numbers, and the texts are looked up.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::{ML, Steps, int, ints};

/// The attribute with texts, of all classifiers.
const TEXTS: &str = "classlabels_strings";

/// Returns true for a linear classifier with labels of text.
pub(super) fn is(node: &NodeProto) -> bool {
    let has_texts = |given: &AttributeProto| given.name == TEXTS && !given.strings.is_empty();
    node.domain == ML && node.op_type == "LinearClassifier" && node.attribute.iter().any(has_texts)
}

pub(super) fn replace(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    by_number(node, "classlabels_ints", steps)
}

/// Adds the classifier with numbers for labels, which are in the attribute `numbers`, and the texts of its answers.
pub(super) fn by_number(node: &NodeProto, numbers: &str, steps: &mut Steps) -> Result<(), String> {
    let [label, ..] = &node.output[..] else { return Err("it must have two outputs".into()) };
    let texts = node.attribute.iter().find(|given| given.name == TEXTS);
    let texts = texts.map(|given| &given.strings[..]).unwrap_or_default();
    let number = steps.name("number");
    let mut classifier = node.clone();
    classifier.attribute.retain(|given| given.name != TEXTS && given.name != numbers);
    classifier.attribute.push(ints(numbers, (0_i64..).take(texts.len()).collect()));
    if let Some(output) = classifier.output.first_mut() {
        output.clone_from(&number);
    }
    steps.nodes.push(classifier);
    let texts = steps.texts("labels", texts);
    steps.step_to("Gather", &[&texts, &number], label, vec![int("axis", 0)]);
    Ok(())
}
