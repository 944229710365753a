//! Names of a larder, with and without versions.

use larder_access::Resource;
use larder_core::Identifier;
use larder_core::record::{NAMES, name_in, name_key};
use larder_core::store::{Action, RecordKey};
use larder_files::drafts::LarderDrafts;

use crate::context::Context;
use crate::failure::Failure;

/// Number of names that are read at once.
const PAGE: usize = 500;

/// Passes the names that the principal may read, sorted, after one, until `take` returns false.
pub(crate) fn names_after(
    context: &Context,
    after: Option<&Identifier>,
    mut take: impl FnMut(Identifier) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let store = context.app.larder.store();
    // Names without versions have a record about them alone. They are few.
    let mut reserved: Vec<Identifier> = Vec::new();
    for about in context.app.larder.drafts().about_all() {
        reserved.push(about?.0);
    }
    let mut reserved = reserved.into_iter().filter(|name| Some(name) > after).peekable();
    let mut last: Option<RecordKey> = after.map(name_key).transpose()?;
    let may = |name: &Identifier| context.may(Action::Read, &Resource::Name(name.clone()));
    loop {
        let page = store.list_records(NAMES, last.as_ref(), PAGE)?;
        for (key, _) in &page {
            let Ok(name) = name_in(key) else { continue };
            while let Some(before) = reserved.next_if(|before| *before < name) {
                if may(&before) && !take(before)? {
                    return Ok(());
                }
            }
            reserved.next_if(|same| *same == name);
            if may(&name) && !take(name)? {
                return Ok(());
            }
        }
        match page.last() {
            Some((key, _)) => last = Some(key.clone()),
            None => break,
        }
    }
    for name in reserved {
        if may(&name) && !take(name)? {
            break;
        }
    }
    Ok(())
}
