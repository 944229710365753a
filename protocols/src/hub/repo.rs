//! Repositories and revisions.

use std::sync::Arc;

use axum::http::StatusCode;
use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::record::VersionRecord;
use larder_core::store::{Action, Timestamp};
use larder_core::{Error, Identifier, Reference};
use larder_files::TreeListing;
use larder_files::drafts::LarderDrafts;
use larder_server::extend::{Context, Failure, Rest};

use crate::trees;

/// The branch: the newest version.
pub(super) const MAIN: &str = "main";
/// Number of digits of the id of a commit.
const ID: usize = 40;

/// Splits the name, of `N` parts, from what follows it in a path.
pub(super) fn split<const N: usize>(rest: Rest<'_>) -> Result<(Identifier, &str), Failure> {
    let end = rest.match_indices('/').nth(N - 1).map_or(rest.len(), |(at, _)| at);
    let name = Identifier::new(&rest[..end])?;
    Ok((name, rest[end..].trim_start_matches('/')))
}

pub(super) fn resource<const N: usize>(rest: Rest<'_>) -> Result<Resource, Failure> {
    Ok(Resource::Name(split::<N>(rest)?.0))
}

/// A version of a repository.
pub(super) struct Repo {
    pub(super) record: VersionRecord,
    pub(super) files: Arc<TreeListing>,
}

/// Returns the id of the commit that a version is.
pub(super) fn commit_id(record: &VersionRecord) -> String {
    record.manifest.to_hex().chars().take(ID).collect()
}

/// Parses a revision.
fn reference(name: &Identifier, revision: &str) -> Option<Reference> {
    let revision = revision.strip_prefix("refs/tags/").unwrap_or(revision);
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let text = if [MAIN, "refs/heads/main", "HEAD", ""].contains(&revision) {
        name.to_string()
    } else if revision.len() == ID && revision.bytes().all(is_hex) {
        format!("{name}@b3:{revision}")
    } else if revision.bytes().all(|b| b.is_ascii_digit()) {
        format!("{name}@{revision}")
    } else {
        format!("{name}:{revision}")
    };
    text.parse().ok().filter(|found: &Reference| found.identifier() == name)
}

impl Repo {
    /// Finds a revision.
    pub(super) fn find(
        context: &Context,
        name: &Identifier,
        revision: &str,
    ) -> Result<Self, Failure> {
        let larder = context.larder();
        let none = || {
            let message = "cannot find the revision: it is `main`, a tag, a number or a commit";
            Failure::new(StatusCode::NOT_FOUND, "revision_not_found", message)
        };
        let has_name = || -> Result<bool, Failure> {
            Ok(larder.head(name)?.is_some_and(|head| head.latest.is_some()))
        };
        let reference = match reference(name, revision) {
            Some(reference) => reference,
            None if has_name()? => return Err(none()),
            None => return Err(no_repo()),
        };
        context.authorize(Action::Read, &Resource::of(&reference))?;
        let record = match larder.find(&reference) {
            Ok(record) => record,
            Err(Error::NotFound { .. } | Error::Removed { .. }) => {
                let is_known = has_name()? || larder.drafts().about(name)?.is_some();
                return Err(if is_known { none() } else { no_repo() });
            }
            Err(error) => return Err(error.into()),
        };
        let files = trees::listing(context, name, &record.manifest)?.ok_or_else(no_repo)?;
        Ok(Self { record, files })
    }

    pub(super) fn id(&self) -> String {
        commit_id(&self.record)
    }
}

/// The error of a repository that is not there.
pub(super) fn no_repo() -> Failure {
    Failure::not_found("cannot find the repository: no name of that kind holds a folder of files")
}

/// A time as the Hub writes it.
pub(super) fn time(time: Timestamp) -> String {
    time.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_the_name() {
        let (name, rest) = split::<2>("house/price/main/a/b.txt").unwrap();
        assert_eq!((name.as_str(), rest), ("house/price", "main/a/b.txt"));
        let (name, rest) = split::<1>("price/main").unwrap();
        assert_eq!((name.as_str(), rest), ("price", "main"));
        assert_eq!(split::<2>("house/price").unwrap().1, "");
        assert!(split::<2>("../price").is_err() && split::<1>("House").is_err());
    }

    #[test]
    fn a_revision_stays_in_its_repository() {
        let name = Identifier::new("house/price").unwrap();
        let of = |revision: &str| reference(&name, revision).map(|it| it.to_string());
        assert_eq!(of("main").as_deref(), Some("house/price"));
        assert_eq!(of("refs/tags/prod").as_deref(), Some("house/price:prod"));
        assert_eq!(of("7").as_deref(), Some("house/price@7"));
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(of(id), Some(format!("house/price@b3:{id}")));
        for bad in ["a/b", "refs/pr/1", "..", "a:b", "A B", "0"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
