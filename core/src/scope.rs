//! What surrounds a value while the larder encodes or decodes it.
//!
//! [`Artifact`](crate::Artifact) is an ordinary serde field; serde hands it nothing but a serializer.
//! So the larder leaves word on the thread: while a component is packed, an artifact finds the
//! [`Packer`] that takes its bytes; while one is unpacked, the [`Shelf`] that has them. Outside of
//! both an artifact embeds its bytes.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::larder::{Packer, Shelf};

#[derive(Clone)]
enum Scope {
    Packing(Rc<Packer>),
    Unpacking(Arc<Shelf>),
}

thread_local! {
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Takes the innermost scope off again, also when the value's own code panics.
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

/// Runs an encoding whose artifacts go to `packer`.
pub(crate) fn packing<R>(packer: &Rc<Packer>, run: impl FnOnce() -> R) -> R {
    within(Scope::Packing(Rc::clone(packer)), run)
}

/// Runs a decoding whose artifacts stay on `shelf`.
pub(crate) fn unpacking<R>(shelf: &Arc<Shelf>, run: impl FnOnce() -> R) -> R {
    within(Scope::Unpacking(Arc::clone(shelf)), run)
}

/// The packer, if the innermost scope packs.
pub(crate) fn packer() -> Option<Rc<Packer>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Packing(packer)) => Some(Rc::clone(packer)),
        _ => None,
    })
}

/// The shelf, if the innermost scope unpacks.
pub(crate) fn shelf() -> Option<Arc<Shelf>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Unpacking(shelf)) => Some(Arc::clone(shelf)),
        _ => None,
    })
}
