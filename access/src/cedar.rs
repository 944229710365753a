//! Policies in the language Cedar: the schema of a larder, and decisions.
//!
//! A user is `User::"ann"`, in the `Group::"…"` of its membership. A name is `Name::"house/price"`, in `Name::"house"`, which is in
//! `Larder::"larder"`, the larder as a whole.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::OnceLock;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Request, Response, RestrictedExpression,
    Schema, ValidationMode, Validator,
};
use larder_core::store::Action;
use larder_core::{Error, Result};

use crate::principal::Principal;
use crate::rules::Resource;
use crate::verdict::Verdict;

/// The entity of the larder as a whole.
const LARDER: &str = "larder";
/// A name that no policy names: it stands for all others.
const OTHER: &str = "a-name-that-nobody-uses";

/// Policies that can be asked.
pub(crate) struct Policies {
    /// The number of their version; 0 for a text that is not kept.
    number: u64,
    set: PolicySet,
    /// The names that they name, and one that stands for the others: for requests that name none.
    names: Vec<String>,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policies(version {})", self.number)
    }
}

impl Policies {
    /// Reads policies, and checks them against the schema. `None` if there are none.
    pub(crate) fn parse(number: u64, text: &str) -> Result<Option<Self>> {
        let refused = |reason: String| Error::Refused { action: "use the policies".into(), reason };
        let set: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| {
            refused(error.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        if set.num_of_templates() > 0 {
            return Err(refused("templates have no values here: write a policy for each".into()));
        }
        let result = Validator::new(schema()?.clone()).validate(&set, ValidationMode::Strict);
        if !result.validation_passed() {
            let errors = result.validation_errors().map(ToString::to_string);
            return Err(refused(errors.collect::<Vec<_>>().join("; ")));
        }
        let literals = set.policies().flat_map(cedar_policy::Policy::entity_literals);
        let names = literals
            .filter(|uid| uid.type_name().to_string() == "Name")
            .map(|uid| uid.id().unescaped().to_owned());
        let names: BTreeSet<String> = names.chain([OTHER.to_owned()]).collect();
        let is_empty = set.policies().next().is_none();
        Ok((!is_empty).then(|| Self { number, set, names: names.into_iter().collect() }))
    }

    /// Decides.
    pub(crate) fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
    ) -> Verdict {
        let ask = |name: Option<&str>, tag: Option<&str>| {
            // Whatever cannot be asked is not allowed.
            self.ask(principal, action, name, tag).unwrap_or_else(|reason| {
                Verdict::Forbidden(format!("the policies, which cannot be asked: {reason}"))
            })
        };
        match resource {
            Resource::Name(name) => ask(Some(name.as_str()), None),
            Resource::Tag(name, tag) => ask(Some(name.as_str()), Some(tag.as_str())),
            Resource::Larder => ask(None, None),
            // Allowed if it is for some name.
            Resource::Any => {
                let mut verdict = None;
                for name in &self.names {
                    match (ask(Some(name), None), verdict.take()) {
                        (Verdict::Permitted(by), _) => return Verdict::Permitted(by),
                        (Verdict::Silent, _) | (_, Some(Verdict::Silent)) => {
                            verdict = Some(Verdict::Silent);
                        }
                        (forbidden, _) => verdict = Some(forbidden),
                    }
                }
                verdict.unwrap_or(Verdict::Silent)
            }
        }
    }

    fn ask(
        &self,
        principal: &Principal,
        action: Action,
        name: Option<&str>,
        tag: Option<&str>,
    ) -> std::result::Result<Verdict, String> {
        let user = uid("User", principal.name.as_str())?;
        let groups: HashSet<EntityUid> = principal
            .groups
            .iter()
            .map(|group| uid("Group", group.as_str()))
            .collect::<std::result::Result<_, _>>()?;
        let mut entities = vec![Entity::new_no_attrs(user.clone(), groups)];
        let larder = uid("Larder", LARDER)?;
        let resource = match name {
            None => larder,
            Some(name) => {
                let mut child = uid("Name", name)?;
                let own = child.clone();
                let mut path = name;
                while let Some((parent, _)) = path.rsplit_once('/') {
                    let above = uid("Name", parent)?;
                    entities.push(Entity::new_no_attrs(child, HashSet::from([above.clone()])));
                    (child, path) = (above, parent);
                }
                entities.push(Entity::new_no_attrs(child, HashSet::from([larder])));
                own
            }
        };
        let entities = Entities::from_entities(entities, None).map_err(|it| it.to_string())?;
        let pairs = [("token", principal.token.as_deref()), ("tag", tag)];
        let pairs = pairs.into_iter().filter_map(|(key, value)| {
            Some((key.to_owned(), RestrictedExpression::new_string(value?.to_owned())))
        });
        let context = Context::from_pairs(pairs).map_err(|it| it.to_string())?;
        let action = uid("Action", action.as_str())?;
        let request = Request::new(user, action, resource, context, None);
        let request = request.map_err(|it| it.to_string())?;
        Ok(self.verdict(&Authorizer::new().is_authorized(&request, &self.set, &entities)))
    }

    fn verdict(&self, response: &Response) -> Verdict {
        // A policy that forbids, and fails, could have forbidden it.
        let failed = response.diagnostics().errors().find_map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            let policy = self.set.policy(error.policy_id())?;
            (policy.effect() == Effect::Forbid).then(|| error.policy_id())
        });
        if let Some(id) = failed {
            return Verdict::Forbidden(format!("{}, which failed", self.shown(id)));
        }
        let mut by: Vec<String> =
            response.diagnostics().reason().map(|id| self.shown(id)).collect();
        by.sort_unstable();
        match (response.decision(), by.is_empty()) {
            (Decision::Allow, _) => Verdict::Permitted(by.join(" and ")),
            (Decision::Deny, false) => Verdict::Forbidden(by.join(" and ")),
            (Decision::Deny, true) => Verdict::Silent,
        }
    }

    /// The name of a policy: its annotation `@id`, or its place in the text from 1.
    fn shown(&self, id: &PolicyId) -> String {
        let place = || {
            let text: &str = id.as_ref();
            let place = text.strip_prefix("policy").and_then(|at| at.parse::<usize>().ok());
            place.map_or_else(|| text.to_owned(), |at| (at + 1).to_string())
        };
        let name = self.set.policy(id).and_then(|policy| policy.annotation("id"));
        let name = name.map_or_else(place, ToOwned::to_owned);
        match self.number {
            0 => format!("policy {name}"),
            number => format!("policy {name} of version {number}"),
        }
    }
}

fn uid(kind: &str, id: &str) -> std::result::Result<EntityUid, String> {
    let kind: EntityTypeName =
        kind.parse().map_err(|it: cedar_policy::ParseErrors| it.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// The schema of a larder.
pub(crate) fn schema_text() -> String {
    let actions = Action::ALL.map(|action| format!("\"{action}\"")).join(", ");
    format!(
        "entity Group;\nentity User in [Group];\nentity Larder;\nentity Name in [Name, Larder];\n\
         action {actions} appliesTo {{\n  principal: [User],\n  resource: [Name, Larder],\n  \
         context: {{ token?: String, tag?: String }},\n}};\n"
    )
}

fn schema() -> Result<&'static Schema> {
    static SCHEMA: OnceLock<std::result::Result<Schema, String>> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema = Schema::from_cedarschema_str(&schema_text());
        schema.map(|(schema, _)| schema).map_err(|error| error.to_string())
    });
    schema.as_ref().map_err(|error| Error::internal(format!("the schema of policies: {error}")))
}

#[cfg(test)]
#[path = "cedar_tests.rs"]
mod tests;
