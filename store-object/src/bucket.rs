//! A place in a bucket, and the paths in it.

use std::fmt;
use std::sync::Arc;

use larder_store::Digest;
use larder_store::RecordKey;
use larder_store::Result;
use object_store::ObjectStore;
use object_store::limit::LimitStore;
use object_store::path::Path;

/// Maximum number of small requests of one call that run at once.
pub(crate) const AT_ONCE: usize = 32;

/// A place in a bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    /// The service.
    pub(crate) service: Arc<dyn ObjectStore>,
    /// Prefix of all object names: empty, or ending in `/`.
    pub(crate) root: Arc<str>,
    /// The URL, without secrets.
    pub(crate) url: Arc<str>,
}

impl Bucket {
    pub(crate) fn new(service: Arc<dyn ObjectStore>, prefix: &Path, url: &str) -> Self {
        // Each request is a connection, that is an open file. Blobs are written by several threads.
        let service = Arc::new(LimitStore::new(service, AT_ONCE));
        let root = match prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self { service, root: root.into(), url: url.into() }
    }

    /// Returns the path of the object `name` below the prefix.
    pub(crate) fn path(&self, name: &str) -> Result<Path> {
        Path::parse(format!("{}{name}", self.root))
            .map_err(|error| self.failed(&format!("name the object {name} in"), error.into()))
    }

    pub(crate) fn blob(&self, digest: &Digest) -> Result<Path> {
        self.path(&format!("blobs/{:02x}/{}", digest.as_bytes()[0], digest.to_hex()))
    }

    pub(crate) fn record(&self, key: &RecordKey) -> Result<Path> {
        self.path(&format!("records/{key}"))
    }

    /// Returns the name of an object relative to `folder`, if it is below it.
    pub(crate) fn below<'a>(&self, folder: &str, path: &'a Path) -> Option<&'a str> {
        let name = path.as_ref().strip_prefix(&*self.root)?;
        name.strip_prefix(folder)?.strip_prefix('/')
    }

    /// Returns the error of a failed request; `action` is followed by the URL.
    pub(crate) fn failed(&self, action: &str, cause: object_store::Error) -> larder_store::Error {
        crate::failure::failed(format!("{action} {}", self.url), cause)
    }
}

/// Omits the service, whose own `Debug` may show credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.url).finish()
    }
}
