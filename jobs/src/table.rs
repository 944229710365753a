//! The validated, type-erased triggers of a component type.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_core::{BoxError, Component, ComponentType, Error, Result};

use crate::MAX_JOBS;
use crate::context::JobContext;
use crate::cron::Schedule;
use crate::event::Event;
use crate::trigger::Trigger;

/// The triggers of a component type.
#[derive(Clone)]
pub struct TriggerTable {
    type_tag: &'static str,
    rust_type: &'static str,
    /// Dependencies first, otherwise in declaration order.
    entries: Arc<[TriggerEntry]>,
}

/// A trigger of a component type.
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

/// A required field.
pub(crate) struct Requirement {
    pub(crate) field: String,
    pub(crate) is_set: ErasedTest,
}

type ErasedTest = Box<dyn Fn(&dyn Component) -> bool + Send + Sync>;

impl TriggerEntry {
    /// Returns the name, which is the method's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the events on which it runs.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Returns the triggers that must succeed first, where they run on the same event.
    pub fn depends_on(&self) -> &[String] {
        &self.depends_on
    }

    /// Returns the fields that must be set; otherwise the trigger is skipped.
    pub fn requires(&self) -> impl Iterator<Item = &str> {
        self.requires.iter().map(|requirement| requirement.field.as_str())
    }

    /// Returns the first required field that is not set.
    pub fn unmet(&self, component: &dyn Component) -> Option<&str> {
        let unmet = self.requires.iter().find(|requirement| !(requirement.is_set)(component));
        unmet.map(|requirement| requirement.field.as_str())
    }

    /// Returns the maximum number of retries after a failure.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// Returns the timeout of one attempt.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

impl TriggerTable {
    /// Validates the triggers of a type and orders them, dependencies first.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a duplicate name, a dependency that is unknown or never runs on the same event, or a
    /// cycle, which the error lists.
    pub fn new<T: ComponentType>(triggers: Vec<Trigger<T>>) -> Result<Self> {
        let refused = |name: &str, reason: String| {
            Err(Error::invalid("trigger", name, format!("{reason} (type `{}`)", T::TAG)))
        };
        if triggers.len() > MAX_JOBS {
            return refused("…", format!("a type has at most {MAX_JOBS} triggers"));
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
                        format!("it depends on `{needed}`, which does not exist"),
                    );
                };
                if !needed.events.iter().any(|event| trigger.events.contains(event)) {
                    let needed = &needed.name;
                    let reason = format!("it depends on `{needed}`, but they share no event");
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
        let order = match topological_order(&needs) {
            Ok(order) => order,
            Err(cycle) => {
                let cycle: Vec<_> = cycle.iter().map(|at| format!("`{}`", names[*at])).collect();
                return refused(&names[0], format!("dependency cycle: {}", cycle.join(" -> ")));
            }
        };
        let mut triggers: Vec<_> = triggers.into_iter().map(Some).collect();
        let entries = order.into_iter().filter_map(|at| triggers[at].take()).map(erase).collect();
        Ok(Self { type_tag: T::TAG, rust_type: type_name::<T>(), entries })
    }

    /// Returns the type tag.
    pub fn type_tag(&self) -> &'static str {
        self.type_tag
    }

    pub(crate) fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// Returns the triggers, dependencies first.
    pub fn entries(&self) -> &[TriggerEntry] {
        &self.entries
    }

    /// Returns the triggers that run on `event`, dependencies first.
    pub fn on<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a TriggerEntry> + 'a {
        self.entries.iter().filter(move |entry| entry.events.contains(event))
    }

    /// Returns the trigger `name`.
    pub fn find(&self, name: &str) -> Option<&TriggerEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Returns the distinct schedules.
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

/// Erases the component type. The registry only passes components of type `T`.
fn erase<T: ComponentType>(trigger: Trigger<T>) -> TriggerEntry {
    let Trigger { name, events, depends_on, requires, retries, timeout, run } = trigger;
    let requires = requires.into_iter().map(|(field, is_set)| Requirement {
        field,
        is_set: Box::new(move |component| {
            typed(component).is_none_or(|component| is_set(component))
        }),
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
            None => Err(format!("the component is not a `{}`", type_name::<T>()).into()),
        }),
    }
}

fn typed<T: ComponentType>(component: &dyn Component) -> Option<&T> {
    (component as &dyn Any).downcast_ref()
}

/// Returns a stable topological order, or a cycle.
fn topological_order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(needs.len());
    let mut placed = vec![false; needs.len()];
    // The current path: each node is needed by the one before it, with the number of its needs visited.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for first in 0..needs.len() {
        if placed[first] {
            continue;
        }
        path.push((first, 0));
        while let Some((at, visited)) = path.last_mut() {
            let at = *at;
            match needs[at].get(*visited) {
                Some(&needed) => {
                    *visited += 1;
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
    fn orders_dependencies_first_and_is_stable() {
        assert_eq!(topological_order(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(topological_order(&[vec![2], vec![0], vec![]]), Ok(vec![2, 0, 1]));
        assert_eq!(
            topological_order(&[vec![1, 2], vec![3], vec![3], vec![]]),
            Ok(vec![3, 1, 2, 0])
        );
    }

    #[test]
    fn returns_the_whole_cycle() {
        assert_eq!(topological_order(&[vec![0]]), Err(vec![0, 0]));
        assert_eq!(topological_order(&[vec![1], vec![2], vec![3], vec![1]]), Err(vec![1, 2, 3, 1]));
    }
}
