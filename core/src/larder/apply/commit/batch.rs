//! One attempt of a commit: reads the state of the components, and adds the changes that write new versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::extend::Records;
use crate::larder::Larder;
use crate::larder::apply::session::PendingComponent;
use crate::larder::locks::refuse_locked_name;
use crate::manifest::ChildEntry;
use crate::name::{Identifier, VersionNumber};
use crate::participant::{Contribution, Transition};
use crate::record::{self, DigestRecord, NameRecord, Status, VersionRecord};
use crate::store::Transaction;
use crate::store::{Change, RecordKey};

/// Attempts after which the writer of a version that its name does not count is taken for dead.
const MOST_WAITS: u32 = 16;

/// State of one component in the store.
pub(super) enum ComponentState {
    /// A ready version has its content.
    There(VersionRecord),
    /// A version has its content, and its `on_create` must run again.
    Unready(VersionRecord),
    /// An earlier attempt or another writer wrote it; its name record may lack it.
    Written(VersionRecord),
    /// It must be written.
    New,
}

impl ComponentState {
    pub(super) fn version(&self) -> Option<&VersionRecord> {
        match self {
            Self::There(version) | Self::Unready(version) | Self::Written(version) => Some(version),
            Self::New => None,
        }
    }

    fn is_new(&self) -> bool {
        matches!(self, Self::New)
    }
}

/// A name record, as read and as changed.
struct Head {
    is_there: bool,
    record: NameRecord,
    is_changed: bool,
    is_put: bool,
}

/// One attempt to write components.
pub(super) struct Batch<'a> {
    larder: &'a Larder,
    items: &'a [PendingComponent],
    pub(super) states: Vec<ComponentState>,
    heads: BTreeMap<Identifier, Head>,
    /// The keys of stored versions that new ones refer to.
    pinned: HashMap<ChildEntry, RecordKey>,
    /// Contributions of participants for new, ready versions.
    pub(super) added: Contribution,
    /// True if participants added changes.
    pub(super) is_added_to: bool,
}

impl<'a> Batch<'a> {
    /// Reads the state of `items`, of which the last is the applied component; it may be `written`. Others of its name precede
    /// it as versions.
    pub(super) fn read(
        larder: &'a Larder,
        tx: &mut Transaction<'_>,
        items: &'a [PendingComponent],
        written: Option<&VersionRecord>,
    ) -> Result<Self> {
        let children = items.iter().flat_map(|item| &item.encoded.children);
        let names: BTreeSet<_> =
            items.iter().map(|item| &item.name).chain(children.map(|child| &child.name)).collect();
        let keys = names.iter().map(|name| record::name_key(name)).collect::<Result<Vec<_>>>()?;
        let mut heads = BTreeMap::new();
        tx.get_all(&keys)?;
        for (name, key) in names.iter().zip(&keys) {
            let found = tx.read(key)?;
            let is_there = found.is_some();
            let record = found.unwrap_or_default();
            let head = Head { is_there, record, is_changed: false, is_put: false };
            heads.insert((*name).clone(), head);
        }
        let pinned = HashMap::new();
        let added = Contribution::default();
        let states = Vec::new();
        let mut batch = Self { larder, items, states, heads, pinned, added, is_added_to: false };
        for (at, item) in items.iter().enumerate() {
            let state = match written {
                Some(written) if at + 1 == items.len() => {
                    batch.check_base(item, Some(written))?;
                    ComponentState::Written(written.clone())
                }
                _ => batch.state_of(item, batch.is_root(item))?,
            };
            batch.states.push(state);
        }
        Ok(batch)
    }

    /// Returns true for a version of the applied component's name. None of its children has it.
    fn is_root(&self, item: &PendingComponent) -> bool {
        self.items.last().is_some_and(|root| root.name == item.name)
    }

    /// Returns the indices of the versions of the applied component's name.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        (0..self.items.len()).filter(|&at| self.is_root(&self.items[at]))
    }

    fn state_of(&self, item: &PendingComponent, is_root: bool) -> Result<ComponentState> {
        let PendingComponent { name, encoded, .. } = item;
        let head = self.heads.get(name).ok_or_else(|| unread(name))?;
        let latest = head.record.latest.as_ref();
        if let Some(latest) = latest.filter(|latest| latest.manifest == encoded.digest) {
            return Ok(ComponentState::There(latest.clone()));
        }
        if is_root {
            self.check_base(item, None)?;
        }
        let may_be_there = head.is_there || !self.larder.store.capabilities().atomic_commit;
        if !is_root
            && may_be_there
            && let Some(version) = self.larder.find_child(&item.entry())?
        {
            // A writer that died may not have updated the name record.
            return Ok(match version.version < head.record.next {
                true => ComponentState::There(version),
                false => ComponentState::Written(version),
            });
        }
        Ok(match self.larder.unready(name, &head.record, &encoded.digest)? {
            Some(version) => ComponentState::Unready(version),
            None => ComponentState::New,
        })
    }

    /// Refuses to write onto another version than the one that is stated, also after a partial commit.
    fn check_base(&self, item: &PendingComponent, written: Option<&VersionRecord>) -> Result<()> {
        let Some(base) = self.larder.options().onto else { return Ok(()) };
        let head = self.heads.get(&item.name).ok_or_else(|| unread(&item.name))?;
        let latest = head.record.latest.as_ref();
        let is_own = written.is_some()
            && written.map(|it| it.version) == latest.map(|latest| latest.version);
        match is_own || latest.map(|latest| latest.manifest) == base {
            true => Ok(()),
            false => Err(Error::Conflict { what: item.name.to_string() }),
        }
    }

    /// Refuses locked names.
    pub(super) fn check(&self) -> Result<()> {
        for (item, state) in self.items.iter().zip(&self.states) {
            if !matches!(state, ComponentState::There(_)) {
                let head = self.heads.get(&item.name).ok_or_else(|| unread(&item.name))?;
                let what = || format!("commit a new version of {}", item.name);
                refuse_locked_name(&item.name, &head.record, what)?;
            }
        }
        Ok(())
    }

    fn new_items(&self) -> impl Iterator<Item = &'a PendingComponent> {
        self.items
            .iter()
            .zip(&self.states)
            .filter(|(_, state)| state.is_new())
            .map(|(item, _)| item)
    }

    /// Returns the blobs of new versions, and the changes that write some of them.
    pub(super) fn blobs(&self) -> (Vec<Digest>, Vec<Change>) {
        let is_isolated = self.larder.store.capabilities().isolated_commit;
        let needed = self.new_items().flat_map(|item| item.encoded.claimed(is_isolated)).collect();
        (needed, self.new_items().flat_map(|item| item.encoded.blobs.iter().cloned()).collect())
    }

    /// Returns the index of a child among the items.
    fn item_of(&self, child: &ChildEntry) -> Option<usize> {
        let is_it = |item: &PendingComponent| {
            item.name == child.name && item.encoded.digest == child.manifest
        };
        self.items.iter().position(is_it)
    }

    /// Adds the changes that write new versions, children before parents.
    ///
    /// Returns the index of the applied component's version record, if new; `None` if a child is being removed, or another
    /// writer is about to be first.
    pub(super) fn write(&mut self, tx: &mut Transaction<'_>) -> Result<Option<Option<usize>>> {
        if !self.find_pinned(tx)? {
            return Ok(None);
        }
        let (items, mut root_at) = (self.items, None);
        let mut depended = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            if let ComponentState::Written(version) = &self.states[at] {
                let version = version.clone();
                self.update_head(&item.name, &version)?;
            }
            if !self.states[at].is_new() {
                continue;
            }
            let PendingComponent { name, encoded, .. } = item;
            let head = self.heads.get(name).ok_or_else(|| unread(name))?;
            let next = head.record.next;
            // Atomic commits never leave a number taken that the name does not count.
            let number = match tx.attempt() > 0 && !self.larder.store.capabilities().atomic_commit {
                true => self.larder.free_number(name, next)?,
                false => next,
            };
            let may_be_finished = number != next
                && at + 1 == items.len()
                && !self.larder.store.capabilities().isolated_commit;
            if may_be_finished && self.larder.options().onto.is_some() && tx.attempt() < MOST_WAITS
            {
                // Another writer is about to be first; it may also have died.
                return Ok(None);
            }
            for child in &encoded.children {
                tx.push(Larder::use_of(child, name, number, encoded.digest)?);
            }
            for child in &encoded.children {
                if let Some(key) = self.pinned.get(child)
                    && depended.insert(key.clone())
                {
                    tx.require(key.clone())?;
                    // A removal reads this record first, and then the users.
                    let head = self.heads.get_mut(&child.name);
                    let head = head.ok_or_else(|| unread(&child.name))?;
                    head.record.moves += 1;
                    head.is_changed = true;
                }
                let is_done = |at: usize| items[at..].iter().all(|item| item.name != child.name);
                if is_done(at) {
                    self.put_head(&child.name, tx)?;
                }
            }
            let mut version = self.new_version(item, number);
            let is_root = self.is_root(item);
            if is_root {
                self.larder.complete(tx, &mut version)?;
            }
            root_at = is_root.then_some(tx.len());
            tx.put_new(record::version_key(name, number)?, &version)?;
            if is_root && let Some(annotations) = self.larder.options().annotations.of_new(name)? {
                tx.put_new(record::annotations_key(name, number)?, &annotations)?;
            }
            if version.is_current() {
                let key = record::digest_key(name, &encoded.digest, number)?;
                tx.put_any(key, &DigestRecord::new(number))?;
                let mut added = self.larder.contributions(Transition::Ready, name, &version)?;
                self.is_added_to |= !added.changes.is_empty();
                tx.extend(added.changes.drain(..));
                self.added.merge(added);
            }
            self.update_head(name, &version)?;
            self.states[at] = ComponentState::Written(version);
        }
        // What was applied is found last.
        let mut names: Vec<_> = self.heads.keys().cloned().collect();
        names.sort_by_key(|name| items.last().is_some_and(|root| root.name == *name));
        for name in names {
            self.put_head(&name, tx)?;
        }
        Ok(Some(root_at))
    }

    /// Finds the stored versions that new ones refer to; `false` if one is being removed.
    fn find_pinned(&mut self, tx: &mut Transaction<'_>) -> Result<bool> {
        let mut wanted = Vec::new();
        let children: BTreeMap<_, _> = self
            .new_items()
            .flat_map(|item| item.encoded.children.iter().map(move |child| (child, &item.name)))
            .collect();
        for (child, user) in children {
            let known = self.item_of(child).map(|at| &self.states[at]);
            let version = match known {
                Some(ComponentState::New) => continue,
                Some(state) => state.version().cloned(),
                None => self.larder.find_child(child)?,
            };
            let version = match version {
                Some(version) => version,
                None => self.larder.child_version(child, user.as_str())?,
            };
            wanted.push((child.clone(), record::version_key(&child.name, version.version)?));
        }
        let keys: Vec<_> = wanted.iter().map(|(_, key)| key.clone()).collect();
        tx.get_all(&keys)?;
        for (child, key) in wanted {
            let Some(version) = tx.read::<VersionRecord>(&key)? else {
                return Err(Error::corrupt(format!("the record {key}"), Corruption::Missing));
            };
            if version.removed.is_some() {
                return Ok(false);
            }
            self.pinned.insert(child, key);
        }
        Ok(true)
    }

    fn new_version(&self, item: &PendingComponent, number: VersionNumber) -> VersionRecord {
        let (larder, encoded) = (self.larder, &item.encoded);
        let tag = encoded.type_tag.as_str();
        let origin = larder.registry.origin_of_type(tag).map(str::to_owned);
        let mut version = VersionRecord::new(
            number,
            encoded.digest,
            encoded.type_tag.clone(),
            encoded.size,
            larder.now(),
            origin,
        );
        version.toolchain = larder.registry.toolchain_of(tag);
        version.hooks = encoded.hooks;
        // A parent is not ready before its children.
        let waits = encoded.children.iter().any(|child| {
            let state = self.item_of(child).and_then(|at| self.states.get(at));
            state
                .and_then(ComponentState::version)
                .is_some_and(|version| !version.status.is_ready())
        });
        if encoded.hooks || waits {
            version.status = Status::Preparing;
        }
        version
    }

    /// Updates the name record for a version.
    fn update_head(&mut self, name: &Identifier, version: &VersionRecord) -> Result<()> {
        let head = self.heads.get_mut(name).ok_or_else(|| unread(name))?;
        let newest = head.record.latest.as_ref().map(|latest| latest.version);
        if version.is_current() && newest < Some(version.version) {
            head.record.latest = Some(version.clone());
        }
        head.record.next = head.record.next.max(version.version.next());
        head.is_changed = true;
        Ok(())
    }

    /// Adds the change of a name record once, if it changed.
    fn put_head(&mut self, name: &Identifier, tx: &mut Transaction<'_>) -> Result<()> {
        let head = self.heads.get_mut(name).ok_or_else(|| unread(name))?;
        if head.is_changed && !head.is_put {
            head.is_put = true;
            tx.put(record::name_key(name)?, &head.record)?;
        }
        Ok(())
    }
}

fn unread(name: &Identifier) -> Error {
    Error::internal(format!("the record of the name {name} was not read before the commit"))
}
