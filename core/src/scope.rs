//! What surrounds a value while the larder encodes or decodes it.
//!
//! [`Artifact`](crate::Artifact) is an ordinary serde field; serde hands it nothing but a serializer.
//! So the larder leaves word on the thread: while a component is packed, an artifact finds the
//! [`ArtifactWriter`] that takes its bytes; while one is unpacked, the [`ArtifactReader`] that has them; and while one is
//! copied in memory, the [`Copying`] through which the copy comes to share it. Outside of all three an artifact
//! embeds its bytes.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::digest::Digest;
use crate::larder::{ArtifactReader, ArtifactWriter};

#[derive(Clone)]
enum Scope {
    Packing(Rc<ArtifactWriter>),
    Unpacking(Arc<ArtifactReader>),
    Copying(Rc<Copying>),
}

/// What goes from a value to a copy of it as it is, without being encoded.
#[derive(Default)]
pub(crate) struct Copying(RefCell<Vec<Box<dyn Any>>>);

impl Copying {
    /// Lends something; in the copy's place stands a digest that is a number, and no digest of anything.
    pub(crate) fn lend<T: 'static>(&self, shared: Arc<T>) -> Digest {
        let mut lent = self.0.borrow_mut();
        lent.push(Box::new(shared));
        let mut number = [0; 32];
        number[..8].copy_from_slice(&(lent.len() as u64).to_le_bytes());
        Digest::from_bytes(number)
    }

    /// What was lent under a digest, if it is a `T`.
    pub(crate) fn borrow<T: 'static>(&self, digest: &Digest) -> Option<Arc<T>> {
        let mut number = [0; 8];
        number.copy_from_slice(&digest.as_bytes()[..8]);
        let place = usize::try_from(u64::from_le_bytes(number)).ok()?.checked_sub(1)?;
        self.0.borrow().get(place)?.downcast_ref::<Arc<T>>().map(Arc::clone)
    }
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
pub(crate) fn packing<R>(packer: &Rc<ArtifactWriter>, run: impl FnOnce() -> R) -> R {
    within(Scope::Packing(Rc::clone(packer)), run)
}

/// Runs a decoding whose artifacts stay on `shelf`.
pub(crate) fn unpacking<R>(shelf: &Arc<ArtifactReader>, run: impl FnOnce() -> R) -> R {
    within(Scope::Unpacking(Arc::clone(shelf)), run)
}

/// Runs the encoding and the decoding that make a copy, which shares artifacts with what it is of.
pub(crate) fn copying<R>(run: impl FnOnce() -> R) -> R {
    within(Scope::Copying(Rc::default()), run)
}

/// What is shared, if the innermost scope copies.
pub(crate) fn copying_now() -> Option<Rc<Copying>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Copying(copying)) => Some(Rc::clone(copying)),
        _ => None,
    })
}

/// The packer, if the innermost scope packs.
pub(crate) fn packer() -> Option<Rc<ArtifactWriter>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Packing(packer)) => Some(Rc::clone(packer)),
        _ => None,
    })
}

/// The shelf, if the innermost scope unpacks.
pub(crate) fn shelf() -> Option<Arc<ArtifactReader>> {
    SCOPES.with_borrow(|scopes| match scopes.last() {
        Some(Scope::Unpacking(shelf)) => Some(Arc::clone(shelf)),
        _ => None,
    })
}
