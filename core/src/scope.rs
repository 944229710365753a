//! Access to the larder while serde encodes or decodes a value.
//!
//! [`Artifact`](crate::Artifact) and [`Ref`](crate::Ref) are ordinary serde fields, and serde passes them only a
//! serializer. So the larder sets a thread-local scope: the [`ArtifactWriter`] while it encodes a component, the
//! [`ArtifactReader`] while it decodes one, or compares what it decoded. Outside of them, an artifact embeds its bytes.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::larder::{ArtifactReader, ArtifactWriter};

#[derive(Clone)]
enum Scope {
    Encode(Rc<ArtifactWriter>),
    Decode(Arc<ArtifactReader>),
    Compare(Arc<ArtifactReader>),
}

thread_local! {
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the innermost scope on drop, also on a panic.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(Vec::pop);
    }
}

fn within<R>(scope: Scope, run: impl FnOnce() -> R) -> R {
    SCOPES.with_borrow_mut(|scopes| scopes.push(scope));
    let _leave = Leave;
    run()
}

/// Runs an encoding whose artifacts go to `writer`.
pub(crate) fn with_writer<R>(writer: &Rc<ArtifactWriter>, run: impl FnOnce() -> R) -> R {
    within(Scope::Encode(Rc::clone(writer)), run)
}

/// Runs a decoding whose artifacts come from `reader`.
pub(crate) fn with_reader<R>(reader: &Arc<ArtifactReader>, run: impl FnOnce() -> R) -> R {
    within(Scope::Decode(Arc::clone(reader)), run)
}

/// Runs an encoding that is only compared: artifacts and references are written as their links, and nothing is stored.
pub(crate) fn comparing<R>(reader: &Arc<ArtifactReader>, run: impl FnOnce() -> R) -> R {
    within(Scope::Compare(Arc::clone(reader)), run)
}

/// Returns the writer, if the innermost scope encodes.
pub(crate) fn writer() -> Option<Rc<ArtifactWriter>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Encode(writer)) => Some(Rc::clone(writer)),
        _ => None,
    })
}

/// Returns the reader, if the innermost scope decodes.
pub(crate) fn reader() -> Option<Arc<ArtifactReader>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Decode(reader)) => Some(Arc::clone(reader)),
        _ => None,
    })
}

/// Returns the reader, if the innermost scope compares.
pub(crate) fn compared() -> Option<Arc<ArtifactReader>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Compare(reader)) => Some(Arc::clone(reader)),
        _ => None,
    })
}
