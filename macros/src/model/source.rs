//! The source text of an item.

use std::env;
use std::path::{Component, Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The item as it was written, comments inside it included, or else its tokens in a row.
///
/// The tokens are what counts: text that would not give exactly them, as that of a macro's own items may
/// not, is not taken.
pub(super) fn text(item: &TokenStream) -> String {
    let written = written(item);
    let same = |text: &String| {
        text.parse::<TokenStream>().is_ok_and(|parsed| leaves(parsed) == leaves(item.clone()))
    };
    written.filter(same).unwrap_or_else(|| item.to_string())
}

/// Each outermost token's own text, those of blocks whole, as far from each other as they stand.
fn written(item: &TokenStream) -> Option<String> {
    let mut text = String::new();
    let mut last: Option<(proc_macro::Span, proc_macro::Span)> = None;
    for tree in item.clone() {
        let span = tree.span();
        let (start, end) = (span.unwrap().start(), span.unwrap().end());
        if let Some((last_start, last_end)) = last {
            if place(start) == place(last_start) {
                // A doc comment is several tokens in one place.
                continue;
            }
            let lines = start.line().checked_sub(last_end.line())?;
            let margin = if lines == 0 { last_end.column() } else { 1 };
            // The macro's own attribute leaves an empty line.
            text.extend((lines > 0).then_some('\n'));
            text.extend(std::iter::repeat_n(' ', start.column().checked_sub(margin)?));
        }
        text += &span.source_text()?;
        last = Some((start, end));
    }
    Some(text)
}

fn place(span: proc_macro::Span) -> (usize, usize) {
    (span.line(), span.column())
}

/// The tokens without their places, and without the invisible brackets around what a macro passed on.
fn leaves(tokens: TokenStream) -> Vec<String> {
    let mut leaves = Vec::new();
    gather(tokens, &mut leaves);
    leaves
}

fn gather(tokens: TokenStream, leaves: &mut Vec<String>) {
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
        gather(group.stream(), leaves);
        leaves.push(close.to_owned());
    }
    leaves.retain(|leaf| !leaf.is_empty());
}

/// The file that the item stands in, seen from the root of its package; empty if that is not known.
///
/// A path from anywhere else would differ from machine to machine.
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

/// The path without the `..` that a module's `#[path = "../…"]` leaves in it.
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
