//! How much an archive may ask for.

/// How much is taken in from an archive before it is refused.
///
/// ```
/// use larder_archive::Limits;
///
/// let limits = Limits { total: 1 << 30, ..Limits::default() };
/// assert_eq!(limits.record, 1 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of all files together, unpacked: 64 GiB.
    pub total: u64,
    /// The bytes of one record: 1 MiB.
    pub record: u64,
    /// The number of files: 2,000,000.
    pub files: u64,
    /// How many times larger the unpacked bytes may be than the packed ones: 1,000. Not looked at before
    /// 256 MiB are unpacked, because small things are often mostly zeros.
    pub ratio: u64,
}

/// The unpacked bytes below which the ratio does not count.
pub(crate) const RATIO_FROM: u64 = 256 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self { total: 64 << 30, record: 1 << 20, files: 2_000_000, ratio: 1_000 }
    }
}
