//! Messages about what cannot be run: operator, opset, node, reason, way out.

use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::prelude::TractError;

use super::rewrite::describe;

/// Maximum number of characters of an engine's own words.
const MAX_REASON: usize = 160;

/// The nodes of a model, by the names that tract gives them.
#[derive(Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    pub(super) fn new(proto: &ModelProto) -> Self {
        let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
        let entry = |node: &NodeProto| (name_of(node).to_owned(), described(proto, node));
        Self(nodes.map(entry).collect())
    }

    /// Explains an error of tract by the node that it comes from.
    pub(super) fn explain(&self, error: &TractError) -> String {
        let chain = format!("{error:#}");
        // tract quotes names, with a suffix for a part of a node. The longest name is the most exact.
        let is_named = |name: &str| {
            !name.is_empty()
                && [format!("\"{name}\""), format!("\"{name}.")]
                    .iter()
                    .any(|quoted| chain.contains(quoted))
        };
        let nodes = self.0.iter().filter(|(name, _)| is_named(name));
        let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
        let cause = shorten(&cause);
        match nodes.max_by_key(|(name, _)| name.len()) {
            Some((_, node)) => format!("tract cannot run the {node}: {cause}"),
            None => format!("tract cannot run it: {cause}"),
        }
    }
}

/// Names a node with its opset.
fn described(proto: &ModelProto, node: &NodeProto) -> String {
    let same =
        |domain: &str| domain == node.domain || domain == "ai.onnx" && node.domain.is_empty();
    let opset = proto.opset_import.iter().find(|opset| same(&opset.domain));
    let opset = opset.map_or_else(String::new, |opset| format!(" (opset {})", opset.version));
    format!("{}{opset}", describe(node))
}

/// The name that tract gives to a node.
pub(super) fn name_of(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}

/// The first line of a reason, without the values of an engine's types.
pub(super) fn shorten(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    if line.starts_with("Condition failed") {
        return "its inputs do not fit".into();
    }
    // What follows is for the engine's authors only.
    let line = match line.split_once(" panicked: ") {
        Some((engine, value)) if is_debug(value) => format!("{engine} panicked"),
        _ => line.to_owned(),
    };
    let marks = [" {", ": called `", " for slicing "];
    let line = marks.iter().fold(&*line, |line, mark| line.split(mark).next().unwrap_or_default());
    match line.char_indices().nth(MAX_REASON) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// Returns true for the debug form of a struct or variant with values, such as `UndeterminedSymbol("N")`.
fn is_debug(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(char::is_uppercase)
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split_once(['(', '{']).is_some_and(|(name, _)| is_name(name.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn reasons_show_no_values_of_an_engine() {
        for (reason, shown) in [
            ("tract panicked: UndeterminedSymbol(\"N\")", "tract panicked"),
            ("tract panicked: Shape { dims: [1, 2] }", "tract panicked"),
            ("tract panicked: called `Option::unwrap()` on a `None` value", "tract panicked"),
            ("tract panicked: index out of bounds (3)", "tract panicked: index out of bounds (3)"),
            ("no such operator\nand a backtrace", "no such operator"),
        ] {
            assert_eq!(shorten(reason), shown);
        }
    }
}
