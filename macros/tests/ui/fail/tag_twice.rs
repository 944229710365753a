use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/one", tag = "ui/two")]
struct InOne;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/one")]
#[component(tag = "ui/two")]
struct InTwo;

fn main() {}
