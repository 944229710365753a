//! The components that one apply packs: one, and those that it refers to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Larder;
use super::apply::EncodedComponent;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::manifest::ChildEntry;
use crate::name::Identifier;
use crate::participant::PlannedJob;

/// How deep components may refer to components that are applied with them.
const MOST_LEVELS: usize = 32;

/// Takes the components that are packed with one that refers to them.
pub(crate) struct ApplySession {
    larder: Larder,
    /// The names of those that are being packed, outermost first.
    stack: RefCell<Vec<Identifier>>,
    /// Those that are packed, children before those that refer to them.
    packed: RefCell<Vec<PendingComponent>>,
    /// Where each is among the packed, by name.
    by_name: RefCell<HashMap<Identifier, usize>>,
    /// What is known of a child, by its place in memory: one that is reached by many ways is packed once.
    by_place: RefCell<HashMap<usize, ChildEntry>>,
    /// Copies that stay alive so that no place in memory is used twice.
    copies: RefCell<Vec<Box<dyn Component>>>,
}

/// A component that is packed because another one refers to it.
pub(super) struct PendingComponent {
    pub(super) name: Identifier,
    pub(super) packed: EncodedComponent,
    /// The component as its `post_init` left it, if its type has hooks.
    pub(super) component: Option<Box<dyn Component>>,
    /// The jobs that its apply would make; known in a rehearsal only.
    pub(super) jobs: Vec<PlannedJob>,
}

impl PendingComponent {
    /// What refers to it.
    pub(super) fn entry(&self) -> ChildEntry {
        ChildEntry { name: self.name.clone(), manifest: self.packed.digest() }
    }
}

impl ApplySession {
    /// For what the component `name` refers to.
    pub(super) fn new(larder: &Larder, name: &Identifier) -> Rc<Self> {
        Rc::new(Self {
            larder: larder.clone(),
            stack: RefCell::new(vec![name.clone()]),
            packed: RefCell::default(),
            by_name: RefCell::default(),
            by_place: RefCell::default(),
            copies: RefCell::default(),
        })
    }

    pub(super) fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Those that were packed, children before those that refer to them.
    pub(super) fn take(&self) -> Vec<PendingComponent> {
        self.packed.take()
    }

    /// Packs a child, unless it was packed already.
    pub(super) fn pack(
        nest: &Rc<Self>,
        place: usize,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<ChildEntry> {
        if let Some(known) = nest.by_place.borrow().get(&place) {
            return Ok(known.clone());
        }
        nest.refuse_cycle(name)?;
        nest.stack.borrow_mut().push(name.clone());
        let copy = match component.as_hooks() {
            Some(_) => Some(nest.larder.prepared(name, component)?),
            None => None,
        };
        let packed = nest.larder.pack_in(nest, name, copy.as_deref().unwrap_or(component));
        nest.stack.borrow_mut().pop();
        let packed = packed?;
        let jobs = match nest.larder.options().dry_run {
            true => nest.larder.planned_jobs(name, copy.as_deref().unwrap_or(component)),
            false => Vec::new(),
        };
        let nested = PendingComponent { name: name.clone(), packed, component: copy, jobs };
        let child = nested.entry();
        nest.by_place.borrow_mut().insert(place, child.clone());
        let mut all = nest.packed.borrow_mut();
        let known = nest.by_name.borrow().get(name).copied();
        match known.and_then(|known| all.get(known)) {
            None => {
                nest.by_name.borrow_mut().insert(name.clone(), all.len());
                all.push(nested);
            }
            Some(other) if other.packed.digest() == child.manifest => {
                nest.copies.borrow_mut().extend(nested.component);
            }
            Some(_) => {
                return Err(Error::Refused {
                    action: nest.applying(),
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
