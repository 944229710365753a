//! Decisions: may this principal do this?

use std::fmt;

use larder_core::Identifier;
use larder_core::store::Action;
use larder_search::Glob;

use crate::grants::Grant;
use crate::principal::Principal;
use crate::role::Role;

/// The target of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A name, with its versions, tags, annotations and jobs, or the deployment of that name.
    Name(Identifier),
    /// The larder as a whole: its garbage, its users.
    Larder,
    /// Some name, whichever: for requests that name blobs by their digest alone.
    Any,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Larder => f.write_str("the larder"),
            Self::Any => f.write_str("any name"),
        }
    }
}

/// The answer to a question of [`Rules::authorize`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may, by the named grant.
    Allowed(String),
    /// It may not; the text says why.
    Denied(String),
}

impl Decision {
    /// Returns whether it may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The grant, or why there is none.
    pub fn because(&self) -> &str {
        match self {
            Self::Allowed(because) | Self::Denied(because) => because,
        }
    }
}

/// The grants of a larder at one time.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    grants: Vec<Grant>,
}

impl Rules {
    pub(crate) fn new(grants: Vec<Grant>) -> Self {
        Self { grants }
    }

    /// Decides whether `principal` may do `action` to `resource`.
    ///
    /// A grant must allow it, and so must the scopes of the token, if it has any.
    pub fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
    ) -> Decision {
        let grant = self.grants.iter().find(|grant| {
            grant.subject.includes(principal) && covers(grant.role, &grant.names, action, resource)
        });
        let Some(grant) = grant else {
            return Decision::Denied(format!(
                "no grant lets {} {action} {resource}",
                principal.name
            ));
        };
        let is_in_scope = principal.scopes.as_ref().is_none_or(|scopes| {
            scopes.iter().any(|scope| covers(scope.role, &scope.names, action, resource))
        });
        if !is_in_scope {
            return Decision::Denied(format!("the token is not for this: {action} {resource}"));
        }
        Decision::Allowed(format!("grant {} to {} on {}", grant.role, grant.subject, grant.names))
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

fn covers(role: Role, names: &str, action: Action, resource: &Resource) -> bool {
    role.allows(action)
        && match resource {
            Resource::Name(name) => Glob::new(names).matches(name.as_str()),
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
    use crate::tokens::Scope;

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
