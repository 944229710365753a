//! Names of a larder, with and without versions.

use std::collections::VecDeque;

use larder_access::Resource;
use larder_core::Identifier;
use larder_core::record::NAMES;
use larder_core::store::{Action, RecordKey, Store};
use larder_files::drafts::ABOUT;
use larder_server::extend::{Context, Failure};

/// Number of names that are read at once.
const PAGE: usize = 500;

/// The names that records below a prefix are of, sorted, read page by page.
struct Names<'a> {
    store: &'a dyn Store,
    prefix: &'static str,
    last: Option<RecordKey>,
    page: VecDeque<Identifier>,
    is_read: bool,
}

impl<'a> Names<'a> {
    fn after(
        store: &'a dyn Store,
        prefix: &'static str,
        after: Option<&Identifier>,
    ) -> Result<Self, Failure> {
        let last = after.map(|name| RecordKey::new(&format!("{prefix}{name}"))).transpose()?;
        Ok(Self { store, prefix, last, page: VecDeque::new(), is_read: false })
    }

    fn peek(&mut self) -> Result<Option<&Identifier>, Failure> {
        while self.page.is_empty() && !self.is_read {
            let page = self.store.list_records(self.prefix, self.last.as_ref(), PAGE)?;
            match page.last() {
                Some((key, _)) => self.last = Some(key.clone()),
                None => self.is_read = true,
            }
            let name =
                |key: &RecordKey| Identifier::new(key.as_str().strip_prefix(self.prefix)?).ok();
            self.page.extend(page.iter().filter_map(|(key, _)| name(key)));
        }
        Ok(self.page.front())
    }
}

/// Passes the names that the principal may read, sorted, after one, until `take` returns false.
pub(crate) fn names_after(
    context: &Context,
    after: Option<&Identifier>,
    mut take: impl FnMut(Identifier) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let store = &**context.larder().store();
    let mut known = Names::after(store, NAMES, after)?;
    let mut described = Names::after(store, ABOUT, after)?;
    loop {
        let name = match (known.peek()?, described.peek()?) {
            (Some(one), Some(other)) => one.min(other).clone(),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => return Ok(()),
        };
        for names in [&mut known, &mut described] {
            names.page.pop_front_if(|front| *front == name);
        }
        let is_visible = context.may(Action::Read, &Resource::Name(name.clone()));
        if is_visible && !take(name)? {
            return Ok(());
        }
    }
}
