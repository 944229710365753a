//! The comparison of two trees of fields.
//!
//! Equal parts are passed over by comparing them as a whole. Each level is looked at once more by the level around
//! it, and fields nest at most 120 deep, so the time is in proportion to the manifests.

use std::collections::HashSet;

use super::node::{Node, Tree, index};
use super::text::{self, Path};
use super::{Counts, FieldDiff, FieldState, FieldValue, Side, add};
use larder_core::Result;
use larder_core::manifest::{ArtifactEntry, Manifest};

/// Maximum number of listed fields of each state.
const MOST_LISTED: u64 = 1_000;
/// A list that differs at more items than this is one change.
const MOST_ITEMS: usize = 16;
/// The type of a folder, whose fields are shown by the paths in it.
const FOLDER: &str = "larder/files";

/// Compares the fields of two versions: what is listed, and how many there are.
pub(super) fn fields(
    old: Option<(&Side, &Manifest)>,
    (new, manifest): (&Side, &Manifest),
) -> Result<(Vec<FieldDiff>, Counts)> {
    let read = |side: &Side, manifest| Tree::read(manifest, || side.reference().to_string());
    let new_tree = read(new, manifest)?;
    let old_tree = old.map(|(side, manifest)| read(side, manifest)).transpose()?;
    let (listed, counts) = (Vec::new(), Counts::default());
    let mut walk =
        Walk { old: old_tree.as_ref(), new: &new_tree, path: Path::default(), listed, counts };
    let is_folder = |side: &Side| side.type_tag.as_str() == FOLDER;
    let folders = is_folder(new) && old.is_none_or(|(side, _)| is_folder(side));
    if !(folders && walk.folders()) {
        walk.top();
    }
    Ok((walk.listed, walk.counts))
}

struct Walk<'a> {
    old: Option<&'a Tree<'a>>,
    new: &'a Tree<'a>,
    path: Path,
    listed: Vec<FieldDiff>,
    counts: Counts,
}

/// The shown parts of a field: before, after, and the bytes that both have.
type Values = (Option<FieldValue>, Option<FieldValue>, Option<u64>);

impl Walk<'_> {
    fn top(&mut self) {
        match (self.old.map(|tree| &tree.root), &self.new.root) {
            (None, Node::Map(new)) => self.entries(&[], new, true),
            (Some(Node::Map(old)), Node::Map(new)) => self.entries(old, new, true),
            (None, new) => self.one(new, FieldState::Added),
            (Some(old), new) => self.whole(old, new),
        }
    }

    /// Compares folders path by path; `false` if one of them is not written as a folder is.
    fn folders(&mut self) -> bool {
        let Some(new) = Folder::of(&self.new.root) else { return false };
        let old = match self.old.map(|tree| Folder::of(&tree.root)) {
            None => Folder { kind: new.kind, files: &[], empty: &[] },
            Some(Some(old)) => old,
            Some(None) => return false,
        };
        if old.kind != new.kind {
            self.whole(old.kind, new.kind);
        }
        self.entries_by(old.files, new.files, true, |path, key| path.file(key));
        let texts = |nodes: &'_ [Node]| -> HashSet<String> {
            let text = |node: &Node| match node {
                Node::Text(text) => Some(text.clone()),
                _ => None,
            };
            nodes.iter().filter_map(text).collect()
        };
        let (had, has) = (texts(old.empty), texts(new.empty));
        for (nodes, others, state) in
            [(new.empty, &had, FieldState::Added), (old.empty, &has, FieldState::Removed)]
        {
            for node in nodes {
                let Node::Text(name) = node else { continue };
                let folder = || Some(FieldValue::Folder);
                let step = self.path.file(&format!("{name}/"));
                match (others.contains(name), state) {
                    (false, FieldState::Removed) => self.list(state, || (folder(), None, None)),
                    (false, _) => self.list(state, || (None, folder(), None)),
                    (true, FieldState::Added) => {
                        self.list(FieldState::Same, || (None, folder(), None));
                    }
                    (true, _) => {}
                }
                self.path.back(step);
            }
        }
        true
    }

    fn entries(&mut self, old: &[(String, Node)], new: &[(String, Node)], whole: bool) {
        self.entries_by(old, new, whole, Path::key);
    }

    /// Compares two maps; `whole` lists also what is the same.
    fn entries_by(
        &mut self,
        old: &[(String, Node)],
        new: &[(String, Node)],
        whole: bool,
        step: fn(&mut Path, &str) -> text::Step,
    ) {
        let (before, after) = (index(old), index(new));
        for (key, new) in new {
            let step = step(&mut self.path, key);
            match before.get(key.as_str()) {
                Some(old) if whole => self.whole(old, new),
                Some(old) => self.value(old, new),
                None => self.one(new, FieldState::Added),
            }
            self.path.back(step);
        }
        for (key, old) in old.iter().filter(|(key, _)| !after.contains_key(key.as_str())) {
            let step = step(&mut self.path, key);
            self.one(old, FieldState::Removed);
            self.path.back(step);
        }
    }

    /// Compares two values, and lists them also if they are the same.
    fn whole(&mut self, old: &Node, new: &Node) {
        if old == new {
            let tree = self.new;
            self.list(FieldState::Same, || (None, Some(shown(tree, new)), None));
        } else {
            self.value(old, new);
        }
    }

    fn value(&mut self, old: &Node, new: &Node) {
        if old == new {
            return;
        }
        let (old_tree, new_tree) = (self.old.unwrap_or(self.new), self.new);
        match (old_tree.thing(old), new_tree.thing(new)) {
            (None, None) => match (old, new) {
                (Node::Map(old), Node::Map(new)) => self.entries(old, new, false),
                (Node::List(old_items), Node::List(new_items)) => {
                    if reordered(old_items, new_items) {
                        let listed = self.listed.len();
                        self.changed(old, new);
                        self.listed[listed..].iter_mut().for_each(|field| field.reordered = true);
                    } else if !self.items(old_items, new_items) {
                        self.changed(old, new);
                    }
                }
                _ => self.changed(old, new),
            },
            (was, is) => {
                let shared = shared(
                    old_tree.artifact(old).map(|entry| (old_tree, entry)),
                    new_tree.artifact(new).map(|entry| (new_tree, entry)),
                );
                let was = was.unwrap_or_else(|| FieldValue::Json(text::one(old)));
                let is = is.unwrap_or_else(|| FieldValue::Json(text::one(new)));
                self.list(FieldState::Changed, || (Some(was), Some(is), shared));
            }
        }
    }

    fn changed(&mut self, old: &Node, new: &Node) {
        self.list(FieldState::Changed, || {
            let (old, new) = text::two(old, new);
            (Some(FieldValue::Json(old)), Some(FieldValue::Json(new)), None)
        });
    }

    /// Compares two lists item by item, but for what is the same at both ends; `false` if they differ at so many
    /// items that it is better said of the list.
    fn items(&mut self, old: &[Node], new: &[Node]) -> bool {
        let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let (old, new) = (&old[start..], &new[start..]);
        let alike = |(old, new): &(&Node, &Node)| old == new;
        let end = old.iter().rev().zip(new.iter().rev()).take_while(alike).count();
        let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
        let pairs = old.len().min(new.len());
        let differing = old.iter().zip(new).filter(|(old, new)| old != new).count();
        let all = differing + (old.len() - pairs) + (new.len() - pairs);
        if all > MOST_ITEMS && !self.refer(old, new) {
            return false;
        }
        for (at, (old, new)) in old.iter().zip(new).enumerate() {
            let step = self.path.item(start + at);
            self.value(old, new);
            self.path.back(step);
        }
        let (old, new) = (&old[pairs..], &new[pairs..]);
        for (items, state) in [(new, FieldState::Added), (old, FieldState::Removed)] {
            for (at, item) in items.iter().enumerate() {
                let step = self.path.item(start + pairs + at);
                self.one(item, state);
                self.path.back(step);
            }
        }
        true
    }

    fn refer(&self, old: &[Node], new: &[Node]) -> bool {
        old.iter().any(|item| refers(self.old.unwrap_or(self.new), item))
            || new.iter().any(|item| refers(self.new, item))
    }

    /// Lists what only one version has: as one value, or, if it holds artifacts, part by part.
    fn one(&mut self, value: &Node, state: FieldState) {
        let tree = match state {
            FieldState::Removed => self.old.unwrap_or(self.new),
            _ => self.new,
        };
        if tree.thing(value).is_none() && refers(tree, value) {
            match value {
                Node::Map(entries) => {
                    for (key, value) in entries {
                        let step = self.path.key(key);
                        self.one(value, state);
                        self.path.back(step);
                    }
                    return;
                }
                Node::List(items) => {
                    for (at, value) in items.iter().enumerate() {
                        let step = self.path.item(at);
                        self.one(value, state);
                        self.path.back(step);
                    }
                    return;
                }
                _ => {}
            }
        }
        self.list(state, || match state {
            FieldState::Removed => (Some(shown(tree, value)), None, None),
            _ => (None, Some(shown(tree, value)), None),
        });
    }

    /// Counts a field, and lists it while there are not too many.
    fn list(&mut self, state: FieldState, values: impl FnOnce() -> Values) {
        let count = self.counts.of(state);
        *count += 1;
        if *count <= MOST_LISTED {
            let (old, new, shared) = values();
            let path = self.path.shown();
            self.listed.push(FieldDiff { path, state, old, new, shared, reordered: false });
        }
    }
}

/// Returns true if both lists, which differ, have the same items.
fn reordered(old: &[Node], new: &[Node]) -> bool {
    let sorted = |items: &[Node]| {
        let mut texts: Vec<String> = items.iter().map(text::whole).collect();
        texts.sort_unstable();
        texts
    };
    old.len() == new.len() && sorted(old) == sorted(new)
}

fn shown(tree: &Tree<'_>, value: &Node) -> FieldValue {
    tree.thing(value).unwrap_or_else(|| FieldValue::Json(text::one(value)))
}

/// Returns true if a value contains an artifact.
fn refers(tree: &Tree<'_>, value: &Node) -> bool {
    match value {
        Node::Map(entries) => {
            tree.artifact(value).is_some() || entries.iter().any(|(_, value)| refers(tree, value))
        }
        Node::List(items) => items.iter().any(|item| refers(tree, item)),
        _ => false,
    }
}

/// The bytes that two artifacts both hold, if one of them holds any.
fn shared(
    old: Option<(&Tree<'_>, &ArtifactEntry)>,
    new: Option<(&Tree<'_>, &ArtifactEntry)>,
) -> Option<u64> {
    let ((old_tree, old), (new_tree, new)) = old.zip(new)?;
    if old.holds.is_empty() && new.holds.is_empty() {
        return None;
    }
    let digests: HashSet<_> = old_tree.held(old).map(|entry| entry.digest).collect();
    let mut shared = 0;
    let in_both = new_tree.held(new).filter(|entry| digests.contains(&entry.digest));
    in_both.for_each(|entry| add(&mut shared, entry.size));
    Some(shared)
}

/// The fields of a folder.
struct Folder<'a> {
    kind: &'a Node,
    files: &'a [(String, Node)],
    empty: &'a [Node],
}

impl<'a> Folder<'a> {
    fn of(root: &'a Node) -> Option<Self> {
        let Node::Map(fields) = root else { return None };
        match &fields[..] {
            [(first, kind), (second, Node::Map(files)), (third, Node::List(empty))]
                if first == "kind" && second == "files" && third == "empty" =>
            {
                Some(Self { kind, files, empty })
            }
            _ => None,
        }
    }
}
