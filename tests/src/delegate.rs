//! Stores that forward to another one, except for what a test observes or breaks.

/// Forwards the named methods of `Store` to the store in the field `$to`.
///
/// ```
/// use larder::store::{Capabilities, Store};
/// use larder::store::MemoryStore;
///
/// #[derive(Debug)]
/// struct Renamed(MemoryStore);
///
/// #[deny(clippy::missing_trait_methods)]
/// impl Store for Renamed {
///     fn url(&self) -> String {
///         "test:renamed".into()
///     }
///     larder_tests::delegate!(0: capabilities write_blob read_blobs stat_blobs list_blobs);
///     larder_tests::delegate!(0: remove_blobs remove_unfinished);
///     larder_tests::delegate!(0: get_records list_records commit);
/// }
///
/// assert!(Renamed(MemoryStore::new()).capabilities().atomic_commit);
/// ```
#[macro_export]
macro_rules! delegate {
    ($to:tt: $($method:ident)+) => { $($crate::delegate!(@ $method $to);)+ };
    (@ url $to:tt) => {
        fn url(&self) -> String {
            self.$to.url()
        }
    };
    (@ capabilities $to:tt) => {
        fn capabilities(&self) -> ::larder::store::Capabilities {
            self.$to.capabilities()
        }
    };
    (@ write_blob $to:tt) => {
        fn write_blob(&self) -> ::larder::Result<Box<dyn ::larder::store::BlobWriter>> {
            self.$to.write_blob()
        }
    };
    (@ read_blobs $to:tt) => {
        fn read_blobs(
            &self,
            digests: &[::larder::store::Digest],
        ) -> ::larder::Result<Vec<Option<::larder::store::Blob>>> {
            self.$to.read_blobs(digests)
        }
    };
    (@ stat_blobs $to:tt) => {
        fn stat_blobs(
            &self,
            digests: &[::larder::store::Digest],
        ) -> ::larder::Result<Vec<Option<u64>>> {
            self.$to.stat_blobs(digests)
        }
    };
    (@ list_blobs $to:tt) => {
        fn list_blobs(
            &self,
            after: Option<&::larder::store::Digest>,
            limit: usize,
        ) -> ::larder::Result<Vec<(::larder::store::Digest, u64)>> {
            self.$to.list_blobs(after, limit)
        }
    };
    (@ remove_blobs $to:tt) => {
        fn remove_blobs(&self, digests: &[::larder::store::Digest]) -> ::larder::Result<()> {
            self.$to.remove_blobs(digests)
        }
    };
    (@ remove_unfinished $to:tt) => {
        fn remove_unfinished(
            &self,
            older_than: ::std::time::Duration,
        ) -> ::larder::Result<(u64, u64)> {
            self.$to.remove_unfinished(older_than)
        }
    };
    (@ get_records $to:tt) => {
        fn get_records(
            &self,
            keys: &[::larder::store::RecordKey],
        ) -> ::larder::Result<Vec<Option<::larder::store::Record>>> {
            self.$to.get_records(keys)
        }
    };
    (@ list_records $to:tt) => {
        fn list_records(
            &self,
            prefix: &str,
            after: Option<&::larder::store::RecordKey>,
            limit: usize,
        ) -> ::larder::Result<Vec<(::larder::store::RecordKey, ::larder::store::Record)>> {
            self.$to.list_records(prefix, after, limit)
        }
    };
    (@ commit $to:tt) => {
        fn commit(
            &self,
            changes: &[::larder::store::Change],
        ) -> ::larder::Result<::larder::store::Committed> {
            self.$to.commit(changes)
        }
    };
}
