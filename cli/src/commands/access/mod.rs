//! Access control: users, groups, tokens, grants and the audit log.

pub(crate) mod audit;
pub(crate) mod can;
pub(crate) mod grant;
pub(crate) mod group;
#[cfg(feature = "cedar")]
pub(crate) mod policy;
pub(crate) mod token;
pub(crate) mod user;

use larder::access::PrincipalName;

use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// The names of groups, for a cell.
fn joined<'a>(names: impl IntoIterator<Item = &'a PrincipalName>) -> String {
    names.into_iter().map(PrincipalName::as_str).collect::<Vec<_>>().join(", ")
}

/// Prints that something was done, or that it was so already.
fn report(
    output: &mut Output,
    outcome: Outcome,
    done: &str,
    otherwise: &str,
    document: impl serde::Serialize,
) -> Result<(), CommandError> {
    #[derive(serde::Serialize)]
    struct Document<T> {
        outcome: Outcome,
        #[serde(flatten)]
        of: T,
    }
    if output.is_json() {
        return Ok(output.document(Document { outcome, of: document })?);
    }
    Ok(match outcome {
        Outcome::Unchanged => output.line(&format!("unchanged: {otherwise}")),
        _ => output.line(done),
    }?)
}
