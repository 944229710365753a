//! Hooks of children: theirs before those of their parents.

use larder::versions::RemoveOptions;
use std::sync::Mutex;

use larder::versions::Status;

use larder::store::Hook;

use super::*;

static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The names whose `on_create` fails.
static FAILING: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn happened(what: String) {
    EVENTS.lock().unwrap().push(what);
}

/// Returns the events of names that begin with `stem` since the last call.
fn events(stem: &str) -> Vec<String> {
    let mut events = EVENTS.lock().unwrap();
    let (mine, others) = events.drain(..).partition(|event| event.contains(stem));
    *events = others;
    mine
}

/// A component with hooks and children.
#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/node", hooks)]
struct Node {
    label: String,
    checked: bool,
    below: Vec<Ref<dyn Component>>,
}

impl Hooks for Node {
    fn post_init(&mut self) -> HookResult {
        happened(format!("post_init {}", self.label));
        self.checked = true;
        if self.label.ends_with("refused") { Err("it may not be".into()) } else { Ok(()) }
    }

    fn setup(&self, context: &HookContext) -> HookResult {
        happened(format!("setup {} as {}", self.label, context.version.reference()));
        Ok(())
    }

    fn on_create(&self, context: &HookContext) -> HookResult {
        happened(format!("on_create {}", context.version.reference()));
        match FAILING.lock().unwrap().contains(&self.label) {
            true => Err("the line is dead".into()),
            false => Ok(()),
        }
    }
}

fn node(label: &str, below: Vec<Ref<dyn Component>>) -> Node {
    Node { label: label.into(), checked: false, below }
}

fn child(name: &str, below: Vec<Ref<dyn Component>>) -> Ref<dyn Component> {
    Ref::any(name, node(name, below)).unwrap()
}

#[test]
fn hooks_of_children_run_before_those_of_their_parents() {
    everywhere(|larder| {
        let inner = child("order/inner", vec![]);
        let tree = node(
            "order/top",
            vec![child("order/left", vec![inner.clone()]), child("order/right", vec![inner])],
        );
        larder.apply("order/top", &tree).unwrap();
        let events_of = events("order/");
        assert_eq!(
            events_of,
            [
                "post_init order/top",
                "post_init order/left",
                "post_init order/inner",
                "post_init order/right",
                "on_create order/inner@1",
                "on_create order/left@1",
                "on_create order/right@1",
                "on_create order/top@1",
            ]
        );
        let loaded: Node = larder.load("order/top").unwrap();
        assert_eq!(events("order/"), ["post_init order/top"]);
        loaded.below[0].get().unwrap();
        assert_eq!(events("order/"), ["post_init order/left"]);
        loaded.below[0].ready().unwrap();
        loaded.below[0].clone().ready().unwrap();
        assert_eq!(events("order/"), ["setup order/left as order/left@1"]);
        larder.remove_all("order/top", &RemoveOptions::new()).unwrap();
        events("order/");
    });
}

#[test]
fn a_child_that_fails_takes_its_parents_with_it_and_the_same_again_completes_them() {
    everywhere(|larder| {
        // The parent has no hooks of its own.
        let tree = || Pipeline {
            others: vec![child("fail/good", vec![]), child("fail/bad", vec![])],
            stages: vec![],
        };
        FAILING.lock().unwrap().push("fail/bad".into());
        let error = larder.apply("fail/top", &tree()).unwrap_err();
        let Error::Hook { component, hook: Hook::OnCreate, .. } = &error else { panic!("{error}") };
        assert_eq!(component, "fail/bad@1");
        FAILING.lock().unwrap().retain(|label| label != "fail/bad");
        let status = |name: &str| {
            let version = larder.versions(name).unwrap().remove(0);
            (version.status, version.failure)
        };
        assert_eq!(status("fail/good"), (Status::Ready, None));
        assert_eq!(status("fail/bad"), (Status::Failed, Some("the line is dead".into())));
        let why = "the `on_create` of fail/bad@1 failed";
        assert_eq!(status("fail/top"), (Status::Failed, Some(why.into())));
        assert!(larder.load::<Pipeline>("fail/top").is_err());
        let by_number: Pipeline = larder.load("fail/top@1").unwrap();
        assert_eq!(by_number.others[1].get().unwrap().type_tag(), "tests/node");

        events("fail/");
        let applied = larder.apply("fail/top", &tree()).unwrap();
        assert!(applied.is_created() && applied.version().status.is_ready());
        let done = ["post_init fail/good", "post_init fail/bad", "on_create fail/bad@1"];
        assert_eq!(events("fail/"), done);
        for name in ["fail/good", "fail/bad", "fail/top"] {
            assert_eq!(numbers(larder, name), [1]);
        }
        assert!(larder.load::<Pipeline>("fail/top").is_ok());
    });
}

#[test]
fn a_child_that_post_init_refuses_keeps_its_parent_from_being_written() {
    everywhere(|larder| {
        let tree = Pipeline { others: vec![child("post/refused", vec![])], stages: vec![] };
        let error = larder.apply("post/top", &tree).unwrap_err();
        let Error::Hook { component, hook: Hook::PostInit, .. } = &error else { panic!("{error}") };
        assert_eq!(component, "post/refused");
        assert_eq!(records(larder), [""; 0]);
    });
}
