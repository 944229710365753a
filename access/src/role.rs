//! Roles: the sets of actions that are granted together.

use std::fmt;
use std::str::FromStr;

use larder_core::store::Action;
use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A set of actions. Each role may do what the one before it may, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also asks models for predictions.
    User,
    /// Also applies and removes versions, sets tags and annotations, and runs jobs.
    Writer,
    /// Also deploys, and collects garbage.
    Operator,
    /// Also changes users, groups, tokens and grants.
    Admin,
}

impl Role {
    /// Every role, from the one that may do least.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::User, Self::Writer, Self::Operator, Self::Admin];

    /// The name, such as `viewer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::User => "user",
            Self::Writer => "writer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Returns whether the role has an action. An action that no role is known to have needs `admin`.
    pub fn allows(self, action: Action) -> bool {
        let least = match action {
            Action::Read => Self::Viewer,
            Action::Predict => Self::User,
            Action::Write | Action::Tag | Action::Annotate | Action::Run => Self::Writer,
            Action::Deploy | Action::Maintain => Self::Operator,
            _ => Self::Admin,
        };
        self >= least
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("role", text, format!("the roles are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_more_than_the_one_before() {
        let counts = Role::ALL
            .map(|role| Action::ALL.into_iter().filter(|action| role.allows(*action)).count());
        assert_eq!(counts, [1, 2, 6, 8, 9]);
    }
}
