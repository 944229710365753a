//! `show --tree`: the tree of used versions.

use std::collections::HashSet;

use larder::store::VersionNumber;
use larder::store::{Digest, TypeTag};
use larder::versions::ChildInfo;
use larder::versions::Selector;
use larder::{Identifier, Larder, Reference, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;

/// The maximum number of lines, which bounds the output for hostile larders.
const MOST_LINES: usize = 10_000;

#[derive(Serialize)]
struct Tree {
    tree: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    /// 0 for the root.
    depth: usize,
    name: Identifier,
    /// The version; `None` if it was removed.
    version: Option<VersionNumber>,
    digest: Digest,
    #[serde(rename = "type")]
    type_tag: Option<TypeTag>,
    /// Its children were printed above.
    repeated: bool,
    /// For each level, whether siblings follow.
    #[serde(skip)]
    more: Vec<bool>,
}

pub(super) fn print(
    version: &VersionInfo,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let nodes = nodes(version, larder)?;
    if output.is_json() {
        return Ok(output.document(Tree { tree: nodes })?);
    }
    for node in nodes.iter().take(MOST_LINES) {
        output.line(&node.line())?;
    }
    if nodes.len() > MOST_LINES {
        output.say("truncated");
    }
    Ok(())
}

/// Formats a child.
pub(super) fn describe(child: &ChildInfo) -> String {
    named(&child.name, child.version, &child.digest)
}

fn named(name: &Identifier, version: Option<VersionNumber>, digest: &Digest) -> String {
    match version {
        Some(version) => Reference::new(name.clone(), Selector::Version(version)).to_string(),
        None => format!("{name} ({}, removed)", digest.short()),
    }
}

impl Node {
    fn line(&self) -> String {
        let mut line = String::new();
        if let Some((last, above)) = self.more.split_last() {
            line.extend(above.iter().map(|more| if *more { "│   " } else { "    " }));
            line += if *last { "├── " } else { "└── " };
        }
        line += &named(&self.name, self.version, &self.digest);
        if let Some(type_tag) = &self.type_tag {
            line += &format!("  {type_tag}");
        }
        if self.repeated {
            line += "  (see above)";
        }
        line
    }
}

/// The nodes in print order; the children of repeated nodes are listed once.
fn nodes(version: &VersionInfo, larder: &Larder) -> Result<Vec<Node>, CommandError> {
    let root = Node {
        depth: 0,
        name: version.identifier.clone(),
        version: Some(version.version),
        digest: version.digest,
        type_tag: Some(version.type_tag.clone()),
        repeated: false,
        more: Vec::new(),
    };
    let (mut nodes, mut open, mut seen) = (Vec::new(), vec![root], HashSet::new());
    while let Some(mut node) = open.pop() {
        let children = match node.version {
            Some(number) if nodes.len() <= MOST_LINES => {
                let selector = Selector::Version(number);
                larder.uses(Reference::new(node.name.clone(), selector))?
            }
            _ => Vec::new(),
        };
        node.repeated = !seen.insert((node.name.clone(), node.digest)) && !children.is_empty();
        if !node.repeated {
            let last = children.len().saturating_sub(1);
            let below = children.into_iter().enumerate().map(|(at, child)| Node {
                depth: node.depth + 1,
                name: child.name,
                version: child.version,
                digest: child.digest,
                type_tag: child.type_tag,
                repeated: false,
                more: node.more.iter().copied().chain([at != last]).collect(),
            });
            let below: Vec<_> = below.collect();
            open.extend(below.into_iter().rev());
        }
        nodes.push(node);
    }
    Ok(nodes)
}
