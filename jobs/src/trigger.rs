//! Triggers, as the code of a component type states them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::context::JobContext;
use crate::table::Event;
use larder_core::{Artifact, BoxError, ComponentType};

/// A type whose methods run when something happens to its components.
///
/// Implemented by `#[triggers]` on an `impl` block.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no triggers",
    note = "write `#[triggers] impl {Self} {{ … }}`, and `#[trigger(apply)]` on a method"
)]
pub trait Triggers: ComponentType {
    /// Its triggers, in the order in which they stand in the code.
    fn triggers() -> Vec<Trigger<Self>>;
}

/// What runs, on whatever the method makes of it.
pub(crate) type Run<T> =
    Arc<dyn Fn(&T, &JobContext) -> Result<Option<String>, BoxError> + Send + Sync>;
pub(crate) type Required<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

/// A piece of code that runs on events.
///
/// `#[triggers]` makes them of methods. In code they are data:
///
/// ```
/// use larder_core::{Component, ComponentType, Event, JobContext, Trigger};
///
/// fn triggers<T: ComponentType>() -> Vec<Trigger<T>> {
///     vec![
///         Trigger::new("start", |_: &T, job: &JobContext| {
///             job.log("it begins");
///             Ok::<_, String>(())
///         })
///         .on(Event::Apply),
///         Trigger::new("go", |_: &T, _: &JobContext| Ok::<_, String>(()))
///             .on(Event::Apply)
///             .depends_on("start")
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
    /// A trigger without events, to be called `name`. What the code returns is dropped.
    pub fn new<O, E: Into<BoxError>>(
        name: impl Into<String>,
        run: impl Fn(&T, &JobContext) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self {
        Self::made(
            name.into(),
            Arc::new(move |it, job| match run(it, job) {
                Ok(_) => Ok(None),
                Err(error) => Err(error.into()),
            }),
        )
    }

    /// The same, which keeps what the code returns, as JSON, for jobs that depend on it.
    pub fn with_output<O: Serialize, E: Into<BoxError>>(
        name: impl Into<String>,
        run: impl Fn(&T, &JobContext) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self {
        Self::made(
            name.into(),
            Arc::new(move |it, job| {
                let output = run(it, job).map_err(Into::into)?;
                Ok(Some(serde_json::to_string(&output)?))
            }),
        )
    }

    fn made(name: String, run: Run<T>) -> Self {
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

    /// It runs on this event too.
    #[must_use]
    pub fn on(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// It runs after another trigger of the same type, if both run on the event.
    #[must_use]
    pub fn depends_on(mut self, trigger: impl Into<String>) -> Self {
        self.depends_on.push(trigger.into());
        self
    }

    /// It is skipped for components for which this is not so; `field` is for people.
    #[must_use]
    pub fn requires(
        mut self,
        field: impl Into<String>,
        is_set: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.requires.push((field.into(), Arc::new(is_set)));
        self
    }

    /// How often it is tried again after a failure; never without it.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long it may take; as long as it likes without it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// What can be set or not: the fields that a trigger may require.
#[diagnostic::on_unimplemented(
    message = "cannot require a field of type `{Self}`: it is always set",
    note = "`requires` works with `Option`, strings and collections; implement `larder::jobs::IsSet` for a type of \
            your own"
)]
pub trait IsSet {
    /// Whether it is.
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

/// It holds a value; whether that one is empty is not looked at.
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
