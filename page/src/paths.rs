//! What the paths of the page name.

use larder_access::Resource;
use larder_core::{Identifier, Reference};
use larder_server::extend::{Failure, Rest};

/// Returns whether a path is of the page.
pub(crate) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/ui") || path.starts_with("/ui/")
}

/// The name in a path.
pub(crate) fn named(rest: Rest<'_>) -> Result<Resource, Failure> {
    let name: Identifier = rest.parse()?;
    Ok(Resource::Name(name))
}

/// The name in a path that ends in a reference.
pub(crate) fn referred(rest: Rest<'_>) -> Result<Resource, Failure> {
    let reference: Reference = rest.parse()?;
    Ok(Resource::of(&reference))
}
