//! Preparing: `post_init` on a copy.

use crate::component::Component;
use crate::error::Result;
use crate::larder::Larder;
use crate::name::Identifier;

impl Larder {
    /// Returns a copy of the component after `post_init`, if its type has hooks.
    pub(super) fn prepare(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<Option<Box<dyn Component>>> {
        component.as_hooks().map(|_| self.prepared(name, component)).transpose()
    }
}
