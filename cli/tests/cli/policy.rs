//! `policy`: versions, cases, and what is refused.

use crate::test_dir::TestDir;

const POLICIES: &str = r#"@id("protect-prod")
forbid(principal, action == Action::"tag", resource)
when { context has tag && context.tag == "prod" };
permit(principal in Group::"ml", action == Action::"read", resource in Name::"house");
"#;

const CASES: &str = r#"[
  { "user": "ann", "groups": ["ml"], "action": "read", "name": "house/price", "expect": "allow" },
  { "user": "ann", "action": "read", "name": "house/price", "expect": "deny" },
  { "user": "ann", "action": "tag", "name": "house/price", "tag": "prod", "expect": "allow" },
  { "user": "ann", "action": "administer", "expect": "deny" }
]"#;

#[test]
fn policies_have_versions_that_can_be_tried_first() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.write("new.cedar", POLICIES);
    dir.write("cases.json", CASES);
    let tried = dir.plain(&["policy", "test", "cases.json", "--policies", "new.cedar"]);
    let failed = "case 3: ann tag `house/price:prod` is denied: policy protect-prod forbids ann to tag `house/price:prod`";
    assert_eq!(tried, format!("exit 1\n--- stdout\n{failed}\n3 passed, 1 failed\n"));
    let set = dir.plain(&["policy", "set", "new.cedar"]);
    assert_eq!(set, "exit 0\n--- stdout\nversion 1 of the policies is in force\n");
    let again = dir.plain(&["policy", "set", "new.cedar"]);
    assert_eq!(again, "exit 0\n--- stdout\nunchanged: version 1 of the policies is in force\n");
    assert_eq!(dir.plain(&["policy", "show"]), format!("exit 0\n--- stdout\n{POLICIES}"));
    dir.write("none.cedar", "");
    assert!(dir.plain(&["policy", "set", "none.cedar"]).contains("version 2"));
    let first = dir.plain(&["policy", "show", "--at", "1"]);
    assert_eq!(first, format!("exit 0\n--- stdout\n{POLICIES}"));
    let missing = dir.plain(&["policy", "show", "--at", "3"]);
    assert!(missing.starts_with("exit 3\n") && missing.contains("larder policy show"), "{missing}");
    assert!(dir.plain(&["verify"]).starts_with("exit 0\n"));
}

#[test]
fn what_is_no_policy_or_no_case_is_refused() {
    let dir = TestDir::new("fs:data_dir");
    dir.write("bad.cedar", "permit(principal, action == Action::\"raed\", resource);");
    dir.write("bad.json", r#"[{ "user": "ann", "action": "read", "expected": "deny" }]"#);
    let refused = dir.plain(&["policy", "set", "bad.cedar"]);
    assert!(refused.starts_with("exit 5\n") && refused.contains("raed"), "{refused}");
    let refused = dir.plain(&["policy", "test", "bad.json"]);
    assert!(
        refused.starts_with("exit 1\n") && refused.contains("cannot read the cases"),
        "{refused}"
    );
}
