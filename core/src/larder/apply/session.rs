//! The components that one apply encodes: one, and its children.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::encode::EncodedComponent;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::larder::Larder;
use crate::manifest::ChildEntry;
use crate::name::Identifier;
use crate::participant::PlannedJob;

/// Maximum depth of children that are applied with their parents.
const MOST_LEVELS: usize = 32;

/// Collects the children that are encoded with their parent.
pub(crate) struct ApplySession {
    larder: Larder,
    /// The names of the components being encoded, outermost first.
    stack: RefCell<Vec<Identifier>>,
    /// The encoded children, children before parents.
    pending: RefCell<Vec<PendingComponent>>,
    /// Index into `pending`, by name.
    by_name: RefCell<HashMap<Identifier, usize>>,
    /// Children by their address: one that is shared is encoded once.
    by_place: RefCell<HashMap<usize, ChildEntry>>,
    /// Copies that stay alive so that no address is reused.
    copies: RefCell<Vec<Box<dyn Component>>>,
}

/// An encoded component, to be committed.
pub(super) struct PendingComponent {
    pub(super) name: Identifier,
    pub(super) encoded: EncodedComponent,
    /// The component after `post_init`, if its type has hooks.
    pub(super) component: Option<Box<dyn Component>>,
    /// The jobs that it would create; of dry runs only.
    pub(super) jobs: Vec<PlannedJob>,
}

impl PendingComponent {
    /// Returns the manifest entry of a reference to it.
    pub(super) fn entry(&self) -> ChildEntry {
        ChildEntry { name: self.name.clone(), manifest: self.encoded.digest }
    }
}

impl ApplySession {
    /// Creates the session of an apply of `name`.
    pub(super) fn new(larder: &Larder, name: &Identifier) -> Rc<Self> {
        Rc::new(Self {
            larder: larder.clone(),
            stack: RefCell::new(vec![name.clone()]),
            pending: RefCell::default(),
            by_name: RefCell::default(),
            by_place: RefCell::default(),
            copies: RefCell::default(),
        })
    }

    pub(super) fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Returns the encoded children, children before parents.
    pub(super) fn take(&self) -> Vec<PendingComponent> {
        self.pending.take()
    }

    /// Encodes a child, unless that was done before.
    pub(super) fn encode_child(
        session: &Rc<Self>,
        place: usize,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<ChildEntry> {
        if let Some(known) = session.by_place.borrow().get(&place) {
            return Ok(known.clone());
        }
        session.refuse_cycle(name)?;
        session.stack.borrow_mut().push(name.clone());
        let copy = session.larder.prepare(name, component)?;
        let encoded = session.larder.encode_in(session, name, copy.as_deref().unwrap_or(component));
        session.stack.borrow_mut().pop();
        let encoded = encoded?;
        let jobs = match session.larder.options().dry_run {
            true => session.larder.planned_jobs(name, copy.as_deref().unwrap_or(component)),
            false => Vec::new(),
        };
        let pending = PendingComponent { name: name.clone(), encoded, component: copy, jobs };
        let child = pending.entry();
        session.by_place.borrow_mut().insert(place, child.clone());
        let mut all = session.pending.borrow_mut();
        let known = session.by_name.borrow().get(name).copied();
        match known.and_then(|known| all.get(known)) {
            None => {
                session.by_name.borrow_mut().insert(name.clone(), all.len());
                all.push(pending);
            }
            Some(other) if other.encoded.digest == child.manifest => {
                session.copies.borrow_mut().extend(pending.component);
            }
            Some(_) => {
                return Err(Error::Refused {
                    action: session.applying(),
                    reason: format!(
                        "it has two different components named {name}; rename one of them, or apply one first and \
                         refer to its version"
                    ),
                });
            }
        }
        Ok(child)
    }

    fn refuse_cycle(&self, name: &Identifier) -> Result<()> {
        let stack = self.stack.borrow();
        if let Some(at) = stack.iter().position(|above| above == name) {
            let cycle: Vec<_> =
                stack[at..].iter().chain([name]).map(|name| name.as_str()).collect();
            return Err(Error::Refused {
                action: self.applying(),
                reason: format!(
                    "its components refer to each other in a cycle: {}; give each its own name",
                    cycle.join(" -> ")
                ),
            });
        }
        if stack.len() > MOST_LEVELS {
            return Err(Error::Refused {
                action: self.applying(),
                reason: format!(
                    "its components are nested deeper than {MOST_LEVELS} levels; apply the inner ones first, and \
                     refer to their versions"
                ),
            });
        }
        Ok(())
    }

    fn applying(&self) -> String {
        let stack = self.stack.borrow();
        format!("apply {}", stack.first().map_or("a component", Identifier::as_str))
    }
}
