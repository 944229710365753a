//! The source text of an item.

use std::env;
use std::path::{Component, Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Returns the item's source text with its comments, or its tokens if the text does not parse to the same tokens.
pub(super) fn text(item: &TokenStream) -> String {
    let written = source_text(item);
    let same = |text: &String| {
        text.parse::<TokenStream>().is_ok_and(|parsed| leaves(parsed) == leaves(item.clone()))
    };
    written.filter(same).unwrap_or_else(|| item.to_string())
}

/// Returns the source text of each top-level token, with the white space between them.
fn source_text(item: &TokenStream) -> Option<String> {
    let mut text = String::new();
    let mut last: Option<(proc_macro::Span, proc_macro::Span)> = None;
    for tree in item.clone() {
        let span = tree.span();
        let (start, end) = (span.unwrap().start(), span.unwrap().end());
        if let Some((last_start, last_end)) = last {
            if position(start) == position(last_start) {
                // A doc comment is several tokens at one position.
                continue;
            }
            let lines = start.line().checked_sub(last_end.line())?;
            let margin = if lines == 0 { last_end.column() } else { 1 };
            // The removed attribute leaves an empty line.
            text.extend((lines > 0).then_some('\n'));
            text.extend(std::iter::repeat_n(' ', start.column().checked_sub(margin)?));
        }
        text += &span.source_text()?;
        last = Some((start, end));
    }
    Some(text)
}

fn position(span: proc_macro::Span) -> (usize, usize) {
    (span.line(), span.column())
}

/// Returns the tokens as text, without invisible groups.
fn leaves(tokens: TokenStream) -> Vec<String> {
    let mut leaves = Vec::new();
    collect_leaves(tokens, &mut leaves);
    leaves
}

fn collect_leaves(tokens: TokenStream, leaves: &mut Vec<String>) {
    for tree in tokens {
        let TokenTree::Group(group) = tree else {
            leaves.push(tree.to_string());
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        leaves.push(open.to_owned());
        collect_leaves(group.stream(), leaves);
        leaves.push(close.to_owned());
    }
    leaves.retain(|leaf| !leaf.is_empty());
}

/// Returns the item's file relative to its package, which is the same on every machine; empty if unknown.
pub(super) fn file(item: &TokenStream) -> String {
    let relative = || {
        let span = item.clone().into_iter().next()?.span();
        let file = env::current_dir().ok()?.join(span.unwrap().local_file()?);
        let package = env::var_os("CARGO_MANIFEST_DIR")?;
        let file = without_dots(&file);
        let relative = file.strip_prefix(Path::new(&package)).ok()?;
        let parts: Option<Vec<_>> = relative.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    };
    relative().unwrap_or_default()
}

/// Resolves `..`, as left by `#[path = "../…"]`.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
