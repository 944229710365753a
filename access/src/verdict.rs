//! The decision of policies on a request.

/// The decision of policies on a request.
#[cfg_attr(not(feature = "cedar"), allow(dead_code))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A policy forbids it.
    Forbidden(String),
    /// A policy permits it, and none forbids it.
    Permitted(String),
    /// No policy is about it.
    Silent,
}
