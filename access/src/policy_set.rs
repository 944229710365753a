//! Policies that were read, in a program with Cedar or without.

#[cfg(feature = "cedar")]
pub(crate) use crate::cedar::Policies;

/// Without Cedar there are none: a larder that has some is refused.
#[cfg(not(feature = "cedar"))]
#[derive(Debug, Clone)]
pub(crate) enum Policies {}
