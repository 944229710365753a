//! Reads and lists records.

use larder_access::Resource;
use larder_core::store::{Action, RecordKey, RecordKind};
use larder_store_http::protocol::{
    ANSWER_BUDGET, GetRecords, GotRecords, ListRecords, ListedRecords, WireKey,
};

use super::permission;
use crate::context::Context;
use crate::failure::Failure;

/// Number of keys that are read at once.
const AT_ONCE: usize = 500;
/// Number of pages that are looked at for one answer, if the principal may read none of their records.
const PAGES: usize = 8;

/// Returns the records of the first keys, as many as an answer holds.
pub(super) fn get(context: &Context, request: GetRecords) -> Result<GotRecords, Failure> {
    let mut keys: Vec<RecordKey> = Vec::with_capacity(request.keys.len());
    let mut hidden = Vec::new();
    for WireKey(key) in request.keys {
        let kind = permission::kind_of(&key)?;
        match permission::is_hidden(kind) {
            true => hidden.push(keys.len()),
            false => permission::may_read(context, kind, &key)?,
        }
        keys.push(key);
    }
    let store = context.app.larder.store();
    let (mut records, mut size) = (Vec::with_capacity(keys.len()), 0);
    for keys in keys.chunks(AT_ONCE) {
        for found in store.get_records(keys)? {
            let found = found.filter(|_| hidden.binary_search(&records.len()).is_err());
            size += found.as_ref().map_or(0, |found| found.value.len());
            records.push(found.map(Into::into));
        }
        if size > ANSWER_BUDGET {
            break;
        }
    }
    Ok(GotRecords { records })
}

/// Returns a page of the records that the principal may read.
pub(super) fn list(context: &Context, request: ListRecords) -> Result<ListedRecords, Failure> {
    let ListRecords { prefix, after, limit } = request;
    let store = context.app.larder.store();
    let sees_foreign = context.may(Action::Maintain, &Resource::Larder);
    let (mut after, mut records, mut size) = (after.map(|after| after.0), Vec::new(), 0);
    for _ in 0..PAGES {
        let page = store.list_records(&prefix, after.as_ref(), limit)?;
        let Some((last, _)) = page.last() else {
            return Ok(ListedRecords { records, after: None });
        };
        after = Some(last.clone());
        for (key, record) in page {
            let is_visible =
                match RecordKind::of(&key).and_then(|kind| Ok((kind, kind.owner(&key)?))) {
                    Ok((kind, _)) if permission::is_hidden(kind) => false,
                    Ok((kind, _)) => {
                        let action = kind.access_rule().read;
                        context.may(action, &permission::owner(kind, &key, action)?)
                    }
                    // Verification reports what belongs to no kind.
                    Err(_) => sees_foreign,
                };
            if !is_visible {
                continue;
            }
            size += record.value.len();
            records.push((WireKey(key), record.into()));
            if size > ANSWER_BUDGET {
                break;
            }
        }
        if !records.is_empty() {
            return Ok(ListedRecords { records, after: None });
        }
    }
    Ok(ListedRecords { records, after: after.map(WireKey) })
}
