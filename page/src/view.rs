//! Parts of screens.

use std::time::SystemTime;

use larder_access::Resource;
use larder_core::store::{Action, Timestamp, TypeTag, VersionNumber};
use larder_core::versions::TagInfo;
use larder_core::{Identifier, VersionInfo};
use larder_server::extend::Context;
use larder_text::{age, clean, count, size, time};

/// A time, as people and as machines write it.
#[derive(Debug, Clone)]
pub(crate) struct When {
    pub(crate) exact: String,
    pub(crate) age: String,
}

impl When {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { exact: time(at), age: age(at, SystemTime::now()) }
    }
}

/// A version in a list.
#[derive(Debug)]
pub(crate) struct VersionRow {
    pub(crate) name: String,
    pub(crate) number: String,
    /// `name@7`.
    pub(crate) reference: String,
    pub(crate) type_tag: String,
    pub(crate) size: String,
    pub(crate) created: When,
    pub(crate) digest: String,
    /// Unless it is ready.
    pub(crate) status: Option<String>,
    pub(crate) tags: Vec<String>,
}

impl VersionRow {
    pub(crate) fn new(version: &VersionInfo, tags: &[TagInfo]) -> Self {
        let tags = tags.iter().filter(|tag| tag.version == version.version);
        Self {
            name: version.identifier.to_string(),
            number: version.version.get().to_string(),
            reference: version.reference().to_string(),
            type_tag: version.type_tag.to_string(),
            size: size(version.size),
            created: When::new(version.created),
            digest: version.digest.short(),
            status: (!version.status.is_ready()).then(|| version.status.to_string()),
            tags: tags.map(|tag| tag.tag.to_string()).collect(),
        }
    }
}

/// The screens about a name, as links.
#[derive(Debug)]
pub(crate) struct Tabs {
    pub(crate) name: Identifier,
    /// The screen that is open.
    pub(crate) open: &'static str,
    /// The reference that lineage and predictions are of.
    pub(crate) reference: String,
    pub(crate) may_predict: bool,
    pub(crate) may_administer: bool,
    /// The collection that the name is, or that it belongs to.
    pub(crate) collection: Option<CollectionTabs>,
}

/// The screens of a collection, as links.
#[derive(Debug)]
pub(crate) struct CollectionTabs {
    pub(crate) name: String,
    /// `?version=7`, if the screens are of that version.
    pub(crate) at: String,
}

impl Tabs {
    pub(crate) fn new(
        context: &Context,
        name: &Identifier,
        reference: impl ToString,
        open: &'static str,
    ) -> Self {
        let may = |action| context.may(action, &Resource::Name(name.clone()));
        Self {
            name: name.clone(),
            open,
            reference: reference.to_string(),
            may_predict: may(Action::Predict),
            may_administer: may(Action::Administer),
            collection: None,
        }
    }

    /// Adds the screens of the collection that the name is, or that it belongs to, by its type; with a version, of that one.
    pub(crate) fn on(
        mut self,
        context: &Context,
        type_tag: &TypeTag,
        version: Option<VersionNumber>,
    ) -> Self {
        let of = collection_of(&self.name, type_tag.as_str());
        let of = of.filter(|of| context.may(Action::Read, &Resource::Name(of.clone())));
        let is_itself = of.as_ref() == Some(&self.name);
        let at = version.filter(|_| is_itself);
        let at = at.map(|at| format!("?version={}", at.get())).unwrap_or_default();
        // Rows predict nothing.
        self.may_predict &= !is_itself;
        self.collection = of.map(|of| CollectionTabs { name: of.to_string(), at });
        self
    }

    pub(crate) fn is(&self, open: &str) -> bool {
        self.open == open
    }
}

/// Returns the collection that a name is, or that it belongs to: its listeners, indexes and outputs.
pub(crate) fn collection_of(name: &Identifier, type_tag: &str) -> Option<Identifier> {
    if !cfg!(feature = "collections") {
        return None;
    }
    match type_tag {
        "larder/collection" => Some(name.clone()),
        "larder/listener" | "larder/outputs" => {
            let (folder, _) = name.as_str().rsplit_once('/')?;
            let parts = [".listeners", ".indexes", ".outputs", ".vectors"];
            parts.iter().find_map(|part| folder.strip_suffix(part))?.parse().ok()
        }
        _ => None,
    }
}

/// `1 version`, `2 versions`.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    count(number as u64, thing)
}

/// Text without characters that hide or turn others.
pub(crate) fn plain(text: &str) -> String {
    clean(text).into_owned()
}
