//! Decisions: may this principal do this?

use std::fmt;
use std::sync::Arc;

use larder_core::store::{Action, TagName};
use larder_core::{Identifier, Reference, Selector};
use larder_search::Glob;

use crate::grants::Grant;
use crate::policy_set::Policies;
use crate::principal::Principal;
use crate::role::Role;
use crate::verdict::Verdict;

/// The target of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A name, with its versions, tags, annotations and jobs, or the deployment of that name.
    Name(Identifier),
    /// A tag of a name.
    Tag(Identifier, TagName),
    /// The larder as a whole: its garbage, its users.
    Larder,
    /// Some name, whichever: for requests that name blobs by their digest alone.
    Any,
}

impl Resource {
    /// The name, or the tag, of a reference.
    pub fn of(reference: &Reference) -> Self {
        let name = reference.identifier().clone();
        match reference.selector() {
            Selector::Tag(tag) => Self::Tag(name, tag.clone()),
            _ => Self::Name(name),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Tag(name, tag) => write!(f, "`{name}:{tag}`"),
            Self::Larder => f.write_str("the larder"),
            Self::Any => f.write_str("any name"),
        }
    }
}

/// The answer to a question of [`Rules::authorize`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may, by the named grant or policy.
    Allowed(String),
    /// It may not; the text says why.
    Denied(String),
}

impl Decision {
    /// Returns whether it may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The grant or the policy, or why it may not.
    pub fn because(&self) -> &str {
        match self {
            Self::Allowed(because) | Self::Denied(because) => because,
        }
    }
}

/// The grants and policies of a larder at one time.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    grants: Vec<Grant>,
    policies: Option<Arc<Policies>>,
}

impl Rules {
    pub(crate) fn new(grants: Vec<Grant>) -> Self {
        Self { grants, policies: None }
    }

    pub(crate) fn with_policies(self, policies: Option<Arc<Policies>>) -> Self {
        Self { policies, ..self }
    }

    /// Decides whether `principal` may do `action` to `resource`.
    ///
    /// A grant or a policy must allow it, no policy may forbid it, and the scopes of the token, if it has any, must cover it.
    /// A principal with `admin` on `*` may administer the larder even if a policy forbids it.
    pub fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
    ) -> Decision {
        let own = || self.grants_of(principal);
        let mut grant = own().find(|grant| covers(grant.role, &grant.names, action, resource));
        let because = match self.verdict(principal, action, resource) {
            Verdict::Forbidden(policy) => {
                grant = own().find(|grant| grant.role == Role::Admin && grant.names == "*");
                match grant.filter(|_| action == Action::Administer) {
                    Some(grant) => granted(grant),
                    None => {
                        let text =
                            format!("{policy} forbids {} to {action} {resource}", principal.name);
                        return Decision::Denied(text);
                    }
                }
            }
            verdict => match (grant, verdict) {
                (Some(grant), _) => granted(grant),
                (None, Verdict::Permitted(policy)) => policy,
                (None, _) => {
                    let text = format!("no grant lets {} {action} {resource}", principal.name);
                    return Decision::Denied(text);
                }
            },
        };
        let is_in_scope = principal.scopes.as_ref().is_none_or(|scopes| {
            scopes.iter().any(|scope| covers(scope.role, &scope.names, action, resource))
        });
        match is_in_scope {
            true => Decision::Allowed(because),
            false => Decision::Denied(format!("the token is not for this: {action} {resource}")),
        }
    }

    #[cfg(feature = "cedar")]
    fn verdict(&self, principal: &Principal, action: Action, resource: &Resource) -> Verdict {
        let policies = self.policies.as_ref();
        policies.map_or(Verdict::Silent, |it| it.decide(principal, action, resource))
    }

    #[cfg(not(feature = "cedar"))]
    fn verdict(&self, _: &Principal, _: Action, _: &Resource) -> Verdict {
        match self.policies.as_deref() {
            None => Verdict::Silent,
            Some(policies) => match *policies {},
        }
    }

    /// The grants that include a principal.
    pub fn grants_of<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a Grant> {
        self.grants.iter().filter(|grant| grant.subject.includes(principal))
    }

    /// The grants.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

fn granted(grant: &Grant) -> String {
    format!("grant {} to {} on {}", grant.role, grant.subject, grant.names)
}

fn covers(role: Role, names: &str, action: Action, resource: &Resource) -> bool {
    role.allows(action)
        && match resource {
            Resource::Name(name) | Resource::Tag(name, _) => {
                Glob::new(names).matches(name.as_str())
            }
            Resource::Larder => names == "*",
            Resource::Any => true,
        }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use larder_core::store::Timestamp;

    use super::*;
    use crate::grants::Subject;
    use crate::principal::PrincipalName;
    use crate::scope::Scope;

    fn principal(name: &str, groups: &[&str], scopes: Option<Vec<Scope>>) -> Principal {
        let groups = groups.iter().map(|it| PrincipalName::new(it).unwrap());
        let groups: BTreeSet<_> = groups.collect();
        Principal { name: PrincipalName::new(name).unwrap(), groups, token: None, scopes }
    }

    fn rules(grants: &[(&str, Role, &str)]) -> Rules {
        let grant = |(subject, role, names): &(&str, Role, &str)| Grant {
            subject: subject.parse().unwrap(),
            role: *role,
            names: (*names).to_owned(),
            created: Timestamp::new(std::time::SystemTime::UNIX_EPOCH),
        };
        Rules::new(grants.iter().map(grant).collect())
    }

    fn name(text: &str) -> Resource {
        Resource::Name(text.parse().unwrap())
    }

    #[test]
    fn what_nobody_granted_is_denied() {
        let ann = principal("ann", &[], None);
        for action in Action::ALL {
            for resource in [name("wine"), Resource::Larder, Resource::Any] {
                assert!(!rules(&[]).authorize(&ann, action, &resource).is_allowed());
            }
        }
    }

    #[test]
    fn a_grant_is_of_its_subject_its_role_and_its_names() {
        let rules = rules(&[
            ("user:ann", Role::Writer, "house/*"),
            ("group:ml", Role::Viewer, "*"),
            ("everyone", Role::User, "public/*"),
        ]);
        let (ann, ben) = (principal("ann", &[], None), principal("ben", &["ml"], None));
        let may = |who: &Principal, action, on: &str| {
            rules.authorize(who, action, &name(on)).is_allowed()
        };
        assert!(may(&ann, Action::Write, "house/price"));
        assert!(!may(&ann, Action::Write, "house"));
        assert!(!may(&ann, Action::Deploy, "house/price"));
        assert!(!may(&ann, Action::Read, "wine"));
        assert!(may(&ben, Action::Read, "wine") && !may(&ben, Action::Predict, "wine"));
        assert!(
            may(&ann, Action::Predict, "public/echo") && may(&ben, Action::Predict, "public/echo")
        );
        // A name is neither a user nor a group of the same text.
        assert!(!may(&principal("ml", &["ann"], None), Action::Read, "wine"));
    }

    #[test]
    fn the_whole_larder_needs_the_pattern_of_everything() {
        let rules = rules(&[("user:ann", Role::Admin, "h*"), ("user:ben", Role::Operator, "*")]);
        let may = |who: &str, action| {
            rules.authorize(&principal(who, &[], None), action, &Resource::Larder).is_allowed()
        };
        assert!(!may("ann", Action::Administer) && !may("ann", Action::Maintain));
        assert!(may("ben", Action::Maintain) && !may("ben", Action::Administer));
    }

    #[test]
    fn scopes_only_narrow() {
        let rules = rules(&[("user:ann", Role::Writer, "house/*")]);
        let scope = |role, names: &str| Some(vec![Scope { role, names: names.to_owned() }]);
        let ann = |scopes| principal("ann", &[], scopes);
        let may = |who: &Principal, action, on: &str| {
            rules.authorize(who, action, &name(on)).is_allowed()
        };
        let reader = ann(scope(Role::Viewer, "*"));
        assert!(may(&reader, Action::Read, "house/price"));
        assert!(!may(&reader, Action::Write, "house/price"));
        let admin = ann(scope(Role::Admin, "*"));
        assert!(
            !may(&admin, Action::Administer, "house/price") && !may(&admin, Action::Read, "wine")
        );
        let nothing = ann(Some(Vec::new()));
        assert!(!may(&nothing, Action::Read, "house/price"));
    }

    #[test]
    fn a_decision_says_why() {
        let rules = rules(&[("group:ml", Role::User, "house/*")]);
        let ann = principal("ann", &["ml"], None);
        let allowed = rules.authorize(&ann, Action::Predict, &name("house/price"));
        assert_eq!(allowed.because(), "grant user to group:ml on house/*");
        let denied = rules.authorize(&ann, Action::Write, &name("house/price"));
        assert_eq!(denied.because(), "no grant lets ann write `house/price`");
        let _ = Subject::Everyone;
    }
}
