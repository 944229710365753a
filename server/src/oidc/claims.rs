//! From what a token says to a user of the larder and its groups.

use std::collections::BTreeSet;

use larder_access::{Identity, PrincipalName, SignIn};
use serde_json::Value;

use super::jwt::Claims;
use super::options::OidcOptions;
use crate::failure::Failure;

/// The maximum number of groups that are looked up.
const MOST_GROUPS: usize = 1_000;

/// Returns who signs in.
pub(super) fn sign_in(claims: &Claims, options: &OidcOptions) -> Result<SignIn, Failure> {
    let subject = match claims.get("sub") {
        Some(Value::String(subject)) if (1..=255).contains(&subject.len()) => subject.clone(),
        _ => return Err(Failure::unauthorized("cannot sign in: the token names nobody")),
    };
    let identity = Identity { issuer: options.issuer.clone(), subject };
    let (name, create) = (name(claims, options)?, options.create_users);
    Ok(SignIn { name, identity, groups: groups(claims, &options.groups_claim), create })
}

/// Returns whether the claims that are needed are there.
pub(super) fn is_complete(claims: &Claims, options: &OidcOptions) -> bool {
    options.user_claims().iter().any(|claim| claims.contains_key(*claim))
        && at(claims, &options.groups_claim).is_some()
}

fn name(claims: &Claims, options: &OidcOptions) -> Result<PrincipalName, Failure> {
    let known = options.user_claims();
    let found = known.iter().find_map(|claim| Some((*claim, claims.get(*claim)?.as_str()?)));
    let Some((claim, text)) = found else {
        let message = format!("cannot sign in: the token has no claim {}", known.join(" or "));
        return Err(Failure::unauthorized(message));
    };
    let is_unverified = claims
        .get("email_verified")
        .is_some_and(|it| *it == Value::Bool(false) || it.as_str() == Some("false"));
    if claim == "email" && is_unverified {
        let message = "cannot sign in: the provider has not verified the e-mail address";
        return Err(Failure::unauthorized(message));
    }
    PrincipalName::new(&plain(text)).map_err(|_| {
        Failure::unauthorized(format!("cannot sign in: the claim {claim} is no name of a user"))
    })
}

/// Maps a text to the alphabet of names: small letters, and `-` for each other character that names do not have.
fn plain(text: &str) -> String {
    let mapped = text.to_lowercase();
    let is_kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(*c);
    mapped.chars().map(|c| if is_kept(&c) { c } else { '-' }).collect()
}

/// Returns the groups that a token lists. Other texts are left out.
fn groups(claims: &Claims, claim: &str) -> BTreeSet<PrincipalName> {
    let texts: Vec<&str> = match at(claims, claim) {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(group)) => vec![group],
        _ => Vec::new(),
    };
    // Some providers begin the path of a group with `/`.
    let name = |text: &str| {
        PrincipalName::new(&text.strip_prefix('/').unwrap_or(text).to_lowercase()).ok()
    };
    texts.into_iter().take(MOST_GROUPS).filter_map(name).collect()
}

/// Returns a claim, or what a path such as `realm_access.roles` leads to.
fn at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    fn options() -> OidcOptions {
        OidcOptions::new("https://id", "larder")
    }

    #[test]
    fn an_address_becomes_a_name() {
        let claims = claims(json!({ "sub": "7", "email": "Ann+X@Example.com", "groups": [] }));
        let signed_in = sign_in(&claims, &options()).unwrap();
        assert_eq!(signed_in.name.as_str(), "ann-x-example.com");
        assert_eq!(signed_in.identity.subject, "7");
        assert!(!signed_in.create && is_complete(&claims, &options()));
    }

    #[test]
    fn the_first_claim_that_is_there_names_the_user() {
        let options = options().user_claim("preferred_username").user_claim("client_id");
        let name = |value: Value| sign_in(&claims(value), &options).map(|it| it.name.to_string());
        let both = json!({ "sub": "7", "preferred_username": "Ann", "client_id": "shop" });
        assert_eq!(name(both).unwrap(), "ann");
        assert_eq!(name(json!({ "sub": "7", "client_id": "shop" })).unwrap(), "shop");
        for bad in [
            json!({ "sub": "7", "email": "ann@example.com" }),
            json!({ "sub": "7", "client_id": "" }),
            json!({ "sub": "7", "client_id": "é" }),
            json!({ "sub": "7", "client_id": "x".repeat(65) }),
            json!({ "sub": "7", "client_id": 7 }),
            json!({ "sub": "", "client_id": "shop" }),
            json!({ "client_id": "shop" }),
        ] {
            assert!(name(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_nobody_verified_names_nobody() {
        for unverified in [json!(false), json!("false")] {
            let value = json!({ "sub": "7", "email": "a@b.c", "email_verified": unverified });
            assert!(sign_in(&claims(value), &options()).is_err());
        }
        let verified = json!({ "sub": "7", "email": "a@b.c", "email_verified": true });
        assert!(sign_in(&claims(verified), &options()).is_ok());
    }

    #[test]
    fn groups_are_a_list_a_text_or_behind_a_path() {
        let names = |value: Value, claim: &str| {
            groups(&claims(value), claim).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let list = json!({ "groups": ["ML", "/ops", "no group", 7, "-x", ""] });
        assert_eq!(names(list, "groups"), ["ml", "ops"]);
        assert_eq!(names(json!({ "groups": "ml" }), "groups"), ["ml"]);
        let deep = json!({ "realm_access": { "roles": ["ml"] }, "https://x.y/g": ["ops"] });
        assert_eq!(names(deep.clone(), "realm_access.roles"), ["ml"]);
        assert_eq!(names(deep.clone(), "https://x.y/g"), ["ops"]);
        assert!(names(deep, "groups").is_empty());
    }
}
