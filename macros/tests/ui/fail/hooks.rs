use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/hooks-twice", hooks, hooks)]
struct Twice;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/hooks-value", hooks = true)]
struct WithValue;

#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "ui/hooks-none", hooks)]
struct WithoutHooks;

#[larder::objectmodel(tag = "ui/hooks-function", hooks)]
fn function(x: f64) -> f64 {
    x
}

fn main() {}
