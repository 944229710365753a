use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/no-model", model)]
struct NoModel;

fn main() {}
