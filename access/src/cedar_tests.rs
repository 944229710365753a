#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use larder_core::store::Timestamp;

use super::*;
use crate::grants::Grant;
use crate::principal::PrincipalName;
use crate::role::Role;
use crate::rules::Rules;
use crate::scope::Scope;

fn principal(name: &str, groups: &[&str]) -> Principal {
    let groups = groups.iter().map(|it| PrincipalName::new(it).unwrap()).collect();
    let (token, scopes) = (Some("0123".to_owned()), None);
    Principal { name: PrincipalName::new(name).unwrap(), groups, token, scopes }
}

fn rules(grants: &[(&str, Role, &str)], policies: &str) -> Rules {
    let grant = |(subject, role, names): &(&str, Role, &str)| Grant {
        subject: subject.parse().unwrap(),
        role: *role,
        names: (*names).to_owned(),
        created: Timestamp::new(std::time::SystemTime::UNIX_EPOCH),
    };
    let policies = Policies::parse(3, policies).unwrap().map(Arc::new);
    Rules::new(grants.iter().map(grant).collect()).with_policies(policies)
}

fn name(text: &str) -> Resource {
    Resource::Name(text.parse().unwrap())
}

#[test]
fn a_permit_allows_beside_grants_on_a_name_and_all_below_it() {
    let rules = rules(
        &[("user:ben", Role::Viewer, "*")],
        r#"@id("readers") permit(principal in Group::"ml", action in [Action::"read", Action::"predict"], resource in Name::"house");"#,
    );
    let (ann, ben) = (principal("ann", &["ml"]), principal("ben", &[]));
    let may =
        |who: &Principal, action, on: &str| rules.authorize(who, action, &name(on)).is_allowed();
    for inside in ["house", "house/price", "house/price/old"] {
        assert!(may(&ann, Action::Read, inside) && may(&ann, Action::Predict, inside), "{inside}");
    }
    assert!(!may(&ann, Action::Write, "house/price") && !may(&ann, Action::Read, "houses"));
    assert!(!rules.authorize(&ann, Action::Read, &Resource::Larder).is_allowed());
    assert!(may(&ben, Action::Read, "wine") && !may(&ben, Action::Predict, "house/price"));
    let decision = rules.authorize(&ann, Action::Read, &name("house/price"));
    assert_eq!(decision.because(), "policy readers of version 3");
}

#[test]
fn a_forbid_wins_over_grants_and_permits() {
    let rules = rules(
        &[("user:ann", Role::Admin, "*"), ("user:ben", Role::Writer, "*")],
        r#"
        permit(principal, action, resource);
        @id("protect-prod")
        forbid(principal, action == Action::"tag", resource)
        when { context has tag && context.tag == "prod" }
        unless { principal in Group::"release" };
        "#,
    );
    let may = |who: &Principal, tag: Option<&str>| {
        let text = tag.map_or_else(String::new, |tag| format!(":{tag}"));
        let reference = format!("house/price{text}").parse().unwrap();
        rules.authorize(who, Action::Tag, &Resource::of(&reference))
    };
    let (ann, ben) = (principal("ann", &[]), principal("ben", &["release"]));
    assert!(may(&ann, None).is_allowed() && may(&ann, Some("dev")).is_allowed());
    let denied = may(&ann, Some("prod"));
    assert!(!denied.is_allowed());
    let text = "policy protect-prod of version 3 forbids ann to tag `house/price:prod`";
    assert_eq!(denied.because(), text);
    assert!(may(&ben, Some("prod")).is_allowed());
}

#[test]
fn nobody_is_locked_out_of_administration() {
    let rules = rules(
        &[("user:ann", Role::Admin, "*"), ("user:ben", Role::Admin, "house/*")],
        "forbid(principal, action, resource);",
    );
    let may = |who: &str, action, on: &Resource| {
        rules.authorize(&principal(who, &[]), action, on).is_allowed()
    };
    assert!(may("ann", Action::Administer, &Resource::Larder));
    assert!(!may("ann", Action::Read, &name("house/price")));
    assert!(!may("ann", Action::Maintain, &Resource::Larder));
    assert!(!may("ben", Action::Administer, &name("house/price")));
    assert!(!may("ann", Action::Read, &Resource::Any));
}

#[test]
fn scopes_narrow_what_policies_permit() {
    let rules = rules(&[], "permit(principal, action, resource);");
    let scopes = Some(vec![Scope { role: Role::Viewer, names: "house/*".to_owned() }]);
    let ann = Principal { scopes, ..principal("ann", &[]) };
    assert!(rules.authorize(&ann, Action::Read, &name("house/price")).is_allowed());
    assert!(!rules.authorize(&ann, Action::Write, &name("house/price")).is_allowed());
    assert!(!rules.authorize(&ann, Action::Read, &name("wine")).is_allowed());
}

#[test]
fn some_name_is_one_that_a_policy_names_or_any_other() {
    let ann = principal("ann", &[]);
    let any = |grants: &[(&str, Role, &str)], policies: &str| {
        rules(grants, policies).authorize(&ann, Action::Read, &Resource::Any).is_allowed()
    };
    let of_house = r#"permit(principal == User::"ann", action, resource in Name::"house");"#;
    assert!(any(&[], of_house));
    assert!(!any(&[], r#"permit(principal == User::"ben", action, resource);"#));
    assert!(any(&[], r#"permit(principal, action, resource is Name);"#));
    let grants = [("user:ann", Role::Viewer, "wine")];
    assert!(any(&grants, r#"forbid(principal, action, resource in Name::"house");"#));
    assert!(!any(&grants, r#"forbid(principal == User::"ann", action, resource);"#));
}

#[test]
fn the_token_is_known_to_policies() {
    let policies = r#"permit(principal, action, resource) when { context has token && context.token == "0123" };"#;
    let rules = rules(&[], policies);
    let ann = principal("ann", &[]);
    assert!(rules.authorize(&ann, Action::Read, &name("wine")).is_allowed());
    let other = Principal { token: None, ..ann };
    assert!(!rules.authorize(&other, Action::Read, &name("wine")).is_allowed());
}

#[test]
fn policies_that_the_schema_does_not_know_are_refused() {
    for (bad, said) in [
        ("permit(principal, action", "unexpected"),
        (r#"permit(principal, action == Action::"raed", resource);"#, "raed"),
        (r#"permit(principal == Person::"ann", action, resource);"#, "Person"),
        ("permit(principal, action, resource) when { resource.owner == principal };", "owner"),
        (r#"permit(principal, action, resource) when { context.tag == "prod" };"#, "tag"),
        ("permit(principal == ?principal, action, resource);", "templates"),
        ("x", "unexpected"),
    ] {
        let error = Policies::parse(0, bad).unwrap_err();
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains(said)),
            "{error:?}"
        );
    }
    assert!(Policies::parse(0, "").unwrap().is_none());
    assert!(Policies::parse(0, "// none\n").unwrap().is_none());
}

#[test]
fn a_policy_that_fails_and_would_forbid_forbids() {
    let overflow = r#"forbid(principal, action, resource) when { 9223372036854775807 + 1 > 0 };"#;
    let rules = rules(&[("user:ann", Role::Viewer, "*")], overflow);
    let decision = rules.authorize(&principal("ann", &[]), Action::Read, &name("wine"));
    assert!(!decision.is_allowed() && decision.because().contains("failed"), "{decision:?}");
}
