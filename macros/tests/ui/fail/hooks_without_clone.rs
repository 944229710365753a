use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/hooks-without-clone", hooks)]
struct WithoutClone;

impl Hooks for WithoutClone {}

fn main() {}
