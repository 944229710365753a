//! The triggers of a type as its registry holds them: checked, in order, and without the type.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::MOST_JOBS;
use crate::context::JobContext;
use crate::cron::Schedule;
use crate::trigger::Trigger;
use larder_core::store::EventName;
use larder_core::{BoxError, Component, ComponentType, Error, Result};

/// What happens to a version, so that its triggers run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It was written, and is ready.
    Apply,
    /// It was removed.
    Remove,
    /// A time has come; the newest version of a name is meant.
    Cron(Schedule),
    /// Somebody fired an event of this name: [`Larder::fire`](crate::Larder::fire).
    Custom(EventName),
}

impl Event {
    /// A schedule: see [`Schedule`].
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn cron(schedule: &str) -> Result<Self> {
        Schedule::new(schedule).map(Self::Cron)
    }

    /// An event of one's own.
    ///
    /// # Errors
    /// As [`EventName::new`].
    pub fn custom(name: &str) -> Result<Self> {
        EventName::new(name).map(Self::Custom)
    }
}

/// As records have it: `apply`, `remove`, `cron(0 3 * * *)`, or a name.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Remove => f.write_str("remove"),
            Self::Cron(schedule) => write!(f, "cron({schedule})"),
            Self::Custom(name) => name.fmt(f),
        }
    }
}

/// The triggers of a component type.
#[derive(Clone)]
pub struct TriggerTable {
    type_tag: &'static str,
    rust_type: &'static str,
    /// Dependencies first; else in the order of the code.
    entries: Arc<[TriggerEntry]>,
}

/// One trigger of a type.
pub struct TriggerEntry {
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) retries: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) run: ErasedRun,
}

type ErasedRun =
    Box<dyn Fn(&dyn Component, &JobContext) -> Result<Option<String>, BoxError> + Send + Sync>;

/// A field, and whether it is set.
pub(crate) struct Requirement {
    pub(crate) field: String,
    pub(crate) is_set: ErasedTest,
}

type ErasedTest = Box<dyn Fn(&dyn Component) -> bool + Send + Sync>;

impl TriggerEntry {
    /// Its name: that of the method.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it runs on.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The triggers that it runs after, if they run on the same event.
    pub fn depends_on(&self) -> &[String] {
        &self.depends_on
    }

    /// The fields that must be set, so that it is not skipped.
    pub fn requires(&self) -> impl Iterator<Item = &str> {
        self.requires.iter().map(|requirement| requirement.field.as_str())
    }

    /// The first field that must be set and is not.
    pub fn unmet(&self, component: &dyn Component) -> Option<&str> {
        let unmet = self.requires.iter().find(|requirement| !(requirement.is_set)(component));
        unmet.map(|requirement| requirement.field.as_str())
    }

    /// How often it is tried again after a failure.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// How long it may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

impl TriggerTable {
    /// Checks the triggers of a type, and puts dependencies first.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for two triggers of one name, a dependency that is none of them or never runs on the
    /// same event, or a cycle, which it prints.
    pub fn new<T: ComponentType>(triggers: Vec<Trigger<T>>) -> Result<Self> {
        let refused = |name: &str, reason: String| {
            Err(Error::invalid("trigger", name, format!("{reason} (of the type `{}`)", T::TAG)))
        };
        if triggers.len() > MOST_JOBS {
            return refused("…", format!("there are more than {MOST_JOBS}"));
        }
        for (at, trigger) in triggers.iter().enumerate() {
            let find = |name: &String| triggers.iter().find(|other| other.name == *name);
            if trigger.name.is_empty() || trigger.name.len() > 200 {
                return refused(&trigger.name, "a name has 1 to 200 bytes".into());
            }
            if triggers[..at].iter().any(|other| other.name == trigger.name) {
                return refused(&trigger.name, "another trigger has this name".into());
            }
            for needed in &trigger.depends_on {
                let Some(needed) = find(needed) else {
                    return refused(
                        &trigger.name,
                        format!("it depends on `{needed}`, which is none"),
                    );
                };
                if !needed.events.iter().any(|event| trigger.events.contains(event)) {
                    let needed = &needed.name;
                    let reason = format!("it depends on `{needed}`, but both run on no event");
                    return refused(&trigger.name, reason);
                }
            }
        }
        let names: Vec<_> = triggers.iter().map(|trigger| trigger.name.clone()).collect();
        let needs: Vec<Vec<usize>> = triggers
            .iter()
            .map(|trigger| {
                let place = |needed| names.iter().position(|name| name == needed);
                trigger.depends_on.iter().filter_map(place).collect()
            })
            .collect();
        let order = match in_order(&needs) {
            Ok(order) => order,
            Err(cycle) => {
                let cycle: Vec<_> = cycle.iter().map(|at| format!("`{}`", names[*at])).collect();
                return refused(&names[0], format!("there is a cycle: {}", cycle.join(" -> ")));
            }
        };
        let mut triggers: Vec<_> = triggers.into_iter().map(Some).collect();
        let entries = order.into_iter().filter_map(|at| triggers[at].take()).map(erase).collect();
        Ok(Self { type_tag: T::TAG, rust_type: type_name::<T>(), entries })
    }

    /// The tag of the type.
    pub fn type_tag(&self) -> &'static str {
        self.type_tag
    }

    pub(crate) fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// The triggers, dependencies first.
    pub fn entries(&self) -> &[TriggerEntry] {
        &self.entries
    }

    /// Those that run on an event, dependencies first.
    pub fn on<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a TriggerEntry> + 'a {
        self.entries.iter().filter(move |entry| entry.events.contains(event))
    }

    /// The trigger of a name.
    pub fn find(&self, name: &str) -> Option<&TriggerEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Its schedules, each once.
    pub(crate) fn schedules(&self) -> Vec<&Schedule> {
        let mut schedules: Vec<&Schedule> = Vec::new();
        for event in self.entries.iter().flat_map(|entry| &entry.events) {
            if let Event::Cron(schedule) = event
                && !schedules.contains(&schedule)
            {
                schedules.push(schedule);
            }
        }
        schedules
    }
}

impl fmt::Debug for TriggerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|entry| &entry.name);
        write!(f, "Triggers({} has ", self.type_tag)?;
        f.debug_list().entries(names).finish()?;
        f.write_str(")")
    }
}

/// The same trigger for a component of whatever type; of another type than `T` there never is one.
fn erase<T: ComponentType>(trigger: Trigger<T>) -> TriggerEntry {
    let Trigger { name, events, depends_on, requires, retries, timeout, run } = trigger;
    let requires = requires.into_iter().map(|(field, is_set)| Requirement {
        field,
        is_set: Box::new(move |component| typed(component).is_none_or(|it| is_set(it))),
    });
    TriggerEntry {
        name,
        events,
        depends_on,
        requires: requires.collect(),
        retries,
        timeout,
        run: Box::new(move |component, job| match typed(component) {
            Some(it) => run(it, job),
            None => Err(format!("it is no `{}`", type_name::<T>()).into()),
        }),
    }
}

fn typed<T: ComponentType>(component: &dyn Component) -> Option<&T> {
    (component as &dyn Any).downcast_ref()
}

/// An order in which each stands after those that it needs, and else where it stood; or a cycle.
fn in_order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(needs.len());
    let mut placed = vec![false; needs.len()];
    // Those that are being placed, each needed by the one before it; how many of its needs were looked at.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for first in 0..needs.len() {
        if placed[first] {
            continue;
        }
        path.push((first, 0));
        while let Some((at, looked_at)) = path.last_mut() {
            let at = *at;
            match needs[at].get(*looked_at) {
                Some(&needed) => {
                    *looked_at += 1;
                    if let Some(begin) = path.iter().position(|(on_path, _)| *on_path == needed) {
                        let cycle = path[begin..].iter().map(|(on_path, _)| *on_path);
                        return Err(cycle.chain([needed]).collect());
                    }
                    if !placed[needed] {
                        path.push((needed, 0));
                    }
                }
                None => {
                    placed[at] = true;
                    order.push(at);
                    path.pop();
                }
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_after_what_it_needs_and_else_where_it_stood() {
        assert_eq!(in_order(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(in_order(&[vec![2], vec![0], vec![]]), Ok(vec![2, 0, 1]));
        assert_eq!(in_order(&[vec![1, 2], vec![3], vec![3], vec![]]), Ok(vec![3, 1, 2, 0]));
    }

    #[test]
    fn a_cycle_is_told_whole() {
        assert_eq!(in_order(&[vec![0]]), Err(vec![0, 0]));
        assert_eq!(in_order(&[vec![1], vec![2], vec![3], vec![1]]), Err(vec![1, 2, 3, 1]));
    }
}
