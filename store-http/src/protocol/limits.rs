//! Limits of requests and answers. A client splits what is larger; a server refuses it.

/// Maximum number of keys or digests of a request.
pub const MAX_ITEMS: usize = 4_000;
/// Maximum number of changes of a commit. It cannot be split.
pub const MAX_CHANGES: usize = 50_000;
/// Maximum size in bytes of the body of a request, except for `PUT` of a blob, which has no limit.
pub const MAX_BODY: usize = 32 << 20;
/// Number of bytes of records or blobs after which an answer ends; the client asks for the rest.
pub const ANSWER_BUDGET: usize = 8 << 20;
/// Size in bytes up to which a blob is part of an answer; the content of larger ones is read by `GET`.
pub const MAX_INLINE: usize = 1 << 20;
/// Maximum size in bytes of an answer: the budget, exceeded by the largest record, and what surrounds it.
pub const MAX_ANSWER: usize = MAX_BODY + ANSWER_BUDGET;
/// Maximum size in bytes of a prefix of keys. No key is longer.
pub const MAX_PREFIX: usize = 400;
/// Maximum size in bytes of the text of a revision.
pub const MAX_REVISION: usize = 1_024;
/// Maximum depth of a body.
pub(super) const MAX_DEPTH: usize = 16;
