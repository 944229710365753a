//! Triggers, as declared by a component type.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use larder_core::{Artifact, BoxError, ComponentType};
use serde::Serialize;

use crate::context::JobContext;
use crate::event::Event;

/// A component type with methods that run on events.
///
/// Implemented by `#[triggers]` on an `impl` block.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no triggers",
    note = "write `#[triggers] impl {Self} {{ … }}`, and `#[trigger(apply)]` on a method"
)]
pub trait Triggers: ComponentType {
    /// Returns the triggers, in declaration order.
    fn triggers() -> Vec<Trigger<Self>>;
}

/// Returns the output as JSON, if it is stored.
pub(crate) type Run<T> =
    Arc<dyn Fn(&T, &JobContext) -> Result<Option<String>, BoxError> + Send + Sync>;
pub(crate) type Required<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

/// A function that runs on events.
///
/// `#[triggers]` creates them from methods. To build them at run time:
///
/// ```
/// use larder_core::ComponentType;
/// use larder_jobs::{Event, JobContext, Trigger};
///
/// fn triggers<T: ComponentType>() -> Vec<Trigger<T>> {
///     vec![
///         Trigger::new("train", |_: &T, job: &JobContext| {
///             job.log("started");
///             Ok::<_, String>(())
///         })
///         .on(Event::Apply),
///         Trigger::new("evaluate", |_: &T, _: &JobContext| Ok::<_, String>(()))
///             .on(Event::Apply)
///             .depends_on("train")
///             .retries(3),
///     ]
/// }
/// ```
pub struct Trigger<T> {
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) requires: Vec<(String, Required<T>)>,
    pub(crate) retries: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) run: Run<T>,
}

impl<T> Trigger<T> {
    /// Creates a trigger without events. Its return value is dropped.
    pub fn new<O, E: Into<BoxError>>(
        name: impl Into<String>,
        run: impl Fn(&T, &JobContext) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self {
        Self::from_run(
            name.into(),
            Arc::new(move |component, job| match run(component, job) {
                Ok(_) => Ok(None),
                Err(error) => Err(error.into()),
            }),
        )
    }

    /// Creates a trigger that stores its return value as JSON, for jobs that depend on it.
    pub fn with_output<O: Serialize, E: Into<BoxError>>(
        name: impl Into<String>,
        run: impl Fn(&T, &JobContext) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self {
        Self::from_run(
            name.into(),
            Arc::new(move |component, job| {
                let output = run(component, job).map_err(Into::into)?;
                Ok(Some(serde_json::to_string(&output)?))
            }),
        )
    }

    fn from_run(name: String, run: Run<T>) -> Self {
        Self {
            name,
            events: Vec::new(),
            depends_on: Vec::new(),
            requires: Vec::new(),
            retries: 0,
            timeout: None,
            run,
        }
    }

    /// Adds an event.
    #[must_use]
    pub fn on(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Runs after `trigger` of the same type, if both run on the event.
    #[must_use]
    pub fn depends_on(mut self, trigger: impl Into<String>) -> Self {
        self.depends_on.push(trigger.into());
        self
    }

    /// Skips components for which `is_set` returns `false`; `field` is used in messages.
    #[must_use]
    pub fn requires(
        mut self,
        field: impl Into<String>,
        is_set: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.requires.push((field.into(), Arc::new(is_set)));
        self
    }

    /// Sets the maximum number of retries after a failure; 0 by default.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the timeout of one attempt; unlimited by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// A value that may be unset: the type of a field that a trigger may require.
#[diagnostic::on_unimplemented(
    message = "cannot require a field of type `{Self}`: it is always set",
    note = "`requires` needs an `Option`, a `bool`, text or a collection; implement `larder::jobs::IsSet` for your own type"
)]
pub trait IsSet {
    /// Returns `true` if the value is set.
    fn is_set(&self) -> bool;
}

impl<T> IsSet for Option<T> {
    fn is_set(&self) -> bool {
        self.is_some()
    }
}

impl IsSet for bool {
    fn is_set(&self) -> bool {
        *self
    }
}

impl<T: IsSet + ?Sized> IsSet for Box<T> {
    fn is_set(&self) -> bool {
        (**self).is_set()
    }
}

impl<T: IsSet + ?Sized> IsSet for Arc<T> {
    fn is_set(&self) -> bool {
        (**self).is_set()
    }
}

/// Always set, even if its value is empty.
impl<T, S> IsSet for Artifact<T, S> {
    fn is_set(&self) -> bool {
        true
    }
}

macro_rules! not_empty {
    ($(<$($of:ident),*> $type:ty),* $(,)?) => {
        $(impl<$($of),*> IsSet for $type {
            fn is_set(&self) -> bool {
                !self.is_empty()
            }
        })*
    };
}

not_empty! {
    <> str, <> String, <T> [T], <T> Vec<T>, <T> VecDeque<T>, <K, V> BTreeMap<K, V>, <T> BTreeSet<T>,
    <K, V, S> HashMap<K, V, S>, <T, S> HashSet<T, S>,
}
