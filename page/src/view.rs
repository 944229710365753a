//! Parts of screens.

use std::time::SystemTime;

use larder_core::store::Timestamp;
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
    pub(crate) name: String,
    /// The screen that is open.
    pub(crate) open: &'static str,
    /// The reference that lineage and predictions are of.
    pub(crate) reference: String,
    pub(crate) may_predict: bool,
    pub(crate) may_administer: bool,
}

impl Tabs {
    pub(crate) fn new(
        context: &Context,
        name: &Identifier,
        reference: impl ToString,
        open: &'static str,
    ) -> Self {
        use larder_access::Resource;
        use larder_core::store::Action;

        let may = |action| context.may(action, &Resource::Name(name.clone()));
        Self {
            name: name.to_string(),
            open,
            reference: reference.to_string(),
            may_predict: may(Action::Predict),
            may_administer: may(Action::Administer),
        }
    }

    pub(crate) fn is(&self, open: &str) -> bool {
        self.open == open
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
