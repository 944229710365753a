//! Components whose triggers run when rows of a collection change.

use larder_core::__private::typetag;
use larder_core::extend::{Contribution, Records as _};
use larder_core::store::{EventName, VersionNumber};
use larder_core::versions::RemoveOptions;
use larder_core::{
    Applied, Component, ComponentType, Error, Identifier, Item, Larder, Result, VersionInfo,
};
use larder_jobs::{Event, LarderJobs as _, TriggerName};
use serde::{Deserialize, Serialize};

use crate::listeners::{Listeners, check_name};

/// A component that is notified of new versions of a collection: `larder/watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub(crate) collection: Identifier,
    /// The component whose triggers run.
    pub(crate) component: Identifier,
    pub(crate) event: EventName,
    /// Its triggers on the event, for programs that do not link its type.
    pub(crate) triggers: Vec<TriggerName>,
}

/// The payload of the event of a [`Watch`]: the version of the collection whose commit created the job.
///
/// Versions that come before the job begins create no other job, so there may be newer ones.
///
/// ```
/// use larder_jobs::JobContext;
/// use larder_listeners::Changed;
///
/// fn retrain(job: &JobContext) -> larder_core::Result<()> {
///     let changed: Changed = job.payload()?;
///     job.log(format!("{}@{} is there", changed.collection, changed.version.get()));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Changed {
    /// The collection.
    pub collection: Identifier,
    /// The version.
    pub version: VersionNumber,
}

/// A [`Watch`] of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WatchInfo {
    /// Its name.
    pub name: String,
    /// The component whose triggers run.
    pub component: Identifier,
    /// The event on which they run.
    pub event: EventName,
}

impl Watch {
    /// Returns the folder of the components that watch a collection.
    pub(crate) fn folder(collection: &Identifier) -> String {
        format!("{collection}.watches/")
    }
}

impl Listeners {
    /// Runs the triggers of a component that run on `event` whenever there is a new version of the collection, with
    /// [`Changed`] as the payload.
    ///
    /// The commit of the version creates the jobs, for the newest version of the component: none is lost, and none is
    /// created twice. While all of them wait to begin, other versions create no more.
    ///
    /// ```no_run
    /// use larder_listeners::LarderListeners;
    ///
    /// fn follow(larder: &larder_core::Larder) -> larder_core::Result<()> {
    ///     larder.listeners("shop/reviews")?.watch("shop/mood", "retrain")?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] for the collection or the component; [`Error::Refused`] if none of its triggers runs on the
    /// event; [`Error::NotLinked`] if its type is not linked in; as [`Larder::apply`].
    pub fn watch(
        &self,
        component: impl TryInto<Identifier, Error: Into<Error>>,
        event: impl TryInto<EventName, Error: Into<Error>>,
    ) -> Result<Applied> {
        self.newest()?;
        let component: Identifier = component.try_into().map_err(Into::into)?;
        let event: EventName = event.try_into().map_err(Into::into)?;
        let custom = Event::Custom(event.clone());
        let triggers = self.larder().jobs().triggers_on(&component.clone().into(), &custom)?;
        let name = self.watch_name(component.as_str().rsplit('/').next().unwrap_or_default())?;
        let collection = self.collection().clone();
        let watch = Watch { collection, component, event, triggers };
        if let Ok(other) = self.larder().load::<Watch>(name.clone())
            && other.component != watch.component
        {
            return Err(Error::Refused {
                action: format!("watch {} by {}", watch.collection, watch.component),
                reason: format!(
                    "{} has the name {name}; a name of another last part is free",
                    other.component
                ),
            });
        }
        self.larder().apply(name, &watch)
    }

    /// Ends a [`watch`](Self::watch) by its name, which is the last part of the component's name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with similar names.
    pub fn unwatch(&self, name: &str) -> Result<()> {
        let name = self.watch_name(name)?;
        self.larder().remove_all(name, &RemoveOptions::new().force(true)).map(drop)
    }

    /// Returns what watches the collection, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn watches(&self) -> Result<Vec<WatchInfo>> {
        let folder = Watch::folder(self.collection());
        let versions = crate::listeners::versions_below(self.larder(), &folder)?;
        let watch = |version: VersionInfo| {
            let Watch { component, event, .. } = self.larder().load(version.reference())?;
            let name = version.identifier.as_str().replacen(&folder, "", 1);
            Ok(WatchInfo { name, component, event })
        };
        versions.into_iter().map(watch).collect()
    }

    fn watch_name(&self, name: &str) -> Result<Identifier> {
        check_name(name)?;
        format!("{}{name}", Watch::folder(self.collection())).parse()
    }
}

/// Returns the jobs of a watch for the commit of a version of its collection.
pub(crate) fn contribute(
    larder: &Larder,
    watch: &VersionInfo,
    version: VersionNumber,
) -> Result<Contribution> {
    let Watch { collection, component, event, triggers } = larder.load(watch.reference())?;
    // One that was removed has nothing to run.
    let Some(latest) = larder.head(&component)?.and_then(|head| head.latest) else {
        return Ok(Contribution::default());
    };
    let is_same = |payload: &str| {
        let other = serde_json::from_str::<Changed>(payload);
        other.is_ok_and(|other| other.collection == collection)
    };
    let changed = Changed { collection: collection.clone(), version };
    let event = Event::Custom(event);
    larder.jobs().contribute_with(&event, &component, &latest, &changed, is_same, &triggers)
}

#[typetag::serde(name = "larder/watch")]
impl Component for Watch {}

impl ComponentType for Watch {
    const TAG: &'static str = "larder/watch";
}

larder_core::link!(Item::component::<Watch>());

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "watch_tests.rs"]
mod tests;
