//! Schemes: how URLs open stores.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::store::Store;
use crate::url::StoreUrl;

type Open = Arc<dyn Fn(&StoreUrl) -> Result<Arc<dyn Store>> + Send + Sync>;
type Probe = Arc<dyn Fn(&StoreUrl) -> Result<bool> + Send + Sync>;

/// A kind of store, by the scheme of its URLs.
#[derive(Clone)]
pub struct Scheme {
    name: String,
    open: Open,
    probe: Option<Probe>,
}

impl Scheme {
    /// A scheme that `open` serves.
    ///
    /// `open` refuses the options that it does not know, by [`StoreUrl::allow_options`].
    pub fn new(
        name: &str,
        open: impl Fn(&StoreUrl) -> Result<Arc<dyn Store>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), open: Arc::new(open), probe: None }
    }

    /// Adds a probe: whether there is a larder at a URL, found without making one.
    ///
    /// Callers that only want to read probe first. A probe returns `true` for a place that holds something
    /// else: refusing it, with the reason, is up to `open`.
    #[must_use]
    pub fn probed(
        mut self,
        probe: impl Fn(&StoreUrl) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        self.probe = Some(Arc::new(probe));
        self
    }

    /// The scheme, such as `sqlite`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the store at `url`, and makes it if there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn open(&self, url: &StoreUrl) -> Result<Arc<dyn Store>> {
        (self.open)(url)
    }

    /// Returns whether a larder exists at `url`; `true` without a probe.
    ///
    /// # Errors
    /// Those of the store.
    pub fn probe(&self, url: &StoreUrl) -> Result<bool> {
        self.probe.as_ref().map_or(Ok(true), |probe| probe(url))
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scheme({})", self.name)
    }
}

/// A scheme that a crate brings by being linked in; made by [`link!`](crate::link).
#[doc(hidden)]
pub struct LinkedScheme {
    pub krate: &'static str,
    pub version: &'static str,
    pub scheme: fn() -> Scheme,
}

inventory::collect!(LinkedScheme);

/// Announces a [`Scheme`] to every registry of the programs that link the calling crate.
///
/// A crate that is only listed in `Cargo.toml` and never named in the program is not linked: write
/// `use its_name as _;`.
#[macro_export]
macro_rules! link {
    ($scheme:expr) => {
        const _: () = {
            use $crate::inventory;
            inventory::submit! {
                $crate::LinkedScheme {
                    krate: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    scheme: || $scheme,
                }
            }
        };
    };
}
