//! Commits.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use larder_access::Resource;
use larder_core::record::TAGS;
use larder_core::store::{Action, Change, Committed};
use larder_serving::DEPLOYMENTS;
use larder_store_http::protocol::{Commit, CommitAnswer};
use tokio::runtime::Handle;

use super::check::{Checked, check};
use super::settled::Settled;
use crate::context::Context;
use crate::failure::Failure;

/// Maximum number of attempts for a change without a precondition, which others make too.
const ATTEMPTS: usize = 20;

/// Checks and makes a commit, once.
pub(super) fn commit(context: &Context, request: Commit) -> Result<CommitAnswer, Failure> {
    let who = context.identity.as_ref().map(|identity| identity.principal.name.to_string());
    context.shared::<Settled>().once(&who.unwrap_or_default(), request.id, || {
        let changes = request.changes.into_iter().map(Change::from).collect();
        make(context, changes).map(Into::into)
    })
}

/// Makes changes. One without a precondition is made on the condition that the record is as it was checked; if it is not,
/// it is checked again.
fn make(context: &Context, changes: Vec<Change>) -> Result<Committed, Failure> {
    let store = context.app.larder.store();
    let mut logged = HashSet::new();
    let (mut rest, mut done) = (changes, 0);
    for _ in 0..ATTEMPTS {
        let Checked { changes, tightened, conflict, uses } = check(context, &rest)?;
        if let Some(at) = conflict {
            return Ok(Committed::Conflict { at: done + at, made: done });
        }
        log(context, uses, &mut logged)?;
        let committed = store.commit(&changes);
        if let Some(guard) = &context.app.guard
            && logged.iter().any(|(action, _)| *action == Action::Administer)
        {
            guard.access.forget();
        }
        match committed? {
            Committed::All => {
                if changes.iter().any(moves_a_deployment) {
                    context.app.deployer.refresh();
                }
                return Ok(Committed::All);
            }
            // A store without atomic commits has made some; the rest is tried again.
            Committed::Conflict { at, made } if tightened.contains(&at) => {
                rest.drain(..made);
                done += made;
            }
            Committed::Conflict { at, made } => {
                return Ok(Committed::Conflict { at: done + at, made: done + made });
            }
        }
    }
    Err(Failure::unavailable("cannot commit: others change the same records all the time"))
}

/// Returns whether a change is of a deployment, or of a tag, which one may follow.
fn moves_a_deployment(change: &Change) -> bool {
    match change {
        Change::PutBlob { .. } => false,
        Change::PutRecord { key, .. } | Change::RemoveRecord { key, .. } => {
            [DEPLOYMENTS, TAGS].iter().any(|prefix| key.as_str().starts_with(prefix))
        }
    }
}

/// Logs what the changes were allowed for, once, before they are made.
fn log(
    context: &Context,
    uses: Vec<(Action, Resource)>,
    logged: &mut HashSet<(Action, String)>,
) -> Result<(), Failure> {
    let fresh: Vec<_> = uses
        .into_iter()
        .filter(|(action, resource)| logged.insert((*action, resource.to_string())))
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let entries = fresh.iter().map(|(action, resource)| context.log(*action, resource));
    Handle::current().block_on(try_join_all(entries)).map(drop)
}
