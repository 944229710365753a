//! Limits of an import.

/// Limits of an import.
///
/// ```
/// use larder_archive::Limits;
///
/// let limits = Limits { total: 1 << 30, ..Limits::default() };
/// assert_eq!(limits.record, 1 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum unpacked size of all files, in bytes. Default: 64 GiB.
    pub total: u64,
    /// Maximum size of a record, in bytes. Default: 1 MiB.
    pub record: u64,
    /// Maximum number of files. Default: 2,000,000.
    pub files: u64,
    /// Maximum compression ratio, checked from 256 MiB of unpacked bytes. Default: 1,000.
    pub ratio: u64,
}

/// Number of unpacked bytes from which the ratio is checked: small archives may be mostly zeros.
pub(crate) const RATIO_FROM: u64 = 256 << 20;

pub(crate) fn too_many_files(limit: u64) -> String {
    format!("it has more than {limit} files; raise the file limit if you trust it")
}

pub(crate) fn too_large(limit: u64) -> String {
    format!("it has more than {limit} bytes; raise the size limit if you trust it")
}

pub(crate) fn record_too_large(path: &str, size: u64, limit: u64) -> String {
    format!("the record `{path}` has {size} bytes, the maximum is {limit}")
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: 64 << 30, record: 1 << 20, files: 2_000_000, ratio: 1_000 }
    }
}
